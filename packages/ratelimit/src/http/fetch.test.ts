import { ManualClock } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/index.ts';
import { concurrency, keyed, tokenBucket } from '../index.ts';
import { type FetchNext, type FetchRateLimitOptions, fetchRateLimit } from './index.ts';

const clock = new ManualClock();
const perClient = (extra: Partial<FetchRateLimitOptions> = {}) =>
  fetchRateLimit({
    limits: [
      {
        name: 'per-client',
        limiter: keyed({ clock, template: tokenBucket({ clock, limit: 1, windowMs: 10_000 }) }),
        key: 'address',
      },
    ],
    ...extra,
  });
const hello: FetchNext = () => new Response('hello', { headers: { RateLimit: '"inner";r=5' } });
const request = (headers: Record<string, string> = {}): Request =>
  new Request('https://example.com/orders?page=2', { headers });

describe('fetchRateLimit', () => {
  it('announces the limits beside those of the handler, and refuses with a problem', async () => {
    const limit = perClient();
    const first = await limit(request(), hello);
    expect(await first.text()).toBe('hello');
    expect(first.headers.get('ratelimit')).toBe('"inner";r=5, "per-client";r=0;t=10');
    const next = vi.fn(hello);
    const second = await limit(request(), next);
    expect(next).not.toHaveBeenCalled();
    expect(second.status).toBe(429);
    expect(second.headers.get('retry-after')).toBe('10');
    expect(second.headers.get('content-type')).toBe('application/problem+json');
    expect(await second.json()).toMatchObject({ 'violated-policies': ['per-client'] });
  });

  it('counts by the answer, once its body has been read', async () => {
    const limiter = tokenBucket({ clock, limit: 1, windowMs: 10_000, burst: 2 });
    const limits = [
      {
        name: 'a',
        limiter,
        countOnly: ({ status }: { status: number | undefined }) => status === 401,
      },
    ];
    const limit = fetchRateLimit({ limits });
    const answer = (status: number) => () => new Response('text', { status });
    const ok = await limit(request(), answer(200));
    expect(limiter.peek().remaining).toBe(1);
    await ok.text();
    expect(limiter.peek().remaining).toBe(2);
    await (await limit(request(), answer(401))).text();
    expect(limiter.peek().remaining).toBe(1);
    await (await limit(request(), () => new Response(null, { status: 204 }))).text();
    expect(limiter.peek().remaining).toBe(1);
    await expect(limit(request(), () => Promise.reject(new Error('a bug')))).rejects.toThrow();
    expect(limiter.peek().remaining).toBe(0);
  });

  it('limits by the address that it is told', async () => {
    const limit = perClient({ remoteAddress: ({ headers }) => headers.get('x-real') ?? undefined });
    for (const address of ['192.0.2.1', '192.0.2.2']) {
      expect((await limit(request({ 'x-real': address }), hello)).status).toBe(200);
      expect((await limit(request({ 'x-real': address }), hello)).status).toBe(429);
    }
  });

  it('passes method, path and query to the functions of a limit', async () => {
    const seen: string[] = [];
    const limit = perClient({
      skip: ({ method, url }) => {
        seen.push(`${method} ${url}`);
        return true;
      },
    });
    await limit(request(), hello);
    expect(seen).toEqual(['GET /orders?page=2']);
  });

  const held = () => {
    const limiter = concurrency({ clock, limit: 1 });
    const limit = fetchRateLimit({ limits: [{ name: 'at-once', limiter }] });
    return { limit, inUse: () => limiter.stats().inFlight };
  };

  it.each<[string, (response: Response) => unknown]>([
    ['read', (response) => response.text()],
    ['cancelled', (response) => response.body?.cancel()],
  ])('holds permits until the body is %s', async (_how, finish) => {
    const { limit, inUse } = held();
    const response = await limit(request(), hello);
    expect(inUse()).toBe(1);
    await finish(response);
    expect(inUse()).toBe(0);
  });

  it('gives permits back when the request is aborted', async () => {
    const { limit, inUse } = held();
    const controller = new AbortController();
    const { signal } = controller;
    await limit(new Request('https://example.com', { signal }), hello);
    expect(inUse()).toBe(1);
    controller.abort();
    expect(inUse()).toBe(0);
  });

  it('gives permits back when the handler fails, and when the response has no body', async () => {
    const { limit, inUse } = held();
    const broken = new Error('broken');
    await expect(limit(request(), () => Promise.reject(broken))).rejects.toBe(broken);
    expect(inUse()).toBe(0);
    const empty = await limit(request(), () => new Response(null, { status: 204 }));
    expect([empty.status, inUse()]).toEqual([204, 0]);
  });

  it.each([
    [200, 'body', 'release'],
    [503, 'body', 'overloaded'],
    [504, null, 'overloaded'],
    [500, 'body', 'ignore'],
    [429, null, 'ignore'],
  ])('tells a limit that learns how a response with %d and %j has ended', async (...given) => {
    const [status, body, end] = given;
    const ends: string[] = [];
    const learning = adaptiveConcurrency();
    const note = (how: string) => (): number => ends.push(how);
    const lease = {
      release: note('release'),
      overloaded: note('overloaded'),
      ignore: note('ignore'),
    };
    const limiter = { take: () => ({ ...learning.take(), lease }) as never };
    const limit = fetchRateLimit({ limits: [{ name: 'learning', limiter }] });
    await (await limit(request(), () => new Response(body, { status }))).text();
    expect(ends).toEqual([end]);
    const full = concurrency({ clock, limit: 1 });
    full.tryAcquire();
    const inner = fetchRateLimit({ limits: [{ name: 'full', limiter: full }] });
    const outer = fetchRateLimit({ limits: [{ name: 'free', limiter: concurrency() }] });
    const refused = await limit(request(), (each) => outer(each, (own) => inner(own, hello)));
    expect(refused.status).toBe(503);
    await refused.text();
    expect(ends).toEqual([end, 'ignore']);
  });

  it('passes an error of the body on', async () => {
    const { limit, inUse } = held();
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error('cut'));
      },
    });
    const response = await limit(request(), () => new Response(body));
    await expect(response.text()).rejects.toThrow('cut');
    expect(inUse()).toBe(0);
  });

  it('refuses options that it does not know', () => {
    expect(() => perClient({ remoteAddress: 'x' as never })).toThrow(TypeError);
    expect(() => perClient({ nonsense: 1 } as never)).toThrow(TypeError);
  });
});
