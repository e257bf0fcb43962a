import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { parentPort } from 'node:worker_threads';

/** The servers of the soak, in a thread of their own, so that their memory is not measured. */

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const SMALL = Buffer.alloc(200, 'x');
const LARGE = Buffer.alloc(400_000, 'y');

/** The other HTTP server, which the first one redirects to. */
let elsewhere = '';
let nowhere = '';

/** Begins a large body, and goes on by `then`. A request for the rest of one gets all of it. */
const begun =
  (headers: Record<string, string>, then: (response: ServerResponse) => void): Answer =>
  (response, { headers: { range } }) => {
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const rest = LARGE.subarray(from);
    response.writeHead(from === 0 ? 200 : 206, {
      ...headers,
      'content-length': rest.length,
      ...(from === 0
        ? {}
        : { 'content-range': `bytes ${from}-${LARGE.length - 1}/${LARGE.length}` }),
    });
    if (from > 0) response.end(rest);
    else response.write(rest.subarray(0, 1000), () => then(response));
  };

/** What the server does, by the first part of the path. */
export const FAULTS = {
  ok: (response) => response.end(SMALL),
  large: (response) => response.end(LARGE),
  'reset-before': (_, { socket }) => socket.resetAndDestroy(),
  'closed-before': (_, { socket }) => socket.destroy(),
  'stalled-headers': () => {},
  'stalled-body': begun({}, () => {}),
  unfinished: begun({}, () => {}),
  'cut-body': begun({}, ({ socket }) => socket?.destroy()),
  'reset-body': begun({}, ({ socket }) => socket?.resetAndDestroy()),
  'resumed-body': begun({ etag: '"1"' }, ({ socket }) => socket?.destroy()),
  failed: (response) => response.writeHead(500).end(SMALL),
  busy: (response) => response.writeHead(503, { 'retry-after': '0' }).end(LARGE),
  limited: (response) => response.writeHead(429, { 'retry-after': '3600' }).end(SMALL),
  moved: (response) => response.writeHead(302, { location: '/ok' }).end(SMALL),
  'moved-elsewhere': (response) =>
    response.writeHead(307, { location: `${elsewhere}/large` }).end(SMALL),
  'moved-nowhere': (response) => response.writeHead(302, { location: nowhere }).end(SMALL),
  'moved-around': (response) => response.writeHead(302, { location: '/moved-around' }).end(),
  'early-hints': (response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.end(SMALL);
  },
  garbage: (_, { socket }) => socket.end('NOT HTTP\r\n\r\n'),
  empty: (response) => response.writeHead(204).end(),
} satisfies Record<string, Answer>;

export type Fault = keyof typeof FAULTS;

/** What the threads tell each other. */
export interface Counts {
  /** Connections that are open, on both servers. */
  readonly sockets: number;
  /** Requests whose response is neither ended nor given up. */
  readonly answering: number;
  readonly requests: Readonly<Record<string, number>>;
}
export interface Addresses {
  readonly first: string;
  readonly second: string;
  /** Accepts connections, and says nothing: a TLS handshake never ends. */
  readonly silent: string;
  /** Nothing listens there. */
  readonly closed: string;
}

async function serve(): Promise<void> {
  let sockets = 0;
  let answering = 0;
  const requests: Record<string, number> = {};
  const listening = async (
    server: ReturnType<typeof createTcpServer>,
    isHttp = false,
  ): Promise<number> => {
    server.on('connection', (socket) => {
      sockets++;
      socket.on('error', () => {});
      if (!isHttp) socket.resume(); // else the end is never seen
      socket.on('close', () => sockets--);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const http = () =>
    createServer((request, response) => {
      const fault = request.url?.split('/')[1] ?? '';
      requests[fault] = (requests[fault] ?? 0) + 1;
      answering++;
      response.on('close', () => answering--);
      response.on('error', () => {});
      request.on('error', () => {});
      request.resume().on('end', () => {
        if (!request.socket.destroyed)
          (FAULTS as Record<string, Answer>)[fault]?.(response, request);
      });
    });
  const first = `http://127.0.0.1:${await listening(http(), true)}`;
  elsewhere = `http://127.0.0.1:${await listening(http(), true)}`;
  const silent = `https://127.0.0.1:${await listening(createTcpServer(() => {}))}`;
  const gone = createTcpServer();
  nowhere = `http://127.0.0.1:${await listening(gone)}`;
  await new Promise((resolve) => gone.close(resolve));
  parentPort?.on('message', () => parentPort?.postMessage({ sockets, answering, requests }));
  parentPort?.postMessage({ first, second: elsewhere, silent, closed: nowhere });
}

if (parentPort !== null) await serve();
