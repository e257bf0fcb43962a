import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@temper/core';
import type { Scheduled } from '@temper/core/policy';
import { markClose, unmarkClose } from './close-header.ts';
import { nextTurn } from './loop-turn.ts';

/** State of one connection. */
interface Connection {
  /** Open responses, in the order of their requests. */
  readonly pending: ServerResponse[];
  /** Monotonic time at which it opened, its last response ended, or it received part of a request. */
  idleSince: number;
  /** Bytes received when `idleSince` was last set. */
  bytesRead: number;
  /** Whether it has received a request before the response to the one before had ended. */
  pipelines: boolean;
  /**
   * Whether Node has stopped reading it because its client reads slowly. Requests then wait in the
   * kernel, so which of the responses is the last one is unknown.
   */
  pressed: boolean;
  /** Whether the last response is chosen after the event loop has read its sockets. */
  choosing: boolean;
}

/**
 * Tracks the HTTP/1 connections of a server. Node's `closeIdleConnections` is not enough: it closes a
 * connection immediately after a response, when the next request may be in transit, and ignores one
 * that has never sent a request.
 */
export class Http1Connections {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #connections = new Map<Socket, Connection>();
  #inFlight = 0;
  #saysClose = false;
  #draining = false;
  #timer: Scheduled | undefined;

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Requests without a complete response. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Tracks a new connection. */
  readonly opened = (socket: Socket): void => {
    if (this.#connections.has(socket)) return;
    this.#connections.set(socket, {
      pending: [],
      idleSince: this.#clock.monotonic(),
      bytesRead: socket.bytesRead,
      pipelines: false,
      pressed: false,
      choosing: false,
    });
    socket.once('close', () => this.#connections.delete(socket));
    if (this.#draining) this.#arm(this.#graceMs);
  };

  /** Tracks a new request. */
  readonly requested = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.httpVersionMajor !== 1) return;
    const { socket } = request;
    this.opened(socket);
    const connection = this.#connections.get(socket) as Connection;
    connection.pending.push(response);
    this.#inFlight++;
    if (connection.pending.length > 1) connection.pipelines = true;
    else if (this.#saysClose && mayPipeline(request)) connection.pipelines = true;
    response.once('close', () => this.#ended(socket, connection, response));
    if (this.#saysClose) sayClose(socket, connection);
  };

  /** Stops tracking a connection that was upgraded to another protocol. */
  release(socket: Socket): void {
    this.#connections.delete(socket);
  }

  /** Makes every connection close after its next response. */
  sayClose(): void {
    this.#saysClose = true;
    for (const [socket, connection] of this.#connections) sayClose(socket, connection);
  }

  /** Closes idle connections, and others as soon as they become idle. */
  drain(): void {
    this.sayClose();
    this.#draining = true;
    this.#closeIdle();
  }

  /** Destroys every connection, including those with open requests. */
  destroy(): void {
    this.#timer?.cancel();
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #ended(socket: Socket, connection: Connection, response: ServerResponse): void {
    const at = connection.pending.indexOf(response);
    if (at < 0) return;
    connection.pending.splice(at, 1);
    this.#inFlight--;
    connection.idleSince = this.#clock.monotonic();
    connection.bytesRead = socket.bytesRead;
    if (this.#draining && this.#connections.has(socket)) this.#arm(this.#graceMs);
  }

  /** Closes connections that have been idle for the grace, and arms the timer for the next one. */
  #closeIdle(): void {
    // After the event loop has read its sockets: after a stall, requests wait in the kernel.
    nextTurn(() => {
      const now = this.#clock.monotonic();
      let next = Number.POSITIVE_INFINITY;
      for (const [socket, connection] of this.#connections) {
        if (connection.pending.length > 0) continue;
        // An incomplete request has arrived, or requests may wait until the client reads.
        if (socket.bytesRead > connection.bytesRead || socket.isPaused()) {
          connection.bytesRead = socket.bytesRead;
          connection.idleSince = now;
        }
        const dueMs = connection.idleSince + this.#graceMs - now;
        if (dueMs <= 0) socket.destroySoon();
        else next = Math.min(next, dueMs);
      }
      if (next !== Number.POSITIVE_INFINITY) this.#arm(next);
    });
  }

  #arm(ms: number): void {
    // One timer is enough: a connection that becomes idle later is due later.
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.schedule(() => {
      this.#timer = undefined;
      this.#closeIdle();
    }, ms);
    // The drain waits for the connections. Without any, this timer must not keep the process alive.
    this.#timer.unref();
  }
}

/**
 * Sets `Connection: close` on the last open response of a connection. On an earlier one it would make
 * Node close the connection and drop the responses to the pipelined requests behind it. Those of one
 * packet arrive one after the other, so the last one is known after the event loop has read its
 * sockets. A response that is sent before has no such header; the connection is closed when it is idle.
 */
function sayClose(socket: Socket, connection: Connection): void {
  if (!connection.pipelines) {
    markLast(connection.pending);
    return;
  }
  unmark(connection.pending.slice(0, -1));
  if (connection.choosing) return;
  connection.choosing = true;
  nextTurn(() => {
    connection.choosing = false;
    connection.pressed ||= socket.isPaused();
    if (connection.pressed) unmark(connection.pending);
    else markLast(connection.pending);
  });
}

/** The parser of a socket, which is not documented. */
interface Parsed {
  readonly parser?: { getCurrentBuffer?(): Buffer } | null;
}

/**
 * Whether the packet that a request ends in may contain another one, which Node has not parsed yet: the
 * handler may answer before that. If in doubt the answer is yes; the connection is then closed when it
 * is idle.
 */
function mayPipeline({ socket, headers }: IncomingMessage): boolean {
  const packet = (socket as Parsed).parser?.getCurrentBuffer?.();
  if (packet === undefined || packet.length === 0) return false;
  const head = packet.indexOf('\r\n\r\n');
  // It has begun in an earlier packet, which may have been cut anywhere.
  if (head < 0 || packet[0] === 10 || packet[0] === 13) return packet.length > 4;
  const length = Number(headers['content-length'] ?? 0);
  if (headers['transfer-encoding'] !== undefined || Number.isNaN(length)) return true;
  // Its body may be incomplete too, with the next request behind the rest of it.
  return packet.length !== head + 4 + length;
}

function markLast(pending: readonly ServerResponse[]): void {
  const last = pending.at(-1);
  if (last?.headersSent === false) markClose(last);
}

function unmark(responses: readonly ServerResponse[]): void {
  for (const response of responses) unmarkClose(response);
}
