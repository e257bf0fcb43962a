import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Answers one request. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A request that the server received. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export const ok =
  (body = 'ok'): Answer =>
  (response) =>
    response.end(body);

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(code, headers);
    response.end(`status ${code}`);
  };

/** Never answers. */
export const hang: Answer = () => {};

/** Breaks the connection before the headers. */
export const cut: Answer = (_, request) => request.socket.destroy();

/** Sends its headers and the beginning of a body, and nothing more. */
export const half =
  (code = 200): Answer =>
  (response) => {
    response.writeHead(code, { 'content-type': 'text/plain' });
    response.write('first half, ');
  };

/** A real HTTP server that answers by a script, and records its requests. */
export class FaultServer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly responses: ServerResponse[] = [];
  /** Answers in order; the last one is repeated. */
  script: Answer[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: (() => void)[] = [];
  #connections = 0;

  private constructor(script: Answer[]) {
    this.script = script;
    this.#server = createServer((request, response) => {
      this.responses.push(response);
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('error', () => {});
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        this.seen.push({ method, path: url, headers, body: Buffer.concat(chunks).toString() });
        const answer = this.script.length > 1 ? this.script.shift() : this.script[0];
        answer?.(response, request);
        for (const tell of this.#waiting.splice(0)) tell();
      });
    });
    this.#server.on('connection', (socket) => {
      this.#connections++;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(...script: Answer[]): Promise<FaultServer> {
    const server = new FaultServer(script);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  url(path = '/'): string {
    return `${this.origin}${path}`;
  }

  /** Connections that were ever opened. */
  get connections(): number {
    return this.#connections;
  }

  /** Waits until this many requests have arrived in full. */
  async requests(count: number): Promise<void> {
    while (this.seen.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Waits until this many requests have begun to arrive. */
  async connected(count: number): Promise<void> {
    while (this.responses.length < count) await once(this.#server, 'request');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

/** A URL of a port on which no server listens. */
export async function closedPort(): Promise<string> {
  const server = await FaultServer.start(ok());
  const url = server.url();
  await server[Symbol.asyncDispose]();
  return url;
}
