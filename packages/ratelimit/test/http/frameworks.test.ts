import { diag } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import {
  fastifyRateLimit,
  HttpGuard,
  type HttpLimit,
  type HttpRequest,
  honoRateLimit,
  rateLimitMiddleware,
} from '../../src/http/index.ts';
import { problemOf } from '../../src/http/problem.ts';
import { concurrency, keyed, tokenBucket } from '../../src/index.ts';
import {
  MemoryRateLimitStore,
  StoreUnavailableError,
  sharedRateLimit,
} from '../../src/shared/index.ts';
import { closeServers, frameworks, type Handle } from './frameworks.ts';

afterEach(closeServers);

const fail = (): never => {
  throw new Error('a bug');
};
const rejects = (): Promise<never> => Promise.reject(new Error('a bug'));

/** What is logged on `diag`, until the end of the test. */
function recordErrors(): string[] {
  const messages: string[] = [];
  const ignore = (): void => undefined;
  const error = (...parts: unknown[]): void => void messages.push(parts.join(' '));
  diag.setLogger({ error, warn: ignore, info: ignore, debug: ignore, verbose: ignore });
  return messages;
}
afterEach(() => diag.disable());

const hello: Handle = async () => 'hello';

/** Nothing comes back while the machine is slow. */
const still = new ManualClock();

