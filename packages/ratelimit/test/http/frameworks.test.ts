import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { ManualClock } from '@temper/testkit';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import {
  fastifyRateLimit,
  type HttpRateLimitOptions,
  honoRateLimit,
  rateLimitMiddleware,
} from '../../src/http/index.ts';
import { concurrency, keyed, StoreUnavailableError, tokenBucket } from '../../src/index.ts';

/** What a handler does with a request that was let through. */
type Handle = () => Promise<string>;
type Serve = (
  options: HttpRateLimitOptions,
  handle: Handle,
  more?: HttpRateLimitOptions,
) => Promise<string>;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function closeLater(server: Server): void {
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
}

const addressOf = (server: Server): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handler);
  closeLater(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return addressOf(server);
}

const frameworks: [string, Serve][] = [
  [
    'node:http',
    (options, handle, more) => {
      const first = rateLimitMiddleware(options);
      const second = more === undefined ? undefined : rateLimitMiddleware(more);
      return listen((request, response) => {
        const end = async (error?: unknown): Promise<void> => {
          if (error !== undefined) response.writeHead(500).end((error as Error).message);
          else response.end(await handle());
        };
        first(request, response, (error) => {
          if (error === undefined && second !== undefined) second(request, response, end);
          else void end(error);
        });
      });
    },
  ],
  [
    'Express',
    (options, handle, more) => {
      const app = express();
      app.use(rateLimitMiddleware(options));
      if (more !== undefined) app.use(rateLimitMiddleware(more));
      app.get('/', async (_, response) => void response.send(await handle()));
      app.use(((error, _request, response, _next) => {
        response.status(500).send((error as Error).message);
      }) as express.ErrorRequestHandler);
      return listen(app);
    },
  ],
  [
    'Fastify',
    async (options, handle, more) => {
      const app = fastify();
      closing.push(() => app.close());
      await app.register(fastifyRateLimit, options);
      if (more !== undefined) await app.register(fastifyRateLimit, more);
      app.get('/', handle);
      return app.listen({ host: '127.0.0.1', port: 0 });
    },
  ],
  [
    'Hono',
    async (options, handle, more) => {
      const app = new Hono();
      app.use(honoRateLimit(options));
      if (more !== undefined) app.use(honoRateLimit(more));
      app.get('/', async (context) => context.text(await handle()));
      app.onError((error, context) => context.text(error.message, 500));
      const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server;
      closeLater(server);
      await once(server, 'listening');
      return addressOf(server);
    },
  ],
];

const hello: Handle = async () => 'hello';

