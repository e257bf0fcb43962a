import type { EventEmitter } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Clock, show } from '@temper/core';
import { accompany } from './companion.ts';
import { Http1Connections } from './http1.ts';
import { Http2Sessions } from './http2.ts';
import { type TellUpgraded, UpgradedSockets, type WebSocketServerLike } from './upgrades.ts';

/** What {@link ServerDrain} needs to know. */
export interface DrainOptions {
  readonly clock: Clock;
  /** How long a connection must have been idle to be closed, in milliseconds. */
  readonly graceMs: number;
  readonly webSockets: readonly WebSocketServerLike[];
  readonly tellUpgraded: TellUpgraded | undefined;
  /** Hears what user code, and connections that break meanwhile, throw. */
  readonly onError: (error: unknown) => void;
}

/** So many turns of the loop without a new connection mean that none was waiting. */
const QUIET_TURNS = 3;

/**
 * Ends a server of `node:http`, `node:https` or `node:http2` without losing a request: it says
 * `Connection: close`, then takes no more connections, then closes those that have nothing to do.
 */
export class ServerDrain implements Disposable {
  readonly #server: NetServer;
  readonly #http1: Http1Connections;
  readonly #http2: Http2Sessions;
  readonly #upgrades: UpgradedSockets;
  readonly #listeners: readonly Disposable[];
  /** Every connection, also one that has not finished its TLS handshake. */
  readonly #sockets = new Set<Socket>();
  readonly #options: DrainOptions;
  /** Whether it may have connections that were opened before we looked. */
  readonly #late: boolean;
  #accepted = 0;
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #cutOff = 0;

  constructor(server: NetServer, options: DrainOptions) {
    if (!(server instanceof NetServer)) {
      throw new TypeError(
        `shutdown: server must be one of node:http, node:https or node:http2, got ${show(server)}.`,
      );
    }
    this.#server = server;
    this.#options = options;
    this.#late = server.listening;
    const { clock, graceMs, webSockets, tellUpgraded, onError } = options;
    this.#http1 = new Http1Connections(clock, graceMs);
    this.#http2 = new Http2Sessions(clock, graceMs, onError);
    this.#upgrades = new UpgradedSockets(webSockets, tellUpgraded, onError);
    this.#listeners = [...this.#watchConnections(), ...this.#watchRequests()];
  }

  /** Requests that have not been answered in full. */
  get inFlight(): number {
    return this.#http1.inFlight + this.#http2.inFlight;
  }

  /** Requests that {@link destroy} has cut off. */
  get cutOff(): number {
    return this.#cutOff;
  }

  /** Goes on serving, but lets every connection end with the next answer on it. */
  announce(): void {
    this.#http1.sayClose();
    this.#http2.sayGoaway();
  }

  /** Takes no more connections, and closes those that have nothing to do, now and from now on. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Resolves when the last connection is gone, of a server that {@link stop} was called on. */
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

  /** Closes idle connections from before our time, when those we know have had theirs. */
  #closeUnknown(): void {
    const { clock, graceMs } = this.#options;
    const timer = clock.schedule(() => {
      (this.#server as Partial<HttpServer>).closeIdleConnections?.();
    }, graceMs);
    timer.unref();
  }

  /** Ends every connection, whatever is under way on it. */
  destroy(): void {
    this.#cutOff += this.inFlight;
    this.#http1.destroy();
    this.#http2.destroy();
    this.#upgrades.destroy();
    for (const socket of this.#sockets) socket.destroy();
    (this.#server as Partial<HttpServer>).closeAllConnections?.();
  }

  /** Takes its listeners off the server. */
  [Symbol.dispose](): void {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
  }

  /**
   * Takes the connections that the kernel has accepted for us: closing the listener would reset them.
   * Node takes one or a few a turn, so this goes on until turns bring no more.
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
   * Closes the listener only: `http.Server`'s own `close` would go on to close connections in the very
   * moment after a response, when the next request may be on its way (nodejs/node#60617).
   */
  #close(): Promise<void> {
    return new Promise((resolve) => {
      // A server that is not listening says so, and its connections are waited for all the same.
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
      // One that was not listening yet when the shutdown began must not begin to.
      listen(server, 'listening', () => {
        if (this.#stopped !== undefined) void this.#close();
      }),
    ];
  }

  #watchRequests(): Disposable[] {
    const server = this.#server;
    const { requested } = this.#http1;
    return [
      accompany(server, 'stream', this.#http2.requested),
      accompany(server, 'request', requested),
      accompany(server, 'checkContinue', requested),
      accompany(server, 'checkExpectation', requested),
      ...['upgrade', 'connect'].map((event) =>
        accompany(server, event, (request: Parameters<typeof requested>[0], socket: Socket) => {
          this.#http1.release(socket);
          this.#upgrades.opened(socket, request);
        }),
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

/** Lets the loop look at its sockets once. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
