import type { EventEmitter } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@temper/core';
import { show } from '@temper/core/policy';
import { Http1Connections } from './http1.ts';
import { Http2Sessions } from './http2.ts';
import { addSecondaryListener } from './secondary-listener.ts';
import { type CloseUpgraded, UpgradedSockets, type WebSocketServerLike } from './upgrades.ts';

/** Options of {@link ServerDrain}. */
export interface DrainOptions {
  /** The shutdown's name, for the log of errors thrown by user code and broken connections. */
  readonly owner: string;
  readonly clock: Clock;
  /** How long a connection must have been idle before it is closed, in milliseconds. */
  readonly graceMs: number;
  readonly webSockets: readonly WebSocketServerLike[];
  readonly closeUpgraded: CloseUpgraded | undefined;
}

/** Iterations of the event loop without a new connection after which the accept queue counts as empty. */
const QUIET_TURNS = 3;

/**
 * Closes a server of `node:http`, `node:https` or `node:http2` without losing a request: sends
 * `Connection: close`, stops accepting connections, then closes idle connections.
 */
export class ServerDrain implements Disposable {
  readonly #server: NetServer;
  readonly #http1: Http1Connections;
  readonly #http2: Http2Sessions;
  readonly #upgrades: UpgradedSockets;
  readonly #listeners: readonly Disposable[];
  /** Every connection, including those whose TLS handshake has not finished. */
  readonly #sockets = new Set<Socket>();
  readonly #options: DrainOptions;
  /** Whether the server may have connections that were opened before this object existed. */
  readonly #late: boolean;
  #accepted = 0;
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #cutOff = 0;

  constructor(server: NetServer, options: DrainOptions) {
    if (!(server instanceof NetServer)) {
      throw new TypeError(
        `shutdown.server: server must be a server of node:http, node:https or node:http2, got ${show(server)}.`,
      );
    }
    this.#server = server;
    this.#options = options;
    this.#late = server.listening;
    const { owner, clock, graceMs, webSockets, closeUpgraded } = options;
    this.#http1 = new Http1Connections(clock, graceMs);
    this.#http2 = new Http2Sessions(owner, clock, graceMs);
    this.#upgrades = new UpgradedSockets(owner, webSockets, closeUpgraded);
    this.#listeners = [...this.#watchConnections(), ...this.#watchRequests()];
  }

  /** Requests without a complete response. */
  get inFlight(): number {
    return this.#http1.inFlight + this.#http2.inFlight;
  }

  /** Requests whose connections {@link destroy} has ended. */
  get cutOff(): number {
    return this.#cutOff;
  }

  /** Makes every connection close after its next response. The server keeps serving. */
  announce(): void {
    this.#http1.sayClose();
    this.#http2.sayGoaway();
  }

  /** Stops accepting connections, and closes each connection as soon as it is idle. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Resolves when the last connection has closed. {@link stop} must have been called. */
  async drained(): Promise<void> {
    await this.#stopped;
    await this.#closed;
  }

  async #stop(): Promise<void> {
    this.announce();
    await this.#acceptWaiting();
    this.#closed = this.#close();
    this.#http1.drain();
    this.#http2.drain();
    this.#upgrades.drain();
    if (this.#late) this.#closeUnknown();
  }

  /** Closes idle connections that are not tracked, after the same grace as the tracked ones. */
  #closeUnknown(): void {
    const { clock, graceMs } = this.#options;
    const timer = clock.schedule(() => {
      (this.#server as Partial<HttpServer>).closeIdleConnections?.();
    }, graceMs);
    timer.unref();
  }

  /** Destroys every connection, including those with open requests. */
  destroy(): void {
    this.#cutOff += this.inFlight;
    this.#http1.destroy();
    this.#http2.destroy();
    this.#upgrades.destroy();
    for (const socket of this.#sockets) socket.destroy();
    (this.#server as Partial<HttpServer>).closeAllConnections?.();
  }

  /** Removes its listeners from the server. */
  [Symbol.dispose](): void {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
  }

  /**
   * Accepts the connections in the kernel's accept queue, which closing the listener would reset. Node
   * accepts a few per iteration of the event loop, so this repeats until iterations bring none.
   */
  async #acceptWaiting(): Promise<void> {
    const { clock, graceMs } = this.#options;
    const until = clock.monotonic() + graceMs;
    for (let quiet = 0; quiet < QUIET_TURNS && clock.monotonic() <= until; quiet++) {
      const before = this.#accepted;
      await nextTurn();
      if (this.#accepted !== before) quiet = 0;
    }
  }

  /**
   * Closes the listener only. `http.Server.close` would also close connections immediately after a
   * response, when the next request may already be in transit (nodejs/node#60617).
   */
  #close(): Promise<void> {
    return new Promise((resolve) => {
      // The error of a server that is not listening is ignored; its connections are still awaited.
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
  }

  #watchConnections(): Disposable[] {
    const server = this.#server;
    const secure = 'setSecureContext' in server;
    const speaksHttp2 = 'updateSettings' in server;
    return [
      listen(server, 'connection', (socket: Socket) => {
        this.#accepted++;
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
        if (!secure && !speaksHttp2) this.#http1.opened(socket);
      }),
      listen(server, 'secureConnection', (socket: TLSSocket) => {
        if (socket.alpnProtocol !== 'h2') this.#http1.opened(socket);
      }),
      listen(server, 'session', this.#http2.opened),
      // A server that starts to listen after the shutdown began is closed again.
      listen(server, 'listening', () => {
        if (this.#stopped !== undefined) void this.#close();
      }),
    ];
  }

  #watchRequests(): Disposable[] {
    const server = this.#server;
    const { requested } = this.#http1;
    return [
      addSecondaryListener(server, 'stream', this.#http2.requested),
      addSecondaryListener(server, 'request', requested),
      addSecondaryListener(server, 'checkContinue', requested),
      addSecondaryListener(server, 'checkExpectation', requested),
      ...['upgrade', 'connect'].map((event) =>
        addSecondaryListener(
          server,
          event,
          (request: Parameters<typeof requested>[0], socket: Socket) => {
            this.#http1.release(socket);
            this.#upgrades.opened(socket, request);
          },
        ),
      ),
    ];
  }
}

function listen<Args extends unknown[]>(
  emitter: EventEmitter,
  event: string,
  listener: (...args: Args) => void,
): Disposable {
  const ours = listener as (...args: unknown[]) => void;
  emitter.on(event, ours);
  return { [Symbol.dispose]: () => void emitter.off(event, ours) };
}

/** Waits for one iteration of the event loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
