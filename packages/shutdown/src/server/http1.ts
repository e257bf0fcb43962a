import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Scheduled } from '@temper/core';

/** One connection. */
interface Connection {
  /** Responses that have not ended, in the order of their requests. */
  readonly pending: ServerResponse[];
  /** Monotonic time at which it opened, its last response ended, or part of a request was seen. */
  idleSince: number;
  /** How much of what it was sent has been looked at. */
  bytesRead: number;
}

/**
 * The HTTP/1 connections of a server. Node's own `closeIdleConnections` closes a connection in the
 * moment after a response, when the next request may be on its way, and leaves alone one that has
 * never sent a request; so this keeps its own books.
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

  /** Requests that have not been answered in full. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes in a new connection. */
  readonly opened = (socket: Socket): void => {
    if (this.#connections.has(socket)) return;
    const { bytesRead } = socket;
    this.#connections.set(socket, { pending: [], idleSince: this.#clock.monotonic(), bytesRead });
    socket.once('close', () => this.#connections.delete(socket));
    if (this.#draining) this.#arm(this.#graceMs);
  };

  /** Takes in a new request. */
  readonly requested = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.httpVersionMajor !== 1) return;
    const { socket } = request;
    this.opened(socket);
    const connection = this.#connections.get(socket) as Connection;
    connection.pending.push(response);
    this.#inFlight++;
    response.once('close', () => this.#ended(socket, connection, response));
    if (this.#saysClose) sayClose(connection);
  };

  /** Forgets a connection that has become something else than HTTP. */
  release(socket: Socket): void {
    this.#connections.delete(socket);
  }

  /** From now on every connection ends with the response that is next on it. */
  sayClose(): void {
    this.#saysClose = true;
    for (const connection of this.#connections.values()) sayClose(connection);
  }

  /** Closes what is idle, and from now on whatever becomes idle. */
  drain(): void {
    this.sayClose();
    this.#draining = true;
    this.#closeIdle();
  }

  /** Ends every connection, whatever is under way on it. */
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

  /** Closes connections idle for the grace, and comes back when the next one will be. */
  #closeIdle(): void {
    // Not before the loop has looked at the sockets: after a stall their requests wait in the kernel.
    setImmediate(() => {
      const now = this.#clock.monotonic();
      let next = Number.POSITIVE_INFINITY;
      for (const [socket, connection] of this.#connections) {
        if (connection.pending.length > 0) continue;
        // The first bytes of a request that is not whole yet.
        if (socket.bytesRead > connection.bytesRead) {
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
    // One timer is enough: whatever becomes idle later is due later.
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.schedule(() => {
      this.#timer = undefined;
      this.#closeIdle();
    }, ms);
    // The drain waits for the connections; when they are gone, nothing should wait for this.
    this.#timer.unref();
  }
}

/**
 * Marks the last response of a connection as its last. Not one before it: Node would close the
 * connection after that, and drop the answers to pipelined requests behind it.
 */
function sayClose({ pending }: Connection): void {
  const last = pending.at(-1);
  for (const response of pending) {
    if (response.headersSent) continue;
    if (response === last) response.setHeader('Connection', 'close');
    else if (response.getHeader('Connection') === 'close') response.removeHeader('Connection');
  }
}
