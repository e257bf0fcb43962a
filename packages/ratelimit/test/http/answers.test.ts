import { diag } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpRateLimitOptions, HttpRequest, RequestLimit } from '../../src/http/index.ts';
import { concurrency, fixedWindow, keyed, slidingWindow, tokenBucket } from '../../src/index.ts';
import { MemoryRateLimitStore, sharedRateLimit } from '../../src/shared/index.ts';
import { closeServers, frameworks, type Handle } from './frameworks.ts';

afterEach(closeServers);
afterEach(() => diag.disable());

/** What is logged on `diag`, until the end of the test. */
function recordErrors(): string[] {
  const messages: string[] = [];
  const ignore = (): void => undefined;
  const error = (...parts: unknown[]): void => void messages.push(parts.join(' '));
  diag.setLogger({ error, warn: ignore, info: ignore, debug: ignore, verbose: ignore });
  return messages;
}

const still = new ManualClock();
const hello: Handle = async () => 'hello';

/** Answers with the status that the path says. */
const byPath: Handle = async (path) => [Number(path.slice(1)), 'done'];

const perClient = (limit: number) =>
  keyed({ template: fixedWindow({ clock: still, limit, windowMs: 60_000 }) });

/** A limiter of each kind that can give units back, with room for two. */
const refundable: [string, () => HttpRateLimitOptions['limits'][number]['limiter']][] = [
  ['fixed window', () => perClient(2)],
  ['token bucket', () => keyed({ template: tokenBucket({ clock: still, burst: 2 }) })],
  ['sliding window', () => keyed({ template: slidingWindow({ clock: still, limit: 2 }) })],
  ['limiter per key', () => keyed({ limiter: () => tokenBucket({ clock: still, burst: 2 }) })],
  [
    'shared limit',
    () => {
      const store = new MemoryRateLimitStore(still);
      return sharedRateLimit({ name: 'a', clock: still, store, limit: 60, burst: 2 });
    },
  ],
];

const statusOf = async (url: string): Promise<number> => {
  const response = await fetch(url);
  await response.text();
  return response.status;
};

