import { once } from 'node:events';
import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import {
  type AddressInfo,
  createConnection,
  createServer as createTcpServer,
  type Socket,
} from 'node:net';
import { gzipSync } from 'node:zlib';
import { settle } from '@temper/testkit/clock';
import * as undici from 'undici';
import * as undici7 from 'undici-7';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor, resilientFetch } from '../../src/fetch/index.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } =
  constants;

/** Answers a stream; `first` is the one that came before, and is not answered yet. */
type Answer = (stream: ServerHttp2Stream, first: ServerHttp2Stream | undefined) => void;

const ok: Answer = (stream) => {
  stream.respond({ ':status': 200 });
  stream.end('ok');
};
const reset =
  (code: number): Answer =>
  (stream) =>
    stream.close(code);
/** Resets a stream in the middle of its answer by a frame made by hand: node:http2 would end the answer first. */
const cut =
  (code: number, length?: number, fields = {}, body: string | Buffer = 'half'): Answer =>
  (stream) => {
    stream.respond({ ':status': 200, ...(length && { 'content-length': length }), ...fields });
    stream.write(body);
    const frame = Buffer.alloc(13);
    frame.writeUIntBE(4, 0, 3);
    frame.writeUInt8(3, 3); // RST_STREAM
    frame.writeUInt32BE(stream.id as number, 5);
    frame.writeUInt32BE(code, 9);
    void settle().then(() => sockets.get(session(stream))?.write(frame));
  };
const sockets = new WeakMap<ServerHttp2Session, Socket>();
const session = ({ session }: ServerHttp2Stream): ServerHttp2Session =>
  session as ServerHttp2Session;

/** A server without TLS, as undici's H2CClient speaks to it, that answers requests for `/` by a script. */
class Server {
  /** Streams for `/`. */
  seen = 0;
  /** Streams for `/held` besides the first one. */
  heldAgain = 0;
  readonly #server: Http2Server;
  readonly #tcp = createTcpServer();
  #held: ServerHttp2Stream | undefined;
  #begun: (() => void) | undefined;

  constructor(...script: Answer[]) {
    this.#server = createServer();
    const sessions = new Set<ServerHttp2Session>();
    let latest: Socket | undefined;
    this.#tcp.on('connection', (socket) => {
      latest = socket.on('error', () => {});
      this.#server.emit('connection', socket);
    });
    this.#server.on('session', (one) => {
      sockets.set(one, latest as Socket);
      sessions.add(one.on('error', () => {}));
    });
    this.#server.on('stream', (stream, headers) => {
      stream.on('error', () => {}).resume();
      if (headers[':path'] === '/held' && this.#held === undefined) {
        this.#held = stream;
        this.#begun?.();
        return;
      }
      if (headers[':path'] === '/held') this.heldAgain++;
      const answer = headers[':path'] === '/' ? script[this.seen++] : undefined;
      (answer ?? ok)(stream, this.#held);
    });
    onTestFinished(() => {
      for (const one of sessions) one.destroy();
      this.#tcp.close();
    });
  }

  async listen(): Promise<string> {
    this.#tcp.listen(0, '127.0.0.1');
    await once(this.#tcp, 'listening');
    return `http://127.0.0.1:${(this.#tcp.address() as AddressInfo).port}`;
  }

  /** Answers the stream for `/held`, unless its client has given it up. */
  answerHeld(): void {
    if (this.#held?.destroyed === false) ok(this.#held, undefined);
  }

  /** Waits until the stream for `/held` is there. */
  async held(): Promise<void> {
    if (this.#held !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#begun = resolve;
    });
  }
}

type Send = (url: string, method: string, body?: AsyncIterable<Buffer>) => Promise<string>;

/** With one, fetch sends a stream, which undici itself cannot send again. */
const bodyOf = (method: string): string | null => (method === 'POST' ? 'body' : null);
/** A body that undici can read only once. */
async function* pieces(): AsyncGenerator<Buffer> {
  yield Buffer.from('body');
}

const OPTIONS = { retry: { initialDelayMs: 0 } } as const;
const LIBRARIES = { 'undici 8': undici, 'undici 7': undici7 as never as typeof undici };

