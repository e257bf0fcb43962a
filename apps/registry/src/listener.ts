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
 * Ports below the ephemeral ranges of Linux, macOS and Windows. A listener that closes and reopens
 * needs one of these: an ephemeral port could be assigned to an outgoing connection in between,
 * even to one that the client makes to this port, which then connects to itself.
 */
const FIRST_STABLE_PORT = 20_000;
const STABLE_PORTS = 12_000;
const STABLE_PORT_TRIES = 50;

interface ListenOptions {
  readonly host: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** Whether the listener must be able to reopen the same port. */
  readonly stable: boolean;
}

/** A server port that can be closed and reopened while the process runs. */
export class Listener {
  readonly #handler: RequestListener;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #address: { host: string; port: number } | undefined;
  /** The requested state, which the socket reaches asynchronously. */
  #wanted = false;
  #reopening: Promise<void> | undefined;

  constructor(handler: RequestListener) {
    this.#handler = handler;
  }

  get address(): { readonly host: string; readonly port: number } {
    if (this.#address === undefined) throw new Error('The listener has not been opened.');
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
   * Closes the port and breaks every connection except `except`. The operating system then refuses
   * new connections.
   */
  refuse(except?: Socket): void {
    this.#wanted = false;
    this.#server?.close();
    this.#server = undefined;
    for (const socket of this.#sockets) if (socket !== except) socket.resetAndDestroy();
  }

  /** Reopens the same port. Waits while another process uses it. */
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

  /** Waits up to `graceMs` for running requests, then breaks the remaining connections. */
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
  const problem = problemBody(code, 'The request is not valid HTTP.', traceIdOf(undefined));
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      `Content-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}