describe.each(frameworks)('%s', (_, start) => {
  it('tells the limits, and refuses with a problem when one is exceeded', async () => {
    const clock = new ManualClock();
    const perClient = keyed(() => tokenBucket({ clock, limit: 100, windowMs: 60_000, burst: 2 }));
    const url = await start({ limits: [{ name: 'per-client', keyed: perClient }] }, hello);

    const first = await fetch(url);
    expect(await first.text()).toBe('hello');
    expect(first.headers.get('ratelimit-policy')).toBe('"per-client";q=100;w=60');
    expect(first.headers.get('ratelimit')).toBe('"per-client";r=1;t=1');
    expect(first.headers.get('retry-after')).toBeNull();
    await fetch(url);

    const refused = await fetch(url);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(refused.headers.get('ratelimit')).toBe('"per-client";r=0;t=1');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      detail: 'Try again in 1 second.',
      'violated-policies': ['per-client'],
    });

    clock.jump(600);
    expect((await fetch(url)).status).toBe(200);
  });

  it('takes the address from the connection unless the proxy is trusted', async () => {
    const limits = () => [{ name: 'per-client', keyed: keyed(() => tokenBucket({ burst: 1 })) }];
    const from = (url: string, address: string) =>
      fetch(url, { headers: { 'x-forwarded-for': address } }).then(({ status }) => status);

    const direct = await start({ limits: limits() }, hello);
    expect(await from(direct, '198.51.100.1')).toBe(200);
    expect(await from(direct, '198.51.100.2')).toBe(429);

    const proxied = await start({ limits: limits(), trustedProxies: ['127.0.0.1'] }, hello);
    expect(await from(proxied, '198.51.100.1')).toBe(200);
    expect(await from(proxied, '198.51.100.2')).toBe(200);
    expect(await from(proxied, '198.51.100.1')).toBe(429);
  });

  it('holds permits until the response is over', async () => {
    const limiter = concurrency({ limit: 1 });
    const held = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const url = await start({ limits: [{ name: 'at-a-time', limiter }] }, () => {
      begun.resolve();
      return held.promise;
    });
    const first = fetch(url);
    await begun.promise;
    const refused = await fetch(url);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('ratelimit-policy')).toBe(
      '"at-a-time";q=1;qu="concurrent-requests"',
    );
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
    });
    held.resolve('done');
    expect(await (await first).text()).toBe('done');
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
    expect((await fetch(url)).status).toBe(200);
  });

  it('gives the permit of a client that hung up back', async () => {
    const limiter = concurrency({ limit: 1 });
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<string>();
    const url = await start({ limits: [{ name: 'at-a-time', limiter }] }, () => {
      begun.resolve();
      return ended.promise;
    });
    const controller = new AbortController();
    const hung = fetch(url, { signal: controller.signal }).catch(() => undefined);
    await begun.promise;
    controller.abort();
    await hung;
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
    ended.resolve('late');
  });

  it('tells several limits side by side, of one middleware or of two', async () => {
    const burst = tokenBucket({ limit: 50, windowMs: 1000, burst: 5 });
    const daily = keyed(() => tokenBucket({ limit: 1000, windowMs: 86_400_000, burst: 1000 }));
    const url = await start(
      {
        limits: [
          { name: 'burst', limiter: burst },
          { name: 'daily', keyed: daily },
        ],
      },
      hello,
      { limits: [{ name: 'other', limiter: tokenBucket({ burst: 3 }) }] },
    );
    const { headers } = await fetch(url);
    // Which comes first depends on the framework, and means nothing.
    const members = (field: string) => headers.get(field)?.split(', ').sort();
    expect(members('ratelimit-policy')).toEqual([
      '"burst";q=50;w=1',
      '"daily";q=1000;w=86400',
      '"other";q=100;w=60',
    ]);
    expect(members('ratelimit')).toEqual([
      '"burst";r=4;t=1',
      '"daily";r=999;t=87',
      '"other";r=2;t=1',
    ]);
  });

  it('asks for key, cost and partition, and skips what is to be skipped', async () => {
    const perUser = keyed(() => tokenBucket({ burst: 10 }));
    const url = await start(
      {
        limits: [
          {
            name: 'per-user',
            keyed: perUser,
            key: async (request) => request.header('x-user'),
            cost: (request) =>
              Number(new URL(request.url, 'http://x').searchParams.get('cost') ?? 1),
            partitionKey: (user) => user,
          },
        ],
        skip: (request) => request.header('x-probe') !== undefined,
      },
      hello,
    );
    const ask = (headers: Record<string, string>, query = '') =>
      fetch(`${url}/${query}`, { headers });
    const ann = await ask({ 'x-user': 'ann' });
    expect(ann.headers.get('ratelimit')).toBe('"per-user";r=9;t=1;pk=:YW5u:');
    expect((await ask({ 'x-user': 'bob' })).headers.get('ratelimit')).toContain('r=9');
    expect((await ask({})).headers.get('ratelimit')).toBeNull();
    expect((await ask({ 'x-user': 'ann', 'x-probe': '1' })).headers.get('ratelimit')).toBeNull();
  });

  it('answers a store that is away with 503, or lets the request pass', async () => {
    const away = {
      check: () => Promise.reject(new StoreUnavailableError('shared', new Error('gone'))),
    };
    const refusing = await start({ limits: [{ name: 'shared', limiter: away }] }, hello);
    const refused = await fetch(refusing);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ 'violated-policies': [] });
    const allowing = await start(
      { limits: [{ name: 'shared', limiter: away }], onStoreUnavailable: 'allow' },
      hello,
    );
    expect((await fetch(allowing)).status).toBe(200);
  });

  it('hands on what a hook of the user throws, and keeps no permit', async () => {
    const limiter = concurrency({ limit: 1 });
    const url = await start(
      {
        limits: [
          { name: 'at-a-time', limiter },
          {
            name: 'broken',
            keyed: keyed(() => tokenBucket()),
            key: () => {
              throw new Error('a bug in key');
            },
          },
        ],
      },
      hello,
    );
    const response = await fetch(url);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('a bug in key');
    expect(limiter.stats().inFlight).toBe(0);
  });
});

describe('Hono without a server', () => {
  it('holds permits until the handler has returned', async () => {
    const limiter = concurrency({ limit: 1 });
    const app = new Hono();
    app.use(
      honoRateLimit({
        limits: [
          { name: 'at-a-time', limiter },
          { name: 'per-client', keyed: keyed(() => tokenBucket({ burst: 1 })) },
        ],
        remoteAddress: () => '203.0.113.7',
      }),
    );
    app.get('/', (context) => context.text(String(limiter.stats().inFlight)));
    expect(await (await app.request('/')).text()).toBe('1');
    expect(limiter.stats().inFlight).toBe(0);
    expect((await app.request('/')).status).toBe(429);
  });
});

describe('a cost that can never fit', () => {
  it('is refused without a time to come back', async () => {
    const url = await frameworks[0]![1](
      {
        limits: [
          {
            name: 'size',
            limiter: tokenBucket({ burst: 2 }),
            cost: () => 3,
            problem: 'quota-exceeded',
          },
        ],
      },
      hello,
    );
    const refused = await fetch(url);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBeNull();
    expect(await refused.json()).toMatchObject({ detail: 'Try again later.' });
  });
});

describe('options', () => {
  const limiter = tokenBucket();
  const good = { name: 'a', limiter };
  it.each([
    [{ limits: [] }, /limits must be a list of at least one limit, got an array of 0/],
    [{ limits: [good, good] }, /names of their own, got 'a' twice/],
    [{ limits: [{ name: 'größe', limiter }] }, /printable ASCII/],
    [{ limits: [{ name: 'a' }] }, /either a limiter or a keyed one/],
    [
      { limits: [{ ...good, keyed: keyed(() => tokenBucket()) }] },
      /either a limiter or a keyed one/,
    ],
    [{ limits: [{ ...good, key: () => 'x' }] }, /key of limit 'a' has no meaning without keyed/],
    [{ limits: [{ ...good, problem: 'teapot' }] }, /problem must be one of/],
    [{ limits: [{ ...good, costs: 1 }] }, /unknown option 'costs'/],
    [{ limits: [good], onStoreUnavailable: 'shrug' }, /onStoreUnavailable must be one of/],
    [{ limits: [good], trustProxy: true }, /unknown option 'trustProxy'/],
  ])('%o are refused', (options, message) => {
    expect(() => rateLimitMiddleware(options as never)).toThrow(message);
  });
});