const FACES: [string, (origin: string) => Send][] = Object.entries(LIBRARIES).flatMap(
  ([name, { H2CClient, fetch, request }]) => {
    const client = (origin: string): undici.Dispatcher => {
      const own = new H2CClient(origin, { pipelining: 10 });
      onTestFinished(() => own.destroy());
      return own;
    };
    return [
      [
        `resilientFetch on ${name}`,
        (origin) => {
          const dispatcher = client(origin);
          const send = (input: unknown, init: object): Promise<unknown> =>
            fetch(input as string, { ...init, dispatcher });
          const guarded = resilientFetch({ ...OPTIONS, fetch: send as typeof globalThis.fetch });
          return async (url, method, body) =>
            (
              await guarded(url, { method, body: body ?? bodyOf(method), duplex: 'half' } as never)
            ).text();
        },
      ],
      [
        `dispatcherInterceptor on ${name}`,
        (origin) => {
          const dispatcher = client(origin).compose(dispatcherInterceptor(OPTIONS));
          return async (url, method, body) => {
            const own = { method: method as 'POST', body: body ?? bodyOf(method), dispatcher };
            return (await request(url, own as never)).body.text();
          };
        },
      ],
    ] as [string, (origin: string) => Send][];
  },
);

/** How often a POST is sent again that a session has taken, when that and the next one go away before the answer. */
async function sentAgain(
  make: (origin: string) => Send,
  body?: AsyncIterable<Buffer>,
): Promise<number> {
  const away: Answer = (stream, first) => {
    session(stream).goaway(NGHTTP2_NO_ERROR, Math.max(stream.id as number, first?.id ?? 0));
    ok(stream, undefined);
  };
  const awayAgain: Answer = (stream) => {
    session(stream).goaway(NGHTTP2_NO_ERROR, stream.id);
    ok(stream, undefined);
  };
  const server = new Server(ok, away, awayAgain);
  const origin = await server.listen();
  const send = make(origin);
  await send(`${origin}/`, 'POST'); // so that the held stream has a number above 1
  const held = send(`${origin}/held`, 'POST', body).catch((error: unknown) => error);
  await server.held();
  await send(`${origin}/`, 'POST', pieces()).catch(() => {});
  await send(`${origin}/`, 'POST', pieces()).catch(() => {});
  await settle();
  server.answerHeld();
  await held;
  return server.heldAgain;
}

