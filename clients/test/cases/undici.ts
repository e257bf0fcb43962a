import { once } from 'node:events';
import { constants, createServer, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import * as undici from 'undici';
import { answering, closedPort, type ErrorCase, thrownBy, withHttp, withTcp } from '../case.ts';

/** Errors of undici that other HTTP clients do not have. */

const client = 'undici';
const BUSY = 'retry overload failure';
const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

/** What a second request throws whose stream gets this, while the first one is open. */
async function overHttp2(
  answer: (stream: ServerHttp2Stream, first: ServerHttp2Stream) => void,
): Promise<unknown> {
  const server = createServer();
  const sessions: Http2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  server.on('session', (session) => sessions.push(session.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dispatcher = new undici.H2CClient(origin, { pipelining: 2 });
  const send = (): Promise<unknown> =>
    // A body of one reading, so that undici does not send it again itself.
    undici.fetch(origin, { dispatcher, method: 'POST', body: 'x' });
  try {
    const begun = once(server, 'stream');
    server.on('stream', (stream) => {
      stream.on('error', () => undefined).resume();
      if (streams.push(stream) === 2) answer(stream, streams[0] as ServerHttp2Stream);
    });
    send().catch(() => undefined);
    await begun;
    const error = await thrownBy(send());
    return (error as Error).cause;
  } finally {
    await dispatcher.destroy();
    for (const session of sessions) session.destroy();
    server.close();
  }
}

async function through<T extends undici.Dispatcher>(
  dispatcher: T,
  url: string,
  options: object = {},
): Promise<unknown> {
  try {
    return await thrownBy(
      undici.request(url, { dispatcher, ...options }).then(({ body }) => body.text()),
    );
  } finally {
    await dispatcher.destroy();
  }
}

export const undiciCases: readonly ErrorCase[] = [
  {
    client,
    error: 'InformationalError UND_ERR_INFO',
    happened: 'the server cancels a stream of HTTP/2',
    verdict: BUSY,
    provoke: () => overHttp2((stream) => stream.close(NGHTTP2_CANCEL)),
  },
  {
    client,
    error: 'InformationalError UND_ERR_INFO',
    happened: 'the server goes away (GOAWAY) and leaves the stream',
    verdict: BUSY,
    note: 'No application has seen the request: `resilientFetch` sends it again, whatever its method.',
    provoke: () => overHttp2((stream, first) => stream.session?.goaway(NGHTTP2_NO_ERROR, first.id)),
  },
  {
    client,
    error: 'BodyTimeoutError UND_ERR_BODY_TIMEOUT',
    happened: 'the body stalls for longer than `bodyTimeout`',
    verdict: BUSY,
    provoke: () =>
      withHttp(
        (_, response) => response.writeHead(200, { 'content-length': 9 }).write('half'),
        (url) => through(new undici.Agent({ bodyTimeout: 50 }), url),
      ),
  },
  {
    client,
    error: 'ConnectTimeoutError UND_ERR_CONNECT_TIMEOUT',
    happened: 'the handshake takes longer than `connect.timeout`',
    verdict: BUSY,
    provoke: () =>
      withTcp(
        () => undefined,
        (port) =>
          through(new undici.Agent({ connect: { timeout: 50 } }), `https://127.0.0.1:${port}`),
      ),
  },
  ...(
    [
      [503, 'is overloaded', BUSY],
      [407, 'wants other credentials', 'mistake'],
    ] as const
  ).map(
    ([status, what, verdict]): ErrorCase => ({
      client,
      error: 'AbortError UND_ERR_ABORTED',
      happened: `a proxy ${what}: it answers ${status} to CONNECT`,
      verdict,
      note: 'Read from its text, as undici gives it neither a status nor a cause. Its `fetch` throws an error that says only "Request was cancelled".',
      provoke: () =>
        withTcp(
          (socket) => socket.once('data', () => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)),
          (port) =>
            through(new undici.ProxyAgent(`http://127.0.0.1:${port}`), 'https://origin.invalid/'),
        ),
    }),
  ),
  {
    client,
    error: 'HeadersOverflowError UND_ERR_HEADERS_OVERFLOW',
    happened: 'the headers of the response are larger than `maxHeaderSize`',
    verdict: 'failure',
    provoke: () =>
      withHttp(answering(200, '', { 'x-large': 'x'.repeat(5000) }), (url) =>
        through(new undici.Agent({ maxHeaderSize: 1000 }), url),
      ),
  },
  {
    client,
    error: 'ResponseExceededMaxSizeError UND_ERR_RES_EXCEEDED_MAX_SIZE',
    happened: 'the body of the response is larger than `maxResponseSize`',
    verdict: 'failure',
    provoke: () =>
      withHttp(answering(200, 'x'.repeat(5000)), (url) =>
        through(new undici.Agent({ maxResponseSize: 1000 }), url),
      ),
  },
  {
    client,
    error: 'HTTPParserError',
    happened: 'what answers does not speak HTTP',
    verdict: 'failure',
    provoke: () =>
      withTcp(
        (socket) => socket.once('data', () => socket.end('220 mail.example\r\n')),
        (port) => through(new undici.Agent(), `http://127.0.0.1:${port}`),
      ),
  },
  {
    client,
    error: 'RequestRetryError UND_ERR_REQ_RETRY',
    happened: 'HTTP 503, and the `RetryAgent` has used up its retries',
    verdict: BUSY,
    provoke: () =>
      withHttp(answering(503), (url) =>
        through(new undici.RetryAgent(new undici.Agent(), { maxRetries: 0 }), url),
      ),
  },
  {
    client,
    error: 'MissingUpstreamError UND_ERR_BPL_MISSING_UPSTREAM',
    happened: 'a `BalancedPool` without an upstream',
    verdict: 'failure',
    note: 'The pool is empty until somebody adds an upstream.',
    provoke: () => through(new undici.BalancedPool([]), 'http://127.0.0.1:1'),
  },
  {
    client,
    error: 'InvalidArgumentError UND_ERR_INVALID_ARG',
    happened: 'a header value with a line break',
    verdict: 'mistake',
    provoke: async () =>
      through(new undici.Agent(), `http://127.0.0.1:${await closedPort()}`, {
        headers: { 'x-broken': 'a\nb' },
      }),
  },
];
