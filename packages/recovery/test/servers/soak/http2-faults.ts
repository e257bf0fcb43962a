import {
  constants,
  createServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import type { Addresses, Counts } from './faults.ts';

/** The servers of the soak over HTTP/2, in a thread of their own, so that their memory is not measured. */

const {
  NGHTTP2_CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM,
  NGHTTP2_INTERNAL_ERROR,
  NGHTTP2_NO_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants;

interface Act {
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
  readonly socket: Socket;
  readonly range: string | undefined;
}

type Answer = (act: Act) => void;

const SMALL = Buffer.alloc(200, 'x');
const LARGE = Buffer.alloc(400_000, 'y');

/**
 * A server ends idle connections. Else those stay that undici 7 loses sight of, or undici 8 after an error that nobody
 * could catch.
 */
const IDLE_SESSION_MS = 2000;

/** The other server, which the first one redirects to. */
let elsewhere = '';
let nowhere = '';

const answer = (body: Buffer, fields: Record<string, number | string> = {}): Answer => {
  return ({ stream }) => {
    stream.respond({ ':status': 200, 'content-length': body.length, ...fields });
    stream.end(body);
  };
};

/** Begins a large body, and goes on by `then`. A request for the rest of one gets all of it. */
const begun =
  (fields: Record<string, string>, then: Answer): Answer =>
  (act) => {
    const from = Number(/^bytes=(\d+)-$/.exec(act.range ?? '')?.[1] ?? 0);
    const rest = LARGE.subarray(from);
    const range = `bytes ${from}-${LARGE.length - 1}/${LARGE.length}`;
    act.stream.respond({
      ':status': from === 0 ? 200 : 206,
      ...fields,
      'content-length': rest.length,
      ...(from === 0 ? {} : { 'content-range': range }),
    });
    if (from > 0) act.stream.end(rest);
    else act.stream.write(rest.subarray(0, 1000), () => then(act));
  };

const moved = (status: number, location: () => string): Answer => {
  return (act) => answer(SMALL, { ':status': status, location: location() })(act);
};

/** Says which streams were taken, and ends the connection a little later. */
const goAway =
  (code: number, lastOf: (act: Act) => number): Answer =>
  (act) => {
    act.session.goaway(code, lastOf(act));
    setTimeout(() => act.socket.destroy(), 20);
  };
const before = ({ stream }: Act): number => Math.max(0, (stream.id as number) - 2);

/** What the server does, by the first part of the path. */
export const FAULTS = {
  ok: answer(SMALL),
  large: answer(LARGE),
  refused: ({ stream }) => stream.close(NGHTTP2_REFUSED_STREAM),
  'reset-before': ({ stream }) => stream.close(NGHTTP2_INTERNAL_ERROR),
  'cancelled-before': ({ stream }) => stream.close(NGHTTP2_CANCEL),
  'stalled-headers': () => {},
  'stalled-body': begun({}, () => {}),
  unfinished: begun({}, () => {}),
  'reset-body': begun({}, ({ stream }) => stream.close(NGHTTP2_INTERNAL_ERROR)),
  'resumed-body': begun({ etag: '"1"' }, ({ stream }) => stream.close(NGHTTP2_INTERNAL_ERROR)),
  failed: answer(SMALL, { ':status': 500 }),
  busy: answer(LARGE, { ':status': 503, 'retry-after': '0' }),
  limited: answer(SMALL, { ':status': 429, 'retry-after': '3600' }),
  moved: moved(302, () => '/ok'),
  'moved-elsewhere': moved(307, () => `${elsewhere}/large`),
  'moved-nowhere': moved(302, () => nowhere),
  'moved-around': moved(302, () => '/moved-around'),
  'early-hints': (act) => {
    act.stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' });
    answer(SMALL)(act);
  },
  empty: ({ stream }) => stream.respond({ ':status': 204 }, { endStream: true }),
  'closed-before': ({ socket }) => socket.destroy(),
  'reset-connection': ({ socket }) => socket.resetAndDestroy(),
  'cut-body': begun({}, ({ socket }) => socket.destroy()),
  destroyed: ({ session }) => session.destroy(),
  'destroyed-internal': ({ session }) => session.destroy(new Error('x'), NGHTTP2_INTERNAL_ERROR),
  'closing-session': (act) => {
    act.session.close(); // what has begun is answered
    answer(SMALL)(act);
  },
  'goaway-taken': (act) => {
    goAway(NGHTTP2_NO_ERROR, ({ stream }) => stream.id as number)(act);
    answer(SMALL)(act);
  },
  'goaway-left': goAway(NGHTTP2_NO_ERROR, before),
  'goaway-calm': goAway(NGHTTP2_ENHANCE_YOUR_CALM, before),
} satisfies Record<string, Answer>;

async function listening(server: ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function serve(): Promise<void> {
  let sockets = 0;
  let answering = 0;
  const requests: Record<string, number> = {};
  const count = (socket: Socket): void => {
    sockets++;
    socket.on('error', () => {}).on('close', () => sockets--);
  };
  const http2 = (): ReturnType<typeof createTcpServer> => {
    const server = createServer();
    let latest: Socket;
    const tcp = createTcpServer((socket) => {
      count(socket);
      latest = socket;
      server.emit('connection', socket);
    });
    server.on('session', (session) => {
      const socket = latest;
      session.on('error', () => {});
      session.setTimeout(IDLE_SESSION_MS, () => session.destroy());
      session.on('stream', (stream, headers) => {
        const fault = String(headers[':path']).split('/')[1] as string;
        requests[fault] = (requests[fault] ?? 0) + 1;
        answering++;
        stream.on('error', () => {}).on('close', () => answering--);
        stream.resume().on('end', () => {
          if (stream.destroyed || stream.closed) return;
          const act: Act = { stream, session, socket, range: headers.range };
          (FAULTS as Record<string, Answer>)[fault]?.(act);
        });
      });
    });
    return tcp;
  };
  const first = `http://127.0.0.1:${await listening(http2())}`;
  elsewhere = `http://127.0.0.1:${await listening(http2())}`;
  const mute = createTcpServer((socket) => {
    count(socket);
    socket.resume(); // else the end is never seen
    socket.setTimeout(IDLE_SESSION_MS, () => socket.destroy());
  });
  const silent = `http://127.0.0.1:${await listening(mute)}`;
  const gone = createTcpServer();
  nowhere = `http://127.0.0.1:${await listening(gone)}`;
  await new Promise((resolve) => gone.close(resolve));
  parentPort?.on('message', () => {
    parentPort?.postMessage({ sockets, answering, requests } satisfies Counts);
  });
  parentPort?.postMessage({
    first,
    second: elsewhere,
    silent,
    closed: nowhere,
  } satisfies Addresses);
}

if (parentPort !== null) await serve();
