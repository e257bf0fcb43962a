import http, { type RequestListener } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerOptions } from '../src/handler-options.ts';
import { type GracefulShutdown, gracefulShutdown } from '../src/index.ts';
import { selfSigned } from './certificate.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

async function serve(
  listener: RequestListener | http.Server,
  options: ServerOptions = {},
  delayMs = 0,
): Promise<{ shutdown: GracefulShutdown; server: Server; port: number }> {
  const server = typeof listener === 'function' ? http.createServer(listener) : listener;
  const shutdown = gracefulShutdown({ delayMs, onReport: () => {} });
  shutdown.server(server, options);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(
    () => server.closeAllConnections?.(),
    () => server.close(),
  );
  return { shutdown, server, port: (server.address() as AddressInfo).port };
}

/** A raw connection that stores everything it receives. */
class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  text = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    cleanups.push(() => this.socket.destroy());
    this.socket.on('data', (data) => {
      this.text += data;
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  get(path: string, headers = ''): void {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await sleep(2);
  }
}

const msSince = (before: number) => performance.now() - before;

describe('idle keep-alive connection', () => {
  it('closes an idle keep-alive connection immediately', async () => {
    const { shutdown, port } = await serve((_request, response) => response.end('hello'), {
      idleGraceMs: 5000,
    });
    const client = new RawClient(port);
    client.get('/');
    await client.until(/hello/);
    await sleep(5050);
    const before = performance.now();
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    await client.closed;
    expect(msSince(before)).toBeLessThan(4500); // less than the grace of a connection that was just used
  });

  it('answers the next request on a connection that has just been used, then closes it', async () => {
    const { shutdown, port } = await serve((_request, response) => response.end('hello'));
    const client = new RawClient(port);
    client.get('/1');
    await client.until(/hello/);
    const done = shutdown.shutdown();
    await sleep(100);
    expect(client.text).not.toContain('Connection: close');
    client.get('/2');
    await client.closed;
    expect(client.text.match(/hello/g)).toHaveLength(2);
    expect(client.text).toContain('Connection: close');
    expect((await done).outcome).toBe('completed');
  });

  it('closes a connection that was never used after the grace period', async () => {
    const { shutdown, port } = await serve(() => {}, { idleGraceMs: 200 });
    const client = new RawClient(port);
    await new Promise((resolve) => client.socket.once('connect', resolve));
    await sleep(20);
    const before = performance.now();
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    await client.closed;
    expect(msSince(before)).toBeLessThan(2000);
  });
});

describe('request in flight', () => {
  it('waits for a request that arrives byte by byte', async () => {
    const { shutdown, port } = await serve((_request, response) => response.end('hello'), {
      idleGraceMs: 200,
    });
    const client = new RawClient(port);
    await new Promise((resolve) => client.socket.once('connect', resolve));
    const done = shutdown.shutdown();
    for (const byte of 'GET / HTTP/1.1\r\nHost: a\r\n\r\n') {
      client.socket.write(byte);
      await sleep(30);
    }
    await client.closed;
    expect(client.text).toContain('hello');
    expect(client.text).toContain('Connection: close');
    expect((await done).outcome).toBe('completed');
  });

  it('answers a request in flight completely with Connection: close and counts it until then', async () => {
    const { shutdown, port } = await serve(async (_request, response) => {
      await sleep(300);
      response.end('x'.repeat(500_000));
    });
    const client = new RawClient(port);
    client.get('/');
    while (shutdown.inFlight() === 0) await sleep(2);
    const report = await shutdown.shutdown();
    await client.closed;
    expect(report).toMatchObject({ outcome: 'completed', inFlight: 0, cutOff: 0 });
    expect(client.text).toContain('\r\nConnection: close\r\n');
    expect(client.text.length).toBeGreaterThan(500_000);
  });

  it('completes a response that has already begun', async () => {
    const { shutdown, port } = await serve(async (_request, response) => {
      response.write('begin ');
      await sleep(300);
      response.end('end');
    });
    const client = new RawClient(port);
    client.get('/');
    await client.until(/begin/);
    const report = await shutdown.shutdown();
    await client.closed;
    expect(client.text).toContain('end');
    expect(report.outcome).toBe('completed');
  });

  it('answers all pipelined requests of a connection before closing it', async () => {
    const waiting: (() => void)[] = [];
    const { shutdown, port } = await serve((request, response) => {
      waiting.push(() => response.end(`answer to ${request.url}`));
    });
    const client = new RawClient(port);
    client.get('/1');
    client.get('/2');
    while (shutdown.inFlight() < 2) await sleep(2);
    const done = shutdown.shutdown();
    await sleep(50);
    client.get('/3');
    while (shutdown.inFlight() < 3) await sleep(2);
    for (const answer of waiting) answer();
    await client.closed;
    expect(client.text.match(/answer to \/\d/g)).toEqual([
      'answer to /1',
      'answer to /2',
      'answer to /3',
    ]);
    expect(client.text.match(/Connection: close/g)).toHaveLength(1);
    expect((await done).outcome).toBe('completed');
  });

  it('destroys the connection of a request that does not end in time and reports it', async () => {
    const { shutdown, port } = await serve(() => {}, { name: 'api', timeoutMs: 200 });
    const client = new RawClient(port);
    client.get('/');
    while (shutdown.inFlight() === 0) await sleep(2);
    const report = await shutdown.shutdown();
    await client.closed;
    expect(report).toMatchObject({
      outcome: 'timed_out',
      cutOff: 1,
      handlers: [
        { phase: 'intake', name: 'api', outcome: 'completed' },
        { phase: 'drain', name: 'api', outcome: 'timed_out' },
      ],
    });
  });

  it('does not count a request whose client has disconnected', async () => {
    const { shutdown, port } = await serve(() => {});
    const client = new RawClient(port);
    client.get('/');
    while (shutdown.inFlight() === 0) await sleep(2);
    client.socket.destroy();
    while (shutdown.inFlight() > 0) await sleep(2);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('tracks a request with Expect: 100-continue and leaves the decision to the user', async () => {
    const server = http.createServer();
    const { shutdown, port } = await serve(server);
    server.on('checkContinue', async (_request, response) => {
      await sleep(200);
      response.writeHead(413).end();
    });
    const client = new RawClient(port);
    client.socket.write(
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
    );
    while (shutdown.inFlight() === 0) await sleep(2);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    await client.closed;
    expect(client.text).toContain('413');
    expect(client.text).toContain('Connection: close');
  });
});

describe('during the delay', () => {
  it('serves new connections and requests with Connection: close during the delay', async () => {
    const { shutdown, port } = await serve((_request, response) => response.end('hello'), {}, 400);
    const done = shutdown.shutdown();
    await sleep(100);
    const client = new RawClient(port);
    client.get('/');
    await client.closed;
    expect(client.text).toContain('hello');
    expect(client.text).toContain('Connection: close');
    expect((await done).outcome).toBe('completed');
    const late = new RawClient(port);
    await late.closed;
    expect(late.text).toBe('');
  });
});

describe('server', () => {
  it('closes a server that starts to listen after the shutdown began', async () => {
    const server = http.createServer();
    const shutdown = gracefulShutdown({ delayMs: 0, onReport: () => {} });
    shutdown.server(server);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    const closed = new Promise((resolve) => server.once('close', resolve));
    server.listen(0, '127.0.0.1');
    await closed;
    expect(server.listening).toBe(false);
  });

  it('completes if the server was already closed', async () => {
    const { shutdown, server } = await serve(() => {});
    await new Promise((resolve) => server.close(resolve));
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('leaves a removed server without listeners of this package', async () => {
    const server = http.createServer((_request, response) => response.end('hello'));
    const before = server.eventNames().map((name) => [name, server.listenerCount(name)]);
    const shutdown = gracefulShutdown({ delayMs: 0, onReport: () => {} });
    shutdown.server(server)[Symbol.dispose]();
    expect(server.eventNames().map((name) => [name, server.listenerCount(name)])).toEqual(before);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    await shutdown.shutdown();
    expect(server.listening).toBe(true);
  });

  it('drains a server that was already listening when it was added', async () => {
    const server = http.createServer(async (request, response) => {
      if (request.url === '/slow') await sleep(200);
      response.end('hello');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const [idle, fresh] = [new RawClient(port), new RawClient(port)];
    idle.get('/');
    await idle.until(/hello/);
    const shutdown = gracefulShutdown({ delayMs: 0, onReport: () => {} });
    shutdown.server(server, { idleGraceMs: 100, timeoutMs: 5000 });
    fresh.get('/slow');
    while (shutdown.inFlight() === 0) await sleep(2);
    const before = performance.now();
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    expect(msSince(before)).toBeLessThan(2000);
    await Promise.all([idle.closed, fresh.closed]);
    expect(fresh.text).toContain('hello');
  });
});

describe('drained server', () => {
  it('leaves no timer that keeps the event loop alive after the drain', async () => {
    const { shutdown, port } = await serve((_request, response) => response.end('hello'), {
      idleGraceMs: 60_000,
    });
    const client = new RawClient(port);
    client.get('/1');
    await client.until(/hello/);
    const timers = () =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const done = shutdown.shutdown();
    await new Promise((resolve) => setImmediate(resolve));
    client.get('/2');
    await client.closed;
    await done;
    expect(timers()).toBeLessThanOrEqual(before);
  });
});

describe('TLS server', () => {
  it('drains a TLS server with requests, idle connections and an unfinished handshake', async () => {
    const server = https.createServer(selfSigned(), async (_request, response) => {
      await sleep(200);
      response.end('hello');
    });
    const { shutdown, port } = await serve(server, { idleGraceMs: 100, timeoutMs: 3000 });
    const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
    cleanups.push(() => agent.destroy());
    const get = () =>
      new Promise<string>((resolve, reject) => {
        https
          .get({ port, host: '127.0.0.1', agent }, (response) => {
            let text = `${response.headers.connection}: `;
            response.on('data', (data) => {
              text += data;
            });
            response.on('end', () => resolve(text));
          })
          .on('error', reject);
      });
    expect(await get()).toBe('keep-alive: hello');
    const inFlight = get();
    while (shutdown.inFlight() === 0) await sleep(2);
    const report = await shutdown.shutdown();
    expect(await inFlight).toBe('close: hello');
    expect(report).toMatchObject({ outcome: 'completed', cutOff: 0 });
  });

  const secureServers: readonly (readonly [string, () => http.Server])[] = [
    ['https', () => https.createServer(selfSigned())],
    [
      'http2, with a fallback',
      () =>
        http2.createSecureServer({
          ...selfSigned(),
          allowHTTP1: true,
        }) as unknown as http.Server,
    ],
  ];

  it.each(secureServers)(
    'closes a connection to a server of node:%s whose handshake has not begun after the grace period',
    async (_, create) => {
      const { shutdown, port } = await serve(create(), { idleGraceMs: 200, timeoutMs: 60_000 });
      const client = new RawClient(port);
      await new Promise((resolve) => client.socket.once('connect', resolve));
      await sleep(20);
      expect((await shutdown.shutdown()).outcome).toBe('completed');
      await client.closed;
    },
  );

  it('answers a request whose handshake takes longer than the grace period', async () => {
    const server = https.createServer(selfSigned(), async (_request, response) => {
      await sleep(1100);
      response.end('hello');
    });
    const { shutdown, port } = await serve(server, { idleGraceMs: 1000, timeoutMs: 60_000 });
    const raw = connect(port, '127.0.0.1');
    cleanups.push(() => raw.destroy());
    await new Promise((resolve) => raw.once('connect', resolve));
    // The client's packets arrive in parts, as over a slow network.
    const slow = new Duplex({
      read: () => {},
      write: async (chunk: Buffer, _encoding, written) => {
        const part = Math.ceil(chunk.length / 5);
        for (let at = 0; at < chunk.length; at += part) {
          raw.write(chunk.subarray(at, at + part));
          await sleep(250);
        }
        written();
      },
    });
    raw.on('data', (data) => slow.push(data));
    const client = tls.connect({ socket: slow, rejectUnauthorized: false });
    client.on('error', () => {});
    let text = '';
    client.on('data', (data) => {
      text += data;
    });
    client.once('secureConnect', () => client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    const done = shutdown.shutdown();
    await expect.poll(() => text).toContain('hello');
    expect(await done).toMatchObject({ outcome: 'completed', cutOff: 0 });
  });

  it('destroys a TLS connection whose handshake never ends at the time limit', async () => {
    const server = https.createServer(selfSigned());
    const { shutdown, port } = await serve(server, { idleGraceMs: 60_000, timeoutMs: 300 });
    const client = new RawClient(port);
    await new Promise((resolve) => client.socket.once('connect', resolve));
    await sleep(20);
    expect((await shutdown.shutdown()).outcome).toBe('timed_out');
    await client.closed;
  });
});
