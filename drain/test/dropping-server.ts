import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { LAST_EVENT, POLL_BODY, UPLOAD_BYTES, WORK_BODY } from '../src/work.ts';

/** Ways of losing a request over HTTP/1, after all of it has arrived. */
export const DROPS: Readonly<Record<string, (response: ServerResponse, body: string) => void>> = {
  'closes the connection': ({ socket }) => socket?.destroySoon(),
  'resets the connection': ({ socket }) => socket?.resetAndDestroy(),
  'cuts the answer': (response, body) => {
    response.setHeader('content-length', body.length);
    response.write(body.slice(0, -1), () => response.destroy());
  },
  'cuts an answer in chunks': (response, body) => {
    response.write(body, () => response.destroy());
  },
  'answers with something else': (response, body) => response.end(`${body.slice(0, -1)}?`),
  'answers with nothing': (response) => response.end(),
  'answers with 503': (response, body) => response.writeHead(503).end(body),
};

/** Which requests a {@link DroppingServer} has received and lost. */
export class DroppingServer {
  readonly #server: http.Server;
  received = 0;
  dropped = 0;

  /** @param drop - loses every third request */
  constructor(drop: ((response: ServerResponse, body: string) => void) | undefined) {
    this.#server = http.createServer((request, response) => {
      const turn = this.received++;
      void bodyFor(request).then((body) => {
        if (drop === undefined || turn % 3 !== 1) {
          response.end(body);
          return;
        }
        this.dropped++;
        drop(response, body);
      });
    });
  }

  listen(): Promise<number> {
    return portOf(this.#server);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Listens on a free port. */
export function portOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', 1024, () => resolve((server.address() as AddressInfo).port));
  });
}

/** The right answer to a request, at once. */
async function bodyFor(request: IncomingMessage): Promise<string> {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  switch (request.url) {
    case '/poll':
      return POLL_BODY;
    case '/events':
      return [1, 2, 3, 4, 5, 6, 7, 8, 9, LAST_EVENT].map((n) => `data: ${n}\n\n`).join('');
    case '/upload':
      return String(bytes === UPLOAD_BYTES ? bytes : -1);
    default:
      return WORK_BODY;
  }
}
