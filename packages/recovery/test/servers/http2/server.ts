import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';

/**
 * The hostile server of the program, in a thread of its own, so that it hears what the client's thread is too
 * busy to say. It keeps its own account of what arrived.
 */

const {
  NGHTTP2_CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM,
  NGHTTP2_INTERNAL_ERROR,
  NGHTTP2_NO_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants;

const CODES = {
  cancel: NGHTTP2_CANCEL,
  calm: NGHTTP2_ENHANCE_YOUR_CALM,
  internal: NGHTTP2_INTERNAL_ERROR,
  none: NGHTTP2_NO_ERROR,
} as const;
type Code = keyof typeof CODES;

/** The bytes of the answer to a request, which no other one gets. */
export function answerFor(id: string, large: boolean): string {
  return `${id}:`.repeat(large ? 30_000 : 3);
}

/** What the server has seen of one request. */
export interface Account {
  /** Streams that it acted on. */
  processed: number;
  /** Streams that it refused, or left when it went away. */
  unprocessed: number;
  /** Streams whose whole answer it has written. */
  answered: number;
}

export interface Totals {
  readonly accounts: Readonly<Record<string, Account>>;
  readonly sessions: number;
  readonly streams: number;
}

interface SessionState {
  readonly socket: Socket;
  /** The highest number of a stream that was acted on. */
  highest: number;
  /** The number up to which streams are acted on since the server goes away. */
  last: number;
}

interface Act {
  readonly id: string;
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
  readonly account: Account;
}

type Fault = (act: Act) => void | Promise<void>;

const respond = (stream: ServerHttp2Stream, fields: Record<string, number | string> = {}): void =>
  stream.respond({ ':status': 200, ...fields });

function answer({ id, stream, account }: Act, large = false): void {
  const whole = answerFor(id, large);
  respond(stream, { 'content-length': whole.length });
  stream.end(whole, () => {
    account.answered++;
  });
}

/** The body of the request, when the client sends it. */
async function read(stream: ServerHttp2Stream): Promise<void> {
  stream.resume();
  await new Promise<void>((resolve) => stream.once('end', resolve).once('close', resolve));
}

/**
 * Writes a frame by hand. node:http2 ends a stream that it resets once its headers are written, so that the answer
 * is a whole one, and cannot say of a session that no stream of it was taken.
 */
function write(
  { session }: Pick<ServerHttp2Stream, 'session'>,
  type: number,
  stream: number,
  ...words: number[]
): void {
  const frame = Buffer.alloc(9 + 4 * words.length);
  frame.writeUIntBE(4 * words.length, 0, 3);
  frame.writeUInt8(type, 3);
  frame.writeUInt32BE(stream, 5);
  for (const [index, word] of words.entries()) frame.writeUInt32BE(word, 9 + 4 * index);
  if (session !== undefined) stateOf(session as ServerHttp2Session).socket.write(frame);
}

const RST_STREAM = 3;
const GOAWAY = 7;

/** Resets a stream that has begun to answer. */
function cut(stream: ServerHttp2Stream, code: number): void {
  if (!stream.destroyed) write(stream, RST_STREAM, stream.id as number, code);
}

/** Resets of a stream, at three moments. */
const resets = Object.fromEntries(
  (Object.keys(CODES) as Code[]).flatMap((code): [string, Fault][] => [
    [`reset-${code}`, ({ stream }) => stream.close(CODES[code])],
    [
      `reset-${code}-headers`,
      async ({ stream }) => {
        respond(stream);
        await sleep(2);
        cut(stream, CODES[code]);
      },
    ],
    [
      `reset-${code}-body`,
      async ({ id, stream }) => {
        const whole = answerFor(id, true);
        respond(stream, { 'content-length': whole.length });
        stream.write(whole.slice(0, 1000));
        await sleep(2);
        cut(stream, CODES[code]);
      },
    ],
  ]),
);

/** What the server does with a stream that it acts on. */
const FAULTS: Readonly<Record<string, Fault>> = {
  ...resets,
  ok: async (act) => {
    await read(act.stream);
    if (act.stream.destroyed) return;
    answer(act);
  },
  large: async (act) => {
    await read(act.stream);
    if (act.stream.destroyed) return;
    answer(act, true);
  },
  slow: async (act) => {
    await sleep(30);
    if (act.stream.destroyed) return;
    act.stream.resume();
    answer(act);
  },
  early: (act) => {
    // The answer before the body has been read, which then is not wanted.
    answer(act);
  },
  hints: async (act) => {
    act.stream.resume();
    act.stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' });
    await sleep(1);
    if (act.stream.destroyed) return;
    answer(act);
  },
  trailers: (act) => {
    act.stream.resume();
    const whole = answerFor(act.id, false);
    const head = { ':status': 200, 'content-length': whole.length };
    act.stream.respond(head, { waitForTrailers: true });
    act.stream.on('wantTrailers', () => act.stream.sendTrailers({ 'x-sum': act.id }));
    act.stream.end(whole, () => {
      act.account.answered++;
    });
  },
  failed: ({ stream }) => {
    stream.resume();
    stream.respond({ ':status': 503 });
    stream.end('busy');
  },
  short: ({ stream }) => {
    stream.resume();
    respond(stream, { 'content-length': 100 });
    stream.end('short');
  },
  'silent-headers': ({ stream }) => void stream.resume(),
  'silent-body': ({ stream }) => {
    stream.resume();
    respond(stream, { 'content-length': 1000 });
    stream.write('x');
  },
  // The body of the request is not read: its sender waits for the window.
  'silent-window': ({ stream }) => void stream.pause(),
  destroyed: ({ session }) => session.destroy(),
  'destroyed-internal': ({ session }) => session.destroy(new Error('x'), NGHTTP2_INTERNAL_ERROR),
  'cut-headers': async ({ stream, session }) => {
    respond(stream);
    await sleep(2);
    stateOf(session).socket.destroy();
  },
  'cut-body': async ({ id, stream, session }) => {
    const whole = answerFor(id, true);
    respond(stream, { 'content-length': whole.length });
    stream.write(whole.slice(0, 1000));
    await sleep(2);
    stateOf(session).socket.destroy();
  },
  'one-stream': async (act) => {
    act.session.settings({ maxConcurrentStreams: 1 });
    await sleep(10);
    if (!act.session.destroyed) act.session.settings({ maxConcurrentStreams: 100 });
    await FAULTS.ok?.(act);
  },
  'no-stream': async (act) => {
    act.session.settings({ maxConcurrentStreams: 0 });
    await sleep(10);
    if (!act.session.destroyed) act.session.settings({ maxConcurrentStreams: 100 });
    await FAULTS.ok?.(act);
  },
  closing: async (act) => {
    // A graceful end: what has begun is answered.
    act.session.close();
    await FAULTS.ok?.(act);
  },
  'goaway-taken': async (act) => {
    goAway(act, NGHTTP2_NO_ERROR, act.stream.id as number);
    await FAULTS.slow?.(act);
  },
  'goaway-taken-destroyed': async (act) => {
    goAway(act, NGHTTP2_NO_ERROR, act.stream.id as number);
    await sleep(5);
    stateOf(act.session).socket.destroy();
  },
};

/** What the server does with a stream that it does not act on. */
const REFUSALS: Readonly<Record<string, (act: Act) => void>> = {
  refused: ({ stream }) => stream.close(NGHTTP2_REFUSED_STREAM),
  'goaway-left': (act) => goAway(act, NGHTTP2_NO_ERROR, stateOf(act.session).highest),
  'goaway-left-calm': (act) => goAway(act, NGHTTP2_ENHANCE_YOUR_CALM, stateOf(act.session).highest),
};

/** Names of what the server can be asked to do. */
export const NAMES: readonly string[] = [...Object.keys(FAULTS), ...Object.keys(REFUSALS)];

const states = new WeakMap<ServerHttp2Session, SessionState>();
const accounts = new Map<string, Account>();

const stateOf = (session: ServerHttp2Session): SessionState => states.get(session) as SessionState;

/** Says which streams were taken; those that come later are left. */
function goAway({ session }: Act, code: number, last: number): void {
  const state = stateOf(session);
  state.last = Math.min(state.last, Math.max(last, state.highest));
  write({ session }, GOAWAY, 0, state.last, code);
  setTimeout(() => state.socket.destroy(), 60);
}

async function onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  const session = stream.session as ServerHttp2Session;
  const state = stateOf(session);
  const id = String(headers['x-id']);
  const script = String(headers['x-script']).split(',');
  const account = accounts.get(id) ?? { processed: 0, unprocessed: 0, answered: 0 };
  accounts.set(id, account);
  const name = script[account.processed + account.unprocessed] ?? 'ok';
  const act: Act = { id, stream, session, account };
  const number = stream.id as number;
  if (number > state.last) {
    account.unprocessed++;
    return;
  }
  const refusal = REFUSALS[name];
  if (refusal !== undefined) {
    account.unprocessed++;
    refusal(act);
    return;
  }
  account.processed++;
  state.highest = Math.max(state.highest, number);
  await (FAULTS[name] ?? (FAULTS.ok as Fault))(act);
}

async function serve(): Promise<void> {
  let sessions = 0;
  let streams = 0;
  const server: Http2Server = createServer();
  let latest: Socket | undefined;
  const tcp = createTcpServer((socket) => {
    latest = socket.on('error', () => {});
    server.emit('connection', socket);
  });
  server.on('session', (session) => {
    states.set(session, { socket: latest as Socket, highest: 0, last: Number.POSITIVE_INFINITY });
    sessions++;
    session.on('error', () => {}).on('close', () => sessions--);
  });
  server.on('stream', (stream, headers) => {
    streams++;
    stream.on('error', () => {}).on('close', () => streams--);
    onStream(stream, headers).catch(() => {}); // the client was faster: the stream is gone
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const { port } = tcp.address() as AddressInfo;
  parentPort?.on('message', () => {
    const totals: Totals = { accounts: Object.fromEntries(accounts), sessions, streams };
    parentPort?.postMessage(totals);
  });
  parentPort?.postMessage(`http://127.0.0.1:${port}`);
}

if (parentPort !== null) await serve();
