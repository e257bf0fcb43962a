import dns from 'node:dns';
import http from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import fastify, { type FastifyInstance } from 'fastify';
import { Hono } from 'hono';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type GracefulShutdown, gracefulShutdown } from '../src/index.ts';
import { selfSigned } from './certificate.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const clean of cleanups.splice(0)) await clean();
});

/** Makes `localhost` resolve to two addresses, as on a machine with IPv4 and IPv6. */
function localhostHasTwoAddresses(): void {
  const { lookup } = dns;
  vi.spyOn(dns, 'lookup').mockImplementation(((
    host: string,
    options: dns.LookupAllOptions,
    callback: (error: null, addresses: dns.LookupAddress[]) => void,
  ) => {
    if (host !== 'localhost' || !options.all) {
      return lookup(host, options, callback as never);
    }
    callback(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.2', family: 4 },
    ]);
  }) as never);
}

/** A raw connection that stores everything it receives. */
class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  text = '';

  constructor(port: number, address: string) {
    this.socket = connect(port, address);
    cleanups.push(() => this.socket.destroy());
    this.socket.on('data', (data) => {
      this.text += data;
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  get(path: string): void {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await sleep(2);
  }
}

const ADDRESSES = ['127.0.0.1', '127.0.0.2'];

/** Answers `/slow` after 300 ms, while `open` is true, and everything else at once. */
const state = { open: true };
async function answer(path: string): Promise<string> {
  if (path === '/slow') await sleep(300);
  return state.open ? 'from the database' : 'the database is closed';
}

/** Checks that no request of any address is lost, and that all end before the database closes. */
async function checkNothingLost(shutdown: GracefulShutdown, ports: readonly [string, number][]) {
  state.open = true;
  shutdown.register({
    name: 'database',
    run: () => {
      state.open = false;
    },
  });
  const clients = ports.map(([address, port]) => ({
    slow: new RawClient(port, address),
    idle: new RawClient(port, address),
  }));
  for (const { slow, idle } of clients) {
    idle.get('/');
    await idle.until(/from the database/);
    slow.get('/slow');
  }
  await sleep(60);
  const done = shutdown.shutdown();
  await sleep(60);
  // The next request on a connection that has just been used.
  for (const { idle } of clients) idle.get('/');
  const report = await done;
  for (const { slow, idle } of clients) {
    await Promise.all([slow.closed, idle.closed]);
    expect(slow.text.match(/from the database/g)).toHaveLength(1);
    expect(idle.text.match(/from the database/g)).toHaveLength(2);
    expect(slow.text + idle.text).toMatch(/connection: close/i);
  }
  expect(report).toMatchObject({ outcome: 'completed', inFlight: 0, cutOff: 0, hung: [] });
}

function fastifyApp(): FastifyInstance {
  const app = fastify();
  app.get('/', () => answer('/'));
  app.get('/slow', () => answer('/slow'));
  cleanups.push(() => app.close());
  return app;
}

const make = () => {
  const shutdown = gracefulShutdown({ delayMs: 0, timeoutMs: 20_000, onReport: () => {} });
  cleanups.push(() => shutdown[Symbol.dispose]());
  return shutdown;
};

describe('both listeners of Fastify on localhost', () => {
  it.each([
    ['the app', 'before', (app: FastifyInstance) => app],
    ['the app', 'after', (app: FastifyInstance) => app],
    ['app.server', 'before', (app: FastifyInstance) => app.server],
    ['app.server', 'after', (app: FastifyInstance) => app.server],
    ['getHttpServer()', 'before', (app: FastifyInstance) => ({ getHttpServer: () => app.server })],
    ['listener', 'after', (app: FastifyInstance) => ({ listener: app.server })],
  ] as const)('are drained when %s is registered %s it listens', async (_what, when, target) => {
    localhostHasTwoAddresses();
    const app = fastifyApp();
    const shutdown = make();
    if (when === 'before') shutdown.server(target(app));
    await app.listen({ port: 0, host: 'localhost' });
    if (when === 'after') shutdown.server(target(app));
    shutdown.register({ name: 'framework', run: () => app.close() });
    expect(app.addresses()).toHaveLength(2);
    const { port } = app.server.address() as AddressInfo;
    await checkNothingLost(
      shutdown,
      ADDRESSES.map((address) => [address, port]),
    );
    // No listener is left on either address.
    for (const address of ADDRESSES) {
      const late = new RawClient(port, address);
      await late.closed;
      expect(late.text).toBe('');
    }
  });

  it('count their requests in flight', async () => {
    localhostHasTwoAddresses();
    const app = fastifyApp();
    const shutdown = make();
    shutdown.server(app);
    await app.listen({ port: 0, host: 'localhost' });
    const { port } = app.server.address() as AddressInfo;
    for (const address of ADDRESSES) new RawClient(port, address).get('/slow');
    while (shutdown.inFlight() < 2) await sleep(2);
    expect(shutdown.inFlight()).toBe(2);
    await shutdown.shutdown();
    expect(shutdown.inFlight()).toBe(0);
  });
});

async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  cleanups.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

describe('servers of one request listener', () => {
  const app: http.RequestListener = async (request, response) => {
    response.end(await answer(request.url ?? '/'));
  };

  it('are all drained when one is registered, whether or not they listen yet', async () => {
    const [first, second, third] = [1, 2, 3].map(() => http.createServer(app)) as [
      http.Server,
      http.Server,
      http.Server,
    ];
    const shutdown = make();
    const early = await listen(second);
    shutdown.server(first);
    const ports: [string, number][] = [
      ['127.0.0.1', await listen(first)],
      ['127.0.0.1', await listen(third)],
      ['127.0.0.1', early],
    ];
    await checkNothingLost(shutdown, ports);
    expect([first, second, third].map(({ listening }) => listening)).toEqual([false, false, false]);
    shutdown[Symbol.dispose]();
    const left = [first, second, third].map((server) => server.listenerCount('newListener'));
    expect(left).toEqual([0, 0, 0]);
  });

  it('are left alone with siblings: false, and so is a server of another app', async () => {
    const [first, second] = [http.createServer(app), http.createServer(app)];
    const other = http.createServer((_request, response) => response.end());
    const shutdown = make();
    shutdown.server(first, { siblings: false });
    shutdown.server(http.createServer(() => {}));
    await Promise.all([listen(first), listen(second), listen(other)]);
    await shutdown.shutdown();
    expect([first, second, other].map(({ listening }) => listening)).toEqual([false, true, true]);
  });

  it('are counted once when each is registered, with its own options', async () => {
    const [first, second] = [http.createServer(app), http.createServer(app)];
    const shutdown = make();
    await Promise.all([listen(first), listen(second)]);
    shutdown.server(first, { name: 'public' });
    shutdown.server(second, { name: 'internal' });
    new RawClient((second.address() as AddressInfo).port, '127.0.0.1').get('/slow');
    while (shutdown.inFlight() === 0) await sleep(2);
    expect(shutdown.inFlight()).toBe(1);
    const report = await shutdown.shutdown();
    expect(report.handlers.map(({ name }) => name).sort()).toEqual([
      'internal',
      'internal',
      'public',
      'public',
    ]);
  });

  it('keep no listener of this package after disposal', async () => {
    const [first, second] = [http.createServer(app), http.createServer(app)];
    const names = (server: http.Server) =>
      server.eventNames().map((name) => [name, server.listenerCount(name)]);
    const before = [names(first), names(second)];
    const shutdown = make();
    const registration = shutdown.server(first);
    await listen(second);
    registration[Symbol.dispose]();
    expect([names(first), names(second)]).toEqual(before);
    await shutdown.shutdown();
    expect(second.listening).toBe(true);
  });
});

describe('other frameworks', () => {
  it('drains a server of Hono', async () => {
    const app = new Hono();
    app.get('/', async (c) => c.text(await answer('/')));
    app.get('/slow', async (c) => c.text(await answer('/slow')));
    const shutdown = make();
    const port = await new Promise<number>((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info) =>
        resolve(info.port),
      );
      cleanups.push(() => server.close());
      shutdown.server(server as Server);
    });
    await checkNothingLost(shutdown, [['127.0.0.1', port]]);
  });

  it('drains Fastify over HTTP/2 with HTTP/1 fallback on both addresses', async () => {
    localhostHasTwoAddresses();
    const app = fastify({ http2: true, https: { ...selfSigned(), allowHTTP1: true } });
    cleanups.push(() => app.close());
    app.get('/slow', () => answer('/slow'));
    state.open = true;
    const shutdown = make();
    shutdown.server(app);
    shutdown.register(() => {
      state.open = false;
    });
    await app.listen({ port: 0, host: 'localhost' });
    const { port } = app.server.address() as AddressInfo;
    const answers = ADDRESSES.flatMap((address) => [
      get2(`https://${address}:${port}`),
      get1(`https://${address}:${port}/slow`),
    ]);
    while (shutdown.inFlight() < 4) await sleep(2);
    const report = await shutdown.shutdown();
    expect(await Promise.all(answers)).toEqual(Array(4).fill('from the database'));
    expect(report).toMatchObject({ outcome: 'completed', cutOff: 0 });
  });

  it('says what to pass in place of an app that has no server', () => {
    const express = Object.assign(() => {}, { listen: () => {} });
    expect(() => make().server(express as never)).toThrow(
      'server must be a server of node:http, node:https or node:http2, got function (anonymous). Pass what its listen() returns.',
    );
  });
});

function get2(origin: string): Promise<string> {
  const session = http2.connect(origin, { rejectUnauthorized: false });
  session.on('error', () => {});
  cleanups.push(() => session.destroy());
  return new Promise((resolve, reject) => {
    let text = '';
    const stream = session.request({ ':path': '/slow' }).setEncoding('utf8');
    stream.on('data', (data) => {
      text += data;
    });
    stream.on('end', () => resolve(text)).on('error', reject);
  });
}

async function get1(url: string): Promise<string> {
  const { default: https } = await import('node:https');
  return new Promise((resolve, reject) => {
    https
      .get(url, { rejectUnauthorized: false, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (data) => {
          text += data;
        });
        response.on('end', () => resolve(text));
      })
      .on('error', reject);
  });
}
