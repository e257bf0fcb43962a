import { createServer, type RequestListener, type Server, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PROBLEM_MEDIA_TYPE, type ProblemCode, problemBody } from './problem.ts';
import { traceIdOf } from './trace.ts';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
const REOPEN_INTERVAL_MS = 50;
const IDLE_SWEEP_MS = 25;

/**
 * Ports below the range from which Linux, macOS and Windows take the ports of outgoing
 * connections. A listener that closes and comes back needs one of these: a port of the range may
 * meanwhile become somebody's, or even the caller's own, which then talks to itself.
 */
const FIRST_STABLE_PORT = 20_000;
const STABLE_PORTS = 12_000;
const STABLE_PORT_TRIES = 50;

interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Whether the port must still be ours after the listener was closed for a while. */
  readonly stable: boolean;
}

/** A port that can be closed and opened again while the process goes on. */
export class Listener {
  readonly #handler: RequestListener;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #address: { host: string; port: number } | undefined;
  /** What should be, as opposed to what the operating system has come round to. */
  #wanted = false;
  #reopening: Promise<void> | undefined;

  constructor(handler: RequestListener) {
    this.#handler = handler;
  }

  get address(): { readonly host: string; readonly port: number } {
    if (this.#address === undefined) throw new Error('The listener was never opened.');
    return this.#address;
  }

  get listening(): boolean {
    return this.#server?.listening ?? false;
  }

  async open(options: ListenOptions): Promise<void> {
    this.#wanted = true;
    const { host, port } = options;
    if (port !== 0 || !options.stable) {
      this.#address = { host, port: await this.#listen(host, port) };
      return;
    }
    for (let tried = 1; ; tried += 1) {
      const candidate = FIRST_STABLE_PORT + Math.floor(Math.random() * STABLE_PORTS);
      try {
        this.#address = { host, port: await this.#listen(host, candidate) };
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const taken = code === 'EADDRINUSE' || code === 'EACCES';
        if (!taken || tried === STABLE_PORT_TRIES) throw error;
      }
    }
  }

  #listen(host: string, port: number): Promise<number> {
    const server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      },
      this.#handler,
    );
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('clientError', refuseGarbage);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, () => {
        server.off('error', reject);
        server.on('error', () => undefined);
        this.#server = server;
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  /**
   * Closes the port, and breaks every connection but `except`: from here on the operating system
   * refuses whoever comes.
   */
  refuse(except?: Socket): void {
    this.#wanted = false;
    this.#server?.close();
    this.#server = undefined;
    for (const socket of this.#sockets) if (socket !== except) socket.resetAndDestroy();
  }

  /** Opens the same port again; waits for it when somebody else holds it meanwhile. */
  async reopen(): Promise<void> {
    this.#wanted = true;
    while (this.#wanted && !this.listening) {
      this.#reopening ??= this.#reopenLoop().finally(() => {
        this.#reopening = undefined;
      });
      await this.#reopening;
    }
  }

  async #reopenLoop(): Promise<void> {
    const { host, port } = this.address;
    for (;;) {
      try {
        await this.#listen(host, port);
        if (!this.#wanted) this.refuse();
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        await new Promise((resolve) => setTimeout(resolve, REOPEN_INTERVAL_MS));
        if (!this.#wanted) return;
      }
    }
  }

  /** Lets running requests end for `graceMs`, then breaks what is left. */
  async close(graceMs: number): Promise<void> {
    this.#wanted = false;
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const limit = setTimeout(() => server.closeAllConnections(), graceMs);
    // A kept-alive connection falls idle when its last answer is out, which close() awaits but
    // does not bring about.
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    await closed;
    clearTimeout(limit);
    clearInterval(sweep);
  }
}

function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code: ProblemCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers-too-large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request-timeout'
        : 'bad-request';
  const problem = problemBody(
    code,
    'The request is not one that HTTP allows.',
    traceIdOf(undefined),
  );
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      `Content-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}
