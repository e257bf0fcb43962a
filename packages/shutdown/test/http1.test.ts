import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type GracefulShutdown, gracefulShutdown, type ServerOptions } from '../src/index.ts';
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
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return { shutdown, server, port: (server.address() as AddressInfo).port };
}

/** A raw connection that keeps everything that comes back. */
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

describe('an idle keep-alive connection', () => {
  it('is closed at once', async () => {
    const { shutdown, port } = await serve((_request, response) => response.end('hello'), {
      idleGraceMs: 800,
    });
    const client = new RawClient(port);
    client.get('/');
    await client.until(/hello/);
    await sleep(850);
    const before = performance.now();
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    await client.closed;
    expect(msSince(before)).toBeLessThan(750); // less than a connection just used would be given
  });

  it('that has just been used is not: its next request is answered, and is its last', async () => {
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

  it('that has never been used is closed after the grace, which Node would leave open for a minute', async () => {
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

describe('a request in flight', () => {
  it('that comes in slowly, byte by byte, is waited for', async () => {
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

  it('is answered in full, with Connection: close, and counted until then', async () => {
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

  it('that has begun to answer is answered to its end', async () => {
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

  it('one of several on a pipelined connection, does not take the others with it', async () => {
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

  it('that does not end is cut off at the deadline, and told', async () => {
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

  it('that its client gives up on is no longer in flight', async () => {
    const { shutdown, port } = await serve(() => {});
    const client = new RawClient(port);
    client.get('/');
    while (shutdown.inFlight() === 0) await sleep(2);
    client.socket.destroy();
    while (shutdown.inFlight() > 0) await sleep(2);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('with Expect: 100-continue is one too, and its user still decides on it', async () => {
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
  it('new connections and requests are served, each with Connection: close', async () => {
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

describe('a server', () => {
  it('that begins to listen after the shutdown has begun does not stay', async () => {
    const server = http.createServer();
    const shutdown = gracefulShutdown({ delayMs: 0, onReport: () => {} });
    shutdown.server(server);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    const closed = new Promise((resolve) => server.once('close', resolve));
    server.listen(0, '127.0.0.1');
    await closed;
    expect(server.listening).toBe(false);
  });

  it('that somebody has closed already is no failure', async () => {
    const { shutdown, server } = await serve(() => {});
    await new Promise((resolve) => server.close(resolve));
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('that was taken out is left alone, with no listener of ours', async () => {
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

  it('that was listening before it was handed in is emptied all the same', async () => {
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

describe('an emptied server', () => {
  it('leaves no timer that holds the loop', async () => {
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

describe('over TLS', () => {
  it('requests are answered, idle connections closed, and half a handshake holds nobody', async () => {
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

  it('a handshake that never ends is cut at the deadline', async () => {
    const server = https.createServer(selfSigned());
    const { shutdown, port } = await serve(server, { timeoutMs: 300 });
    const client = new RawClient(port);
    await new Promise((resolve) => client.socket.once('connect', resolve));
    await sleep(20);
    await shutdown.shutdown();
    await client.closed;
  });
});