describe.each(FACES)('over HTTP/2, %s', (name, make) => {
  it('sends a POST again whose stream was refused, as often as the retry allows', async () => {
    const refused = reset(NGHTTP2_REFUSED_STREAM);
    const server = new Server(refused, refused, refused);
    const origin = await server.listen();
    expect(await make(origin)(`${origin}/`, 'POST')).toBe('ok');
    expect(server.seen).toBe(4);
  });

  it('does not send a POST again whose stream was processed', async () => {
    const server = new Server(reset(NGHTTP2_INTERNAL_ERROR));
    const origin = await server.listen();
    await expect(make(origin)(`${origin}/`, 'POST')).rejects.toThrow();
    expect(server.seen).toBe(1);
  });

  it('sends a GET again whose stream was processed', async () => {
    const server = new Server(reset(NGHTTP2_INTERNAL_ERROR));
    const origin = await server.listen();
    expect(await make(origin)(`${origin}/`, 'GET')).toBe('ok');
    expect(server.seen).toBe(2);
  });

  it('does not send a POST again that the server had taken when it went away', async () => {
    const server = new Server((stream) => {
      session(stream).goaway(NGHTTP2_NO_ERROR, stream.id);
      void settle().then(() => session(stream).destroy());
    });
    const origin = await server.listen();
    await expect(make(origin)(`${origin}/`, 'POST')).rejects.toThrow();
    expect(server.seen).toBe(1);
  });

  // undici 7 does not read which streams a server that goes away has taken.
  it.runIf(name.endsWith('8'))(
    'sends a POST again that a server left when it went away',
    async () => {
      const server = new Server((stream, first) => {
        session(stream).goaway(NGHTTP2_NO_ERROR, first?.id);
        if (first !== undefined) ok(first, undefined);
      });
      const origin = await server.listen();
      const send = make(origin);
      const held = send(`${origin}/held`, 'POST');
      await server.held();
      expect(await send(`${origin}/`, 'POST')).toBe('ok');
      expect(await held).toBe('ok');
      expect(server.seen).toBe(2);
    },
  );

  it.each([
    ['NO_ERROR', NGHTTP2_NO_ERROR],
    ['CANCEL', NGHTTP2_CANCEL],
    ['INTERNAL_ERROR', NGHTTP2_INTERNAL_ERROR],
  ])('does not take a body for whole that is reset with %s in its middle', async (_, code) => {
    const server = new Server(cut(code, 10));
    const origin = await server.listen();
    const send = make(origin);
    await expect(send(`${origin}/`, 'POST')).rejects.toThrow();
    expect(server.seen).toBe(1);
  });

  // undici 8 compares the numbers of streams of different sessions, and fails the first request for the second's end.
  it.runIf(name.endsWith('8'))(
    'does not send a POST again that an earlier session has taken, when the next one goes away too',
    async () => {
      expect(await sentAgain(make, pieces())).toBe(0);
    },
  );

  it.runIf(name === 'dispatcherInterceptor on undici 8')(
    'cannot keep undici from sending such a POST again, if its body is a text',
    async () => {
      expect(await sentAgain(make)).toBe(1);
    },
  );

  it.each([
    ['NO_ERROR', NGHTTP2_NO_ERROR],
    ['CANCEL', NGHTTP2_CANCEL],
  ])('cannot tell that a body without a length was reset with %s', async (_, code) => {
    const server = new Server(cut(code));
    const origin = await server.listen();
    const body = await make(origin)(`${origin}/`, 'GET').catch(({ name }: Error) => name);
    expect(['half', '']).toContain(body);
  });
});

it.each([
  ['resilientFetch on undici 7', 'half'],
  ['resilientFetch on undici 8', 'TypeError'],
  ['dispatcherInterceptor on undici 7', 'TruncatedBodyError'],
])('of a coded body, %s knows whether it was reset', async (name, expected) => {
  const [, make] = FACES.find(([face]) => face === name) as (typeof FACES)[number];
  const begun = gzipSync('half').subarray(0, -8); // without the checksum, which fetch does not miss
  const server = new Server(cut(NGHTTP2_CANCEL, 100, { 'content-encoding': 'gzip' }, begun));
  const origin = await server.listen();
  const body = await make(origin)(`${origin}/`, 'POST').catch((error: Error) => error.name);
  expect(body).toBe(expected);
});

/** As TLS connects when the server has chosen HTTP/2. */
const connect: undici.buildConnector.connector = ({ hostname, port }, callback) => {
  const socket = Object.assign(createConnection(Number(port), hostname), { alpnProtocol: 'h2' });
  socket.once('connect', () => callback(null, socket as never));
  socket.on('error', (error) => callback(error, null));
};

describe.each(Object.entries(LIBRARIES))(
  'over HTTP/2, resilientFetch on a pool of %s',
  (_, own) => {
    it.each([
      ['NO_ERROR', NGHTTP2_NO_ERROR],
      ['CANCEL', NGHTTP2_CANCEL],
    ])(
      'does not take the body of a queued request for whole that is reset with %s',
      async (__, code) => {
        const server = new Server(cut(code, 10));
        const origin = await server.listen();
        const dispatcher = new own.Pool(origin, { allowH2: true, connect, connections: 1 });
        onTestFinished(() => dispatcher.destroy());
        const send = (input: unknown, init: object): Promise<unknown> =>
          own.fetch(input as string, { ...init, dispatcher });
        const guarded = resilientFetch({ ...OPTIONS, fetch: send as typeof globalThis.fetch });
        const first = guarded(`${origin}/other`);
        const queued = guarded(`${origin}/`, { method: 'POST' }).then((response) =>
          response.text(),
        );
        await expect.poll(() => dispatcher.stats.queued).toBe(1);
        await expect(queued).rejects.toThrow(/^A body for HTTP policy|terminated/);
        expect(await (await first).text()).toBe('ok');
      },
    );
  },
);