describe.each(frameworks)('%s', (_, start) => {
  const key = 'address' as const;

  describe.each(refundable)('with a %s', (_, make) => {
    it('counts only the requests that countOnly selects by their answer', async () => {
      const limit = { name: 'a', limiter: make(), key };
      const countOnly = ({ status }: { status: number | undefined }) => status === 401;
      const url = await start({ limits: [{ ...limit, countOnly }] }, byPath);
      for (let i = 0; i < 5; i++) await expect.poll(() => statusOf(`${url}/200`)).toBe(200);
      await expect.poll(() => statusOf(`${url}/401`)).toBe(401);
      for (let i = 0; i < 5; i++) await expect.poll(() => statusOf(`${url}/200`)).toBe(200);
      await expect.poll(() => statusOf(`${url}/401`)).toBe(401);
      // Both failures count, and a request that might fail as well is not let in.
      expect(await statusOf(`${url}/200`)).toBe(429);
    });
  });

  it('charges what settle says that a request has cost', async () => {
    const limiter = perClient(100);
    const costs = new Map([
      ['/200', 30],
      ['/201', 0],
    ]);
    const settle = (_: unknown, { url }: HttpRequest) => costs.get(url)!;
    const url = await start(
      { limits: [{ name: 'a', limiter, key: () => 'ann', cost: () => 10, settle }] },
      byPath,
    );
    const left = () => limiter.peek({ key: 'ann' }).remaining;
    await statusOf(`${url}/201`);
    await expect.poll(left).toBe(100);
    await statusOf(`${url}/200`);
    await expect.poll(left).toBe(70);
  });

  it.each<[string, object]>([
    ['throws', { countOnly: () => JSON.parse('{') }],
    ['returns a promise', { countOnly: async () => false }],
    ['returns nothing', { countOnly: () => undefined }],
    ['settles by nonsense', { settle: () => Number.NaN }],
    ['settles by infinity', { settle: () => Number.POSITIVE_INFINITY }],
  ])('counts the request when its function %s', async (_, own) => {
    const messages = recordErrors();
    const limiter = perClient(5);
    const url = await start({ limits: [{ name: 'a', limiter, key: () => 'ann', ...own }] }, hello);
    expect(await statusOf(url)).toBe(200);
    if (!('countOnly' in own) || String(own.countOnly) !== '() => undefined') {
      await expect.poll(() => messages.join()).toMatch(/countOnly|settl/);
    }
    expect(limiter.peek({ key: 'ann' }).remaining).toBe(4);
  });

  it('gives back to the first limits what a later one refuses', async () => {
    const first = perClient(5);
    const store = new MemoryRateLimitStore(still);
    const second = sharedRateLimit({ name: 's', clock: still, store, limit: 60, burst: 5 });
    const last = perClient(1);
    const limits = [first, second, last].map((limiter, i) => ({
      name: `limit-${i}`,
      limiter,
      key: () => 'ann',
    }));
    const url = await start({ limits }, hello);
    expect(await statusOf(url)).toBe(200);
    for (let i = 0; i < 3; i++) expect(await statusOf(url)).toBe(429);
    expect(first.peek({ key: 'ann' }).remaining).toBe(4);
    await expect.poll(async () => (await second.peek({ key: 'ann' })).remaining).toBe(4);
  });

  it('blocks a key for a refusal, once', async () => {
    const clock = new ManualClock();
    const limiter = keyed({ template: tokenBucket({ clock, limit: 60, burst: 1 }) });
    const limit = { name: 'a', limiter, key, blockDurationMs: 300_000 };
    const url = await start({ limits: [limit] }, hello);
    expect(await statusOf(url)).toBe(200);
    const refused = await fetch(url);
    expect(refused.headers.get('retry-after')).toBe('300');
    clock.jump(200_000);
    // What comes while it is blocked does not prolong that.
    expect((await fetch(url)).headers.get('retry-after')).toBe('100');
    clock.jump(100_001);
    expect(await statusOf(url)).toBe(200);
    expect((await fetch(url)).headers.get('retry-after')).toBe('300');
  });

  it('asks the limiter that is chosen for the request', async () => {
    const gold = perClient(3);
    const free = perClient(1);
    const limiter = async ({ url }: HttpRequest) => (url === '/200' ? gold : free);
    const url = await start({ limits: [{ name: 'plan', limiter, key }] }, byPath);
    const answers = async (path: string) => [
      await statusOf(url + path),
      await statusOf(url + path),
      await statusOf(url + path),
      await statusOf(url + path),
    ];
    expect(await answers('/200')).toEqual([200, 200, 200, 429]);
    expect(await answers('/201')).toEqual([201, 429, 429, 429]);
  });

  it.each<[string, unknown]>([
    ['has no take', {}],
    ['has no keys', fixedWindow()],
    ['is none', undefined],
  ])('lets nothing pass when a chosen limiter %s', async (_, chosen) => {
    const limit = { name: 'a', limiter: () => chosen as never, key };
    const url = await start({ limits: [limit] }, hello);
    expect(await statusOf(url)).toBe(500);
  });

  it('answers a refused request as respond says', async () => {
    const limiter = perClient(1);
    const url = await start(
      {
        limits: [{ name: 'a', limiter, key }],
        respond: async ({ limit, retryAfterSeconds, problem }, { url: path }) => {
          if (path === '/json') return { status: 420, body: { limit, path, retryAfterSeconds } };
          if (path === '/text') return { body: 'Slow down.' };
          if (path === '/elsewhere')
            return { status: 303, headers: { Location: '/wait' }, body: '' };
          return path === '/html'
            ? { headers: { 'Content-Type': 'text/html' }, body: `<p>${problem.title}</p>` }
            : undefined;
        },
      },
      hello,
    );
    expect(await statusOf(url)).toBe(200);
    const json = await fetch(`${url}/json`);
    expect(json.status).toBe(420);
    expect(json.headers.get('content-type')).toMatch(/^application\/json/);
    expect(json.headers.get('retry-after')).toBe('60');
    expect(await json.json()).toEqual({ limit: 'a', path: '/json', retryAfterSeconds: 60 });
    const text = await fetch(`${url}/text`);
    expect(text.status).toBe(429);
    expect(text.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await text.text()).toBe('Slow down.');
    const html = await fetch(`${url}/html`);
    expect(html.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await html.text()).toContain('<p>Request cannot be satisfied');
    const elsewhere = await fetch(`${url}/elsewhere`, { redirect: 'manual' });
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([303, '/wait']);
    const usual = await fetch(url);
    expect(usual.headers.get('content-type')).toBe('application/problem+json');
  });

  it.each<[string, () => unknown]>([
    ['throws', () => JSON.parse('{')],
    ['rejects', () => Promise.reject(new Error('a bug'))],
    ['returns null', () => null],
    ['returns text', () => 'no'],
    ['has a status that is none', () => ({ status: 99 })],
    ['has a header that is none', () => ({ headers: { 'a b': 'c' } })],
    ['splits the response', () => ({ headers: { a: 'b\r\nSet-Cookie: c=d' } })],
    ['has a body that is no JSON', () => ({ body: () => 1 })],
  ])('sends the problem detail, and logs it, when respond %s', async (_, respond) => {
    const messages = recordErrors();
    const limits = [{ name: 'a', limiter: perClient(1), key }];
    const url = await start({ limits, respond: respond as () => undefined }, hello);
    await statusOf(url);
    const refused = await fetch(url);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ status: 429 });
    expect(messages.join()).toContain('respond');
  });

  const window = (more: Partial<HttpRateLimitOptions>) =>
    start(
      {
        limits: [
          { name: 'wide', limiter: perClient(1000), key },
          { name: 'narrow', limiter: perClient(2), key },
        ],
        ...more,
      },
      hello,
    );
  const fieldsOf = ({ headers }: Response) =>
    Object.fromEntries([...headers].filter(([name]) => /ratelimit/.test(name)));

  it('announces the limit that is nearest to its end in the fields of draft 6', async () => {
    const response = await fetch(await window({ fields: 'draft-6' }));
    expect(fieldsOf(response)).toEqual({
      'ratelimit-policy': '2;w=60',
      'ratelimit-limit': '2',
      'ratelimit-remaining': '1',
      'ratelimit-reset': '60',
    });
  });

  it('announces it in the fields of draft 7', async () => {
    const response = await fetch(await window({ fields: 'draft-7' }));
    expect(fieldsOf(response)).toEqual({
      'ratelimit-policy': '2;w=60',
      ratelimit: 'limit=2, remaining=1, reset=60',
    });
  });

  it('announces it in the fields that were there before any draft', async () => {
    const response = await fetch(await window({ fields: 'none', legacyFields: true }));
    const { 'x-ratelimit-reset': reset, ...rest } = fieldsOf(response);
    expect(rest).toEqual({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1' });
    // Of the same moment as the response's own date, which has whole seconds.
    const sent = Date.parse(response.headers.get('date')!) / 1000;
    expect(Number(reset) - sent).toBeGreaterThanOrEqual(59);
    expect(Number(reset) - sent).toBeLessThanOrEqual(63);
  });

  it('announces nothing when asked to', async () => {
    const url = await window({ fields: 'none' });
    expect(fieldsOf(await fetch(url))).toEqual({});
    await statusOf(url);
    const refused = await fetch(url);
    expect(fieldsOf(refused)).toEqual({});
    expect(refused.headers.get('retry-after')).toBe('60');
  });

  it('leaves the state where handlers find it', async () => {
    const seen: HttpRequest[] = [];
    const url = await window({
      requestProperty: 'rateLimit',
      skip: (request) => void seen.push(request) as never,
    });
    const { headers } = await fetch(url);
    const { rateLimit } = seen[0]!.raw as { rateLimit: RequestLimit };
    expect(rateLimit).toMatchObject({ name: 'narrow', limit: 2, used: 1, remaining: 1 });
    const sent = Date.parse(headers.get('date')!);
    expect(rateLimit.resetTime!.getTime() - sent).toBeGreaterThan(55_000);
    expect(rateLimit.key).toMatch(/^127\.0\.0\.1$/);
  });

  it('does not give back what a client did not wait for', async () => {
    const limiter = perClient(5);
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const limit = { name: 'a', limiter, key: () => 'ann', countOnly: () => false };
    const held = concurrency({ limit: 1 });
    const url = await start({ limits: [limit, { name: 'held', limiter: held }] }, async () => {
      begun.resolve();
      await ended.promise;
      return 'late';
    });
    const controller = new AbortController();
    const request = fetch(url, { signal: controller.signal }).catch(() => undefined);
    await begun.promise;
    controller.abort();
    await request;
    await expect.poll(() => held.stats().inFlight).toBe(0);
    ended.resolve();
    expect(limiter.peek({ key: 'ann' }).remaining).toBe(4);
  });

  it('logs that permits cannot be settled', async () => {
    const messages = recordErrors();
    const limit = { name: 'a', limiter: concurrency({ limit: 5 }), countOnly: () => false };
    const url = await start({ limits: [limit] }, hello);
    expect(await statusOf(url)).toBe(200);
    await expect.poll(() => messages.join()).toContain("settling 'a'");
  });
});
