import type { EventEmitter } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { closeListener } from './accept-queue.ts';
import { Http1Connections } from './http1.ts';
import { Http2Sessions } from './http2.ts';
import { addSecondaryListener } from './secondary-listener.ts';
import { UpgradedSockets, type UpgradeOptions } from './upgrades.ts';

/**
 * Options of {@link ServerDrain}. `graceMs` is also how long a connection must have been idle before it
 * is closed.
 */
export interface DrainOptions extends UpgradeOptions {
  /** How long the listener may stay open while connections keep arriving, in milliseconds. */
  readonly patienceMs: number;
}

/** Shortest interval of looking for untracked connections, in milliseconds. */
const MIN_GRACE_MS = 50;

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
  /** Connections whose TLS handshake has not finished, by their addresses. */
  readonly #handshakes = new Map<string, Socket>();
  readonly #options: DrainOptions;
  /** Whether the server may have connections that were opened before this object existed. */
  readonly #late: boolean;
  #accepted = 0;
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #isClosed = false;
  #cutOff = 0;
  /** The original method while the server's own does nothing. */
  #closeIdle: (() => void) | undefined;
  #restore: (() => void) | undefined;

  constructor(server: NetServer, options: DrainOptions) {
    this.#server = server;
    this.#options = options;
    this.#late = server.listening;
    const { owner, clock, graceMs } = options;
    this.#http1 = new Http1Connections(clock, graceMs);
    this.#http2 = new Http2Sessions(owner, clock, graceMs);
    this.#upgrades = new UpgradedSockets(options);
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
    this.#upgrades.announce();
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
    this.#keepIdleConnections();
    const { clock, graceMs, patienceMs } = this.#options;
    await closeListener(
      this.#server,
      () => {
        this.#closed = this.#close();
      },
      { clock, graceMs, patienceMs, accepted: () => this.#accepted },
    );
    this.#http1.drain();
    this.#http2.drain();
    this.#upgrades.drain();
    if (this.#late) this.#closeUnknown();
  }

  /**
   * Disables `closeIdleConnections` of the server until it has closed. `http.Server.close` calls it, and
   * so do frameworks that close their server meanwhile, such as Fastify when its first listener has
   * closed. It would close connections whose next request may be in transit.
   */
  #keepIdleConnections(): void {
    const server = this.#server as Partial<HttpServer>;
    if (server.closeIdleConnections === undefined) return;
    const own = Object.getOwnPropertyDescriptor(server, 'closeIdleConnections');
    this.#closeIdle = server.closeIdleConnections.bind(server);
    const value = (): void => {};
    Object.defineProperty(server, 'closeIdleConnections', { value, configurable: true });
    this.#restore = () => {
      if (server.closeIdleConnections !== value) return;
      if (own === undefined) Reflect.deleteProperty(server, 'closeIdleConnections');
      else Object.defineProperty(server, 'closeIdleConnections', own);
    };
  }

  /**
   * Closes idle connections that are not tracked, after the same grace as the tracked ones, and again
   * after each further grace for those whose request has ended meanwhile.
   */
  #closeUnknown(): void {
    const { clock, graceMs } = this.#options;
    const timer = clock.schedule(
      () => {
        this.#closeIdle?.();
        if (!this.#isClosed) this.#closeUnknown();
      },
      Math.max(graceMs, MIN_GRACE_MS),
    );
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
    this.#restore?.();
  }

  /**
   * Closes the listener only. `http.Server.close` would also close connections immediately after a
   * response, when the next request may already be in transit (nodejs/node#60617).
   */
  #close(): Promise<void> {
    return new Promise((resolve) => {
      // The error of a server that is not listening is ignored; its connections are still awaited.
      NetServer.prototype.close.call(this.#server, () => {
        this.#isClosed = true;
        this.#restore?.();
        resolve();
      });
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
        if (secure) this.#handshakeBegun(socket);
        else if (!speaksHttp2) this.#http1.opened(socket);
      }),
      listen(server, 'secureConnection', (socket: TLSSocket) => {
        this.#handshakeEnded(socket);
        if (socket.alpnProtocol !== 'h2') this.#http1.opened(socket);
      }),
      listen(server, 'session', this.#http2.opened),
      // A server that starts to listen after the shutdown began is closed again.
      listen(server, 'listening', () => {
        if (this.#stopped !== undefined) void this.#close();
      }),
    ];
  }

  /** Until its handshake ends, a connection is closed like an idle one of HTTP/1. */
  #handshakeBegun(socket: Socket): void {
    const addresses = addressesOf(socket);
    if (addresses === undefined) return;
    this.#handshakes.set(addresses, socket);
    socket.once('close', () => {
      if (this.#handshakes.get(addresses) === socket) this.#handshakes.delete(addresses);
    });
    this.#http1.opened(socket);
  }

  #handshakeEnded(socket: TLSSocket): void {
    const addresses = addressesOf(socket) ?? '';
    const connection = this.#handshakes.get(addresses);
    if (connection !== undefined) this.#http1.release(connection);
    this.#handshakes.delete(addresses);
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

/** What a TLS socket has in common with the connection below it; undefined if it is not of TCP. */
function addressesOf(socket: Socket): string | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remotePort === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
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