describe.each(frameworks)('%s', (_, start) => {
  it('announces the limits, and refuses with a problem detail when one is exceeded', async () => {
    const clock = new ManualClock();
    const perClient = keyed({
      template: tokenBucket({ clock, limit: 100, windowMs: 60_000, burst: 2 }),
    });
    const url = await start(
      { limits: [{ name: 'per-client', limiter: perClient, key: 'address' }] },
      hello,
    );

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
    const limits = () => [
      {
        name: 'per-client',
        limiter: keyed({ template: tokenBucket({ clock: still, burst: 1 }) }),
        key: 'address' as const,
      },
    ];
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

  it.each([[undefined], [null], [false], [''], ['route'], ['router'], [{}]])(
    'lets no request pass when a key or cost function throws or rejects with %j',
    async (thrown) => {
      const raise = (): never => {
        throw thrown;
      };
      const reject = (): Promise<never> => Promise.reject(thrown);
      for (const own of [{ key: reject }, { key: () => 'a', cost: raise }]) {
        let handled = 0;
        const limiter = keyed({ template: tokenBucket() });
        const limit = { name: 'a', limiter, ...own };
        const url = await start({ limits: [limit] }, async () => String(++handled));
        const { status } = await fetch(url);
        expect(status).toBe(500);
        expect(handled).toBe(0);
      }
    },
  );

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

  it('gives the permit back when the client closes the connection', async () => {
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

  it('announces several limits side by side, of one middleware or of two', async () => {
    const burst = tokenBucket({ clock: still, limit: 50, windowMs: 1000, burst: 5 });
    const daily = keyed({
      template: tokenBucket({ clock: still, limit: 1000, windowMs: 86_400_000, burst: 1000 }),
    });
    const url = await start(
      {
        limits: [
          { name: 'burst', limiter: burst },
          { name: 'daily', limiter: daily, key: 'address' },
        ],
      },
      hello,
      { limits: [{ name: 'other', limiter: tokenBucket({ clock: still, burst: 3 }) }] },
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

  it('uses key, cost and partitionKey, and skips the requests that skip selects', async () => {
    const perUser = keyed({ template: tokenBucket({ clock: still, burst: 10 }) });
    const url = await start(
      {
        limits: [
          {
            name: 'per-user',
            limiter: perUser,
            key: async (request) => request.header('x-user'),
            cost: (request) =>
              Number(new URL(request.url, 'http://x').searchParams.get('cost') ?? 1),
            partitionKey: (user) => user,
          },
        ],
        skip: async (request) => request.header('x-probe') !== undefined,
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

  it('responds with 503 when the store is unavailable, or lets the request pass', async () => {
    const away = {
      take: () => Promise.reject(new StoreUnavailableError('shared', new Error('gone'))),
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

  it.each<[string, Partial<HttpLimit>, string]>([
    ['key throws', { key: fail }, 'a bug'],
    ['key rejects', { key: rejects }, 'a bug'],
    ['key returns no string', { key: () => 5 as never }, 'key must be'],
    ['key returns null', { key: () => null as never }, 'key must be'],
    ['key resolves to null', { key: async () => null as never }, 'key must be'],
    ['key resolves to an object', { key: async () => ({ key: 'ann' }) as never }, 'key must be'],
    [
      'key returns a list, for a limiter of the user',
      { key: () => ['ann'] as never, limiter: { take: fail } },
      'key must be',
    ],
    ['cost throws', { cost: fail }, 'a bug'],
    ['cost rejects', { cost: rejects }, 'a bug'],
    ['cost is NaN', { cost: () => Number.NaN }, 'cost must be'],
    ['cost resolves to text', { cost: async () => '5' as never }, 'cost must be'],
  ])('passes the error on and gives permits back when %s', async (_, broken, message) => {
    const limiter = concurrency({ limit: 1 });
    const perClient = keyed({ template: tokenBucket() });
    const url = await start(
      {
        limits: [
          { name: 'at-a-time', limiter },
          { name: 'broken', limiter: perClient, key: 'address', ...broken },
        ],
      },
      hello,
    );
    const response = await fetch(url);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain(message);
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('awaits a cost and a key that are promises', async () => {
    const limiter = keyed({ template: tokenBucket({ clock: still, burst: 5 }) });
    const url = await start(
      { limits: [{ name: 'a', limiter, key: async () => 'ann', cost: async () => 2 }] },
      hello,
    );
    expect((await fetch(url)).headers.get('ratelimit')).toContain('r=3');
    expect(limiter.peek({ key: 'ann' })).toMatchObject({ remaining: 3 });
  });

  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', rejects],
  ])('does not skip the request and logs it when skip %s', async (_, skip) => {
    const messages = recordErrors();
    const limits = [{ name: 'a', limiter: tokenBucket({ clock: still, burst: 1 }) }];
    const url = await start({ limits, skip: skip as () => boolean }, hello);
    const response = await fetch(url);
    expect(response.headers.get('ratelimit')).toContain('r=0');
    expect((await fetch(url)).status).toBe(503);
    expect(messages.join()).toContain('skip');
  });

  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', rejects],
    ['returns a promise', async () => 'x'],
    ['returns a number', () => 5],
  ])('announces no partition and logs it when partitionKey %s', async (_, partitionKey) => {
    const messages = recordErrors();
    const limiter = concurrency({ limit: 1 });
    const perClient = keyed({ limiter: () => limiter });
    const limit = { name: 'a', limiter: perClient, key: 'address' as const };
    const url = await start({ limits: [{ ...limit, partitionKey: partitionKey as never }] }, hello);
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get('ratelimit')).toBe('"a";r=0');
    await response.text();
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
    expect(messages.join()).toContain('partitionKey');
  });

  it('limits requests with an empty key together', async () => {
    const limiter = keyed({ template: tokenBucket({ clock: still, burst: 1 }) });
    const key = (request: HttpRequest) => request.header('x-user');
    const url = await start({ limits: [{ name: 'a', limiter, key }] }, hello);
    const ask = (user: string) =>
      fetch(url, { headers: { 'x-user': user } }).then(({ status }) => status);
    expect([await ask(''), await ask(''), await ask('ann')]).toEqual([200, 429, 200]);
  });

  it('keeps the other limits when the store of one is unavailable and may be', async () => {
    const away = {
      take: () => Promise.reject(new StoreUnavailableError('shared', new Error('gone'))),
    };
    const limits = [
      { name: 'shared', limiter: away },
      { name: 'local', limiter: tokenBucket({ clock: still, burst: 1 }) },
    ];
    const url = await start({ limits, onStoreUnavailable: 'allow' }, hello);
    expect((await fetch(url)).headers.get('ratelimit')).toMatch(/^"local";r=0/);
    expect((await fetch(url)).status).toBe(503);
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
          {
            name: 'per-client',
            limiter: keyed({ template: tokenBucket({ clock: still, burst: 1 }) }),
            key: 'address',
          },
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

describe('remoteAddress of Hono', () => {
  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', rejects],
    ['returns a promise', async () => '203.0.113.7'],
  ])('counts as unknown when it %s', async (_, remoteAddress) => {
    const messages = recordErrors();
    const limiter = keyed({ template: tokenBucket({ clock: still, burst: 1 }) });
    const app = new Hono();
    app.use(
      honoRateLimit({
        limits: [{ name: 'a', limiter, key: 'address' }],
        remoteAddress: remoteAddress as () => string,
      }),
    );
    app.get('/', (context) => context.text('hello'));
    expect((await app.request('/')).status).toBe(200);
    expect((await app.request('/')).status).toBe(429);
    expect(limiter.peek({ key: 'unknown' })).toMatchObject({ remaining: 0 });
    expect(messages.length > 0 || remoteAddress !== fail).toBe(true);
  });
});

describe('a cost that can never pass', () => {
  it('is refused without Retry-After', async () => {
    const url = await frameworks[0]![1](
      {
        limits: [
          {
            name: 'size',
            limiter: tokenBucket({ clock: still, burst: 2 }),
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

describe('the problem detail', () => {
  it('bounds and scrubs the names of policies', () => {
    const names = Array.from(
      { length: 50 },
      (_, i) => `${i} ${String.fromCharCode(27)}[31m${'x'.repeat(500)}`,
    );
    const { 'violated-policies': policies } = problemOf('quota-exceeded', names, 1);
    expect(policies).toHaveLength(20);
    for (const policy of policies) {
      expect(policy.length).toBeLessThanOrEqual(128);
      expect(policy).not.toContain(String.fromCharCode(27));
    }
  });
});

describe('options', () => {
  const limiter = tokenBucket();
  const perClient = keyed({ template: tokenBucket() });
  const shared = sharedRateLimit({ name: 'shared', store: new MemoryRateLimitStore() });
  const good = { name: 'a', limiter };
  it.each([
    [{ limits: [] }, /limits must be a list of at least one limit, got an array of 0/],
    [{}, /limits must be a list of at least one limit, got undefined/],
    [{ limits: [good, good] }, /different names, got 'a' twice/],
    [{ limits: [{ name: 'größe', limiter }] }, /printable ASCII/],
    [{ limits: [{ name: 'a' }] }, /limit 'a': limiter must be an object, got undefined/],
    [{ limits: [{ name: 'a', limiter: {} }] }, /limiter.take must be a function/],
    [{ limits: [{ name: 'a', limiter: perClient }] }, /a keyed limiter needs key: 'address'/],
    [
      { limits: [{ ...good, key: () => 'x' }] },
      /limit 'a': the limiter has one limit for all keys/,
    ],
    [
      { limits: [{ ...good, key: 'address' }] },
      /limit 'a': the limiter has one limit for all keys/,
    ],
    [{ limits: [{ name: 'a', limiter: shared, key: 'ip' }] }, /key must be a function, got 'ip'/],
    [{ limits: [{ ...good, partitionKey: () => 'x' }] }, /partitionKey has no meaning without key/],
    [{ limits: [{ ...good, problem: 'teapot' }] }, /problem must be one of/],
    [{ limits: [{ ...good, costs: 1 }] }, /unknown option 'costs'/],
    [{ limits: [{ ...good, keyed: perClient }] }, /unknown option 'keyed'/],
    [{ limits: [good], onStoreUnavailable: 'shrug' }, /onStoreUnavailable must be one of/],
    [{ limits: [good], trustProxy: true }, /unknown option 'trustProxy'/],
    [{ limits: [good], ipv6Prefix: 0 }, /ipv6Prefix must be an integer from 1 to 128, got 0/],
    [{ limits: [good], skip: true }, /skip must be a function, got true/],
    [null, /options must be an object, got null/],
  ])('%o are refused', (options, message) => {
    expect(() => rateLimitMiddleware(options as never)).toThrow(message);
    expect(() => honoRateLimit(options as never)).toThrow(/^honoRateLimit: /);
    expect(() => fastifyRateLimit({ addHook: fail }, options as never, fail)).toThrow(
      /^fastifyRateLimit: /,
    );
  });

  it('accepts a shared limiter with and without a key, and a limiter of its own kind', () => {
    const own = { take: () => tokenBucket().take() };
    for (const limit of [
      { name: 'a', limiter: shared },
      { name: 'a', limiter: shared, key: 'address' as const },
      { name: 'a', limiter: own, key: 'address' as const },
    ]) {
      expect(() => new HttpGuard('test', { limits: [limit] })).not.toThrow();
    }
  });
});
