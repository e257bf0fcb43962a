import http2, { type ClientHttp2Session, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerOptions } from '../src/handler-options.ts';
import { type GracefulShutdown, gracefulShutdown } from '../src/index.ts';
import { selfSigned } from './certificate.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

async function serve(
  server: Http2Server,
  options: ServerOptions = {},
  delayMs = 0,
): Promise<{ shutdown: GracefulShutdown; port: number }> {
  const shutdown = gracefulShutdown({ delayMs, onReport: () => {} });
  shutdown.server(server, options);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return { shutdown, port: (server.address() as AddressInfo).port };
}

/** A client that stores the GOAWAY frames it receives. */
function client(url: string) {
  const goaways: { code: number; lastStreamId: number }[] = [];
  const session = http2.connect(url, { rejectUnauthorized: false });
  session.on('goaway', (code, lastStreamId) => goaways.push({ code, lastStreamId }));
  session.on('error', () => {});
  cleanups.push(() => session.destroy());
  const closed = new Promise<void>((resolve) => session.on('close', () => resolve()));
  return { session, goaways, closed };
}

function get(session: ClientHttp2Session, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path });
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (data) => {
      text += data;
    });
    stream.on('end', () => resolve(text));
    stream.on('error', reject);
  });
}

const NO_ERROR = 0;
const LAST = 2 ** 31 - 1;

describe('HTTP/2', () => {
  it('finishes open HTTP/2 streams after a first and a final GOAWAY', async () => {
    const server = http2.createServer(async (_request, response) => {
      await sleep(300);
      response.end('x'.repeat(100_000));
    });
    const { shutdown, port } = await serve(server, { idleGraceMs: 100 });
    const { session, goaways, closed } = client(`http://127.0.0.1:${port}`);
    const answers = Array.from({ length: 20 }, () => get(session));
    while (shutdown.inFlight() < 20) await sleep(2);
    const done = shutdown.shutdown();
    expect(await Promise.all(answers)).toEqual(new Array(20).fill('x'.repeat(100_000)));
    await closed;
    expect(await done).toMatchObject({ outcome: 'completed', cutOff: 0 });
    expect(goaways[0]).toEqual({ code: NO_ERROR, lastStreamId: LAST });
    expect(shutdown.inFlight()).toBe(0);
  });

  it('closes idle HTTP/2 sessions', async () => {
    const server = http2.createServer((_request, response) => void response.end('hello'));
    const { shutdown, port } = await serve(server, { idleGraceMs: 50 });
    const { session, goaways, closed } = client(`http://127.0.0.1:${port}`);
    expect(await get(session)).toBe('hello');
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    await closed;
    expect(goaways.length).toBeGreaterThanOrEqual(1);
  });

  it('sends a GOAWAY at the beginning of the delay and serves HTTP/2 sessions during it', async () => {
    const server = http2.createServer((_request, response) => void response.end('hello'));
    const { shutdown, port } = await serve(server, { idleGraceMs: 50 }, 400);
    const before = client(`http://127.0.0.1:${port}`);
    expect(await get(before.session)).toBe('hello');
    const done = shutdown.shutdown();
    // Node's client then refuses new requests, and reports it as `closed`.
    while (!before.session.closed) await sleep(2);
    expect(before.goaways).toEqual([{ code: NO_ERROR, lastStreamId: LAST }]);
    expect(shutdown.state).toBe('stopping');
    const during = client(`http://127.0.0.1:${port}`);
    expect(await get(during.session)).toBe('hello');
    await done;
    await during.closed;
  });

  it('counts HTTP/2 streams of a server without a request listener', async () => {
    const server = http2.createServer();
    server.on('stream', async (stream) => {
      await sleep(200);
      stream.respond({ ':status': 200 });
      stream.end('from the core API');
    });
    const { shutdown, port } = await serve(server);
    expect(server.listenerCount('request')).toBe(0);
    const { session } = client(`http://127.0.0.1:${port}`);
    const answer = get(session);
    while (shutdown.inFlight() === 0) await sleep(2);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    expect(await answer).toBe('from the core API');
  });

  it('destroys an HTTP/2 stream that does not end in time', async () => {
    const server = http2.createServer(() => {});
    const { shutdown, port } = await serve(server, { timeoutMs: 200 });
    const { session, closed } = client(`http://127.0.0.1:${port}`);
    const answer = get(session).catch(() => 'cut');
    while (shutdown.inFlight() === 0) await sleep(2);
    expect(await shutdown.shutdown()).toMatchObject({ outcome: 'timed_out', cutOff: 1 });
    await closed;
    await answer;
  });

  it('drains HTTP/1 and HTTP/2 connections of one TLS server', async () => {
    const server = http2.createSecureServer({ ...selfSigned(), allowHTTP1: true }, (async (
      _request: unknown,
      response: { end(text: string): void },
    ) => {
      await sleep(200);
      response.end('hello');
    }) as never);
    const { shutdown, port } = await serve(server as unknown as Http2Server, { idleGraceMs: 50 });
    const { session, closed } = client(`https://127.0.0.1:${port}`);
    const { get: get1 } = await import('node:https');
    const http1 = new Promise<string | undefined>((resolve, reject) => {
      const options = { port, host: '127.0.0.1', rejectUnauthorized: false };
      get1(options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.headers.connection));
      }).on('error', reject);
    });
    const answer = get(session);
    while (shutdown.inFlight() < 2) await sleep(2);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    expect(await answer).toBe('hello');
    expect(await http1).toBe('close');
    await closed;
  });
});
