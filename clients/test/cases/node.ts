import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup, Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer, get as getHttps } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import {
  closedPort,
  cutting,
  type ErrorCase,
  thrownBy,
  thrownIn,
  withHttp,
  withTcp,
} from '../case.ts';

const errorOf = (emitter: NodeJS.EventEmitter): Promise<unknown> =>
  once(emitter, 'error').then(([error]) => error as unknown);

/** What the client throws at a TLS server with a certificate for `host`. */
async function withCertificate(
  host: string,
  { days = '2', trusted = true }: { readonly days?: string; readonly trusted?: boolean },
): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'temper-tls-'));
  const openssl = (...args: string[]): unknown =>
    execFileSync('openssl', args, { stdio: 'ignore', cwd: folder });
  try {
    writeFileSync(join(folder, 'names'), `subjectAltName=DNS:${host}`);
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-out', 'key');
    openssl('req', '-new', '-key', 'key', '-out', 'request', '-subj', `/CN=${host}`);
    const signing = [
      '-req',
      '-in',
      'request',
      '-signkey',
      'key',
      '-days',
      days,
      '-extfile',
      'names',
    ];
    openssl('x509', ...signing, '-out', 'certificate');
    const [key, cert] = ['key', 'certificate'].map((name) => readFileSync(join(folder, name)));
    const server = createHttpsServer({ key, cert }, (_request, response) => response.end('ok'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const options = { host: '127.0.0.1', servername: 'localhost', port };
    try {
      return await errorOf(
        getHttps({ ...options, ...(trusted ? { ca: cert } : {}) }, (response) => response.resume()),
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A name server that answers every question with this code. */
async function resolveWith(rcode: number): Promise<unknown> {
  const server = createSocket('udp4');
  server.on('message', (question, { port, address }) => {
    const answer = Buffer.from(question);
    answer.writeUInt16BE(0x8180 | rcode, 2);
    server.send(answer, port, address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const resolver = new Resolver({ timeout: 200, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.address().port}`]);
  try {
    return await thrownBy(resolver.resolve4('example.com'));
  } finally {
    server.close();
  }
}

async function withHttp2(
  stream: (stream: import('node:http2').ServerHttp2Stream) => void,
): Promise<unknown> {
  const server = createHttp2Server();
  server.on('sessionError', () => undefined);
  server.on('stream', (one) => {
    one.on('error', () => undefined);
    stream(one);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on('error', () => undefined);
  try {
    const request = session.request({ ':path': '/' });
    const error = await errorOf(request);
    return error;
  } finally {
    session.destroy();
    server.close();
  }
}

const request = (port: number, options: object = {}) =>
  errorOf(get({ host: '127.0.0.1', port, ...options }, (response) => response.resume()));

export const nodeCases: readonly ErrorCase[] = [
  {
    client: 'node:http',
    error: 'Error ECONNRESET',
    happened: 'the server hangs up before it answers',
    verdict: 'retry overload failure',
    provoke: () =>
      withTcp(
        (socket) => socket.once('data', () => socket.destroy()),
        (port) => request(port),
      ),
  },
  {
    client: 'node:http',
    error: 'Error ECONNRESET',
    happened: 'the connection breaks in the middle of the body (`aborted`)',
    verdict: 'retry overload failure',
    provoke: () =>
      withHttp(
        cutting,
        (_url, port) =>
          new Promise((resolve) => {
            get({ host: '127.0.0.1', port }, (response) => {
              response.resume().on('error', resolve);
            });
          }),
      ),
  },
  {
    client: 'node:http',
    error: 'Error HPE_INVALID_CONSTANT',
    happened: 'what answers does not speak HTTP',
    verdict: 'failure',
    provoke: () =>
      withTcp(
        (socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n'),
        (port) => request(port),
      ),
  },
  {
    client: 'node:http',
    error: 'TypeError ERR_INVALID_CHAR',
    happened: 'a header value with a line break',
    verdict: 'mistake',
    provoke: async () => thrownIn(() => get({ port: 1, headers: { 'x-name': 'a\nb' } })),
  },
  {
    client: 'node:http',
    error: 'AbortError ABORT_ERR',
    happened: 'the signal of the call was aborted',
    verdict: 'abort',
    provoke: (signal, abort) => withHttp(abort, (_url, port) => request(port, { signal })),
  },
  {
    client: 'node:net',
    error: 'Error ECONNREFUSED',
    happened: 'the connection is refused',
    verdict: 'retry overload failure',
    provoke: async () => errorOf(connect(await closedPort(), '127.0.0.1')),
  },
  {
    client: 'node:net',
    error: 'AggregateError ECONNREFUSED',
    happened: 'all addresses of a host refuse the connection',
    verdict: 'retry overload failure',
    provoke: async () =>
      errorOf(
        connect({
          host: 'both',
          port: await closedPort(),
          autoSelectFamily: true,
          lookup: (_host, _options, callback) =>
            callback(null, [
              { address: '127.0.0.1', family: 4 },
              { address: '::1', family: 6 },
            ]),
        }),
      ),
  },
  {
    client: 'node:net',
    error: 'Error ENOENT',
    happened: 'there is no such socket file',
    verdict: 'failure',
    provoke: () => errorOf(connect(join(tmpdir(), 'no-such.sock'))),
  },
  {
    client: 'node:net',
    error: 'RangeError ERR_SOCKET_BAD_PORT',
    happened: 'a port above 65535',
    verdict: 'failure',
    note: 'A `RangeError` of Node is a bug of the program that called it, like a `TypeError`.',
    provoke: () => thrownIn(() => connect(70_000, '127.0.0.1')),
  },
  {
    client: 'node:dns',
    error: 'Error ENOTFOUND',
    happened: '`lookup` of a name that does not exist',
    verdict: 'retry overload failure',
    provoke: () => thrownBy(lookup('no-such-host.invalid')),
  },
  {
    client: 'node:dns',
    error: 'Error ESERVFAIL',
    happened: 'the name server failed',
    verdict: 'retry overload failure',
    provoke: () => resolveWith(2),
  },
  {
    client: 'node:dns',
    error: 'Error EREFUSED',
    happened: 'the name server refuses',
    verdict: 'retry overload failure',
    provoke: () => resolveWith(5),
  },
  {
    client: 'node:dns',
    error: 'Error ETIMEOUT',
    happened: 'the name server does not answer',
    verdict: 'retry overload failure',
    provoke: async () => {
      const server = createSocket('udp4');
      await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
      const resolver = new Resolver({ timeout: 100, tries: 1 });
      resolver.setServers([`127.0.0.1:${server.address().port}`]);
      return thrownBy(resolver.resolve4('example.com')).finally(() => server.close());
    },
  },
  {
    client: 'node:tls',
    error: 'Error CERT_HAS_EXPIRED',
    happened: 'the certificate of the server has expired',
    verdict: 'failure',
    provoke: () => withCertificate('localhost', { days: '-1' }),
  },
  {
    client: 'node:tls',
    error: 'Error DEPTH_ZERO_SELF_SIGNED_CERT',
    happened: 'the certificate of the server is signed by nobody',
    verdict: 'failure',
    provoke: () => withCertificate('localhost', { trusted: false }),
  },
  {
    client: 'node:tls',
    error: 'Error ERR_TLS_CERT_ALTNAME_INVALID',
    happened: 'the certificate is for another host',
    verdict: 'failure',
    provoke: () => withCertificate('other.example', {}),
  },
  {
    client: 'node:tls',
    error: 'Error ECONNRESET',
    happened: 'the server hangs up during the handshake',
    verdict: 'retry overload failure',
    provoke: () =>
      withTcp(
        (socket) => socket.once('data', () => socket.destroy()),
        async (port) => {
          return errorOf(connectTls({ host: '127.0.0.1', port }));
        },
      ),
  },
  {
    client: 'node:tls',
    error: 'Error ERR_SSL_WRONG_VERSION_NUMBER',
    happened: 'the port does not speak TLS',
    verdict: 'failure',
    provoke: () =>
      withTcp(
        (socket) => socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
        async (port) => {
          return errorOf(connectTls({ host: '127.0.0.1', port }));
        },
      ),
  },
  {
    client: 'node:http2',
    error: 'Error ERR_HTTP2_STREAM_ERROR',
    happened: 'the server refuses the stream',
    verdict: 'retry overload failure',
    provoke: () => withHttp2((stream) => stream.close(7)),
  },
  {
    client: 'node:http2',
    error: 'Error ERR_HTTP2_SESSION_ERROR',
    happened: 'the server ends the session while a stream is open',
    verdict: 'retry overload failure',
    provoke: () => withHttp2((stream) => stream.session?.goaway(2)),
  },
  {
    client: 'node:http2',
    error: 'Error ERR_HTTP2_INVALID_SESSION',
    happened: 'a request on a session that is closed',
    verdict: 'retry overload failure',
    note: 'Sessions end at any time; a client that keeps a pool opens another.',
    provoke: async () => {
      const session = connectHttp2(`http://127.0.0.1:${await closedPort()}`);
      session.on('error', () => undefined);
      session.destroy();
      return errorOf(session.request({ ':path': '/' }));
    },
  },
  {
    client: 'node:stream',
    error: 'Error ERR_STREAM_PREMATURE_CLOSE',
    happened: 'a stream in a pipeline is destroyed before its end',
    verdict: 'retry overload failure',
    provoke: () => {
      const source = new PassThrough();
      const done = pipeline(source, new Writable({ write: (_chunk, _encoding, next) => next() }));
      source.write('x', () => source.destroy());
      return thrownBy(done);
    },
  },
  {
    client: 'node:stream',
    error: 'Error ERR_STREAM_WRITE_AFTER_END',
    happened: 'a write after `end()`',
    verdict: 'failure',
    note: 'A bug in the program, not a mistake of its caller.',
    provoke: () => {
      const stream = new PassThrough();
      stream.end();
      const failed = errorOf(stream);
      stream.write('x');
      return failed;
    },
  },
  {
    client: 'node:stream',
    error: 'Error ERR_STREAM_DESTROYED',
    happened: 'a write to a stream that was destroyed',
    verdict: 'retry overload failure',
    note: 'Mostly a connection that broke a moment before, as with pools; a bug of the program looks the same.',
    provoke: () => {
      const stream = new PassThrough();
      stream.destroy();
      return new Promise((resolve) => stream.write('x', resolve));
    },
  },
  {
    client: 'node:stream',
    error: 'TypeError ERR_STREAM_NULL_VALUES',
    happened: '`write(null)`',
    verdict: 'failure',
    provoke: () => thrownIn(() => new PassThrough().write(null)),
  },
  {
    client: 'node:fs',
    error: 'Error ENOENT',
    happened: 'there is no such file',
    verdict: 'failure',
    note: 'Whether the file ought to be there is not told.',
    provoke: () => thrownBy(readFile('/no/such/file')),
  },
  {
    client: 'node:fs',
    error: 'Error ENOSPC',
    happened: 'the disk is full',
    verdict: 'failure',
    provoke: () => thrownBy(writeFile('/dev/full', 'x')),
  },
  {
    client: 'node:fs',
    error: 'Error EISDIR',
    happened: 'a folder where a file was expected',
    verdict: 'mistake',
    provoke: () => thrownBy(readFile(tmpdir())),
  },
  {
    client: 'the callee',
    error: 'TypeError',
    happened: "a property of `undefined` was read: the callee's own bug",
    verdict: 'failure',
    note: "`internal`, not the caller's mistake: it is counted, and not repeated.",
    provoke: () =>
      thrownIn(() => (JSON.parse('{}') as { order: { id: string } }).order.id.toString()),
  },
  {
    client: 'the callee',
    error: 'TypeError ERR_INVALID_ARG_TYPE',
    happened: "Node was given `undefined` where a string is expected: the callee's own bug",
    verdict: 'failure',
    note: '`internal`, like each `TypeError` of the callee, though Node gives it a code.',
    provoke: () => thrownIn(() => join(undefined as unknown as string)),
  },
  {
    client: 'the callee',
    error: 'Error',
    happened: "`throw new Error('HTTP 503')`",
    verdict: 'failure',
    note: 'Cannot be recognised: see above.',
    provoke: () =>
      thrownIn(() => {
        throw new Error('HTTP 503');
      }),
  },
  {
    client: 'the callee',
    error: 'Error',
    happened: "an error of its own, with the client's as `cause`",
    verdict: 'retry overload failure',
    provoke: async () => {
      const port = await closedPort();
      return thrownIn(async () => {
        try {
          await fetch(`http://127.0.0.1:${port}/`);
        } catch (error) {
          throw new Error('no stock', { cause: error });
        }
      });
    },
  },
  {
    client: 'the callee',
    error: 'AggregateError',
    happened: '`Promise.any` of a missing file and a refused connection',
    verdict: 'retry overload failure',
    note: 'Worth a retry as soon as one of the errors is, since one success is enough for `Promise.any`.',
    provoke: async () => {
      const port = await closedPort();
      return thrownBy(Promise.any([readFile('/no/such/file'), fetch(`http://127.0.0.1:${port}/`)]));
    },
  },
];
