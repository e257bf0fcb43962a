import { AsyncLocalStorage } from 'node:async_hooks';
import { circuitBreaker } from '@temper/breaker';
import { type CallContext, isRefusal, isTransient, type Outcome } from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { hedge } from '../hedge/hedge.ts';
import { pipeline } from '../pipeline/pipeline.ts';
import { timeout } from '../timeout/timeout.ts';
import { type CachedPolicy, cached } from './cached.ts';

const REFUSED = { ok: false, error: { code: 'CALLS_ITSELF', name: 'CallsItselfError' } };
const make = (clock = new ManualClock()): CachedPolicy =>
  cached({ name: 'users', clock, singleFlight: true });

/** How an operation calls a cache. */
const WAYS: Readonly<
  Record<string, (cache: CachedPolicy, key: string, call: CallContext) => Promise<unknown>>
> = {
  'with its context as parent': (cache, key, parent) => cache.execute(() => key, { key, parent }),
  'with a deadline': (cache, key, parent) =>
    cache.execute(() => key, { key, parent, timeoutMs: 100 }),
  'without its context': (cache, key) => cache.execute(() => key, { key }),
  'after waiting for something': async (cache, key) => {
    await settle();
    return cache.execute(() => key, { key });
  },
  'by a wrapped function': (cache, key) => cache.wrap(() => key, { key })(),
  'by tryExecute': async (cache, key) => {
    const outcome = await cache.tryExecute(() => key, { key });
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  },
  'by answer': async (cache, key) => (await cache.answer(() => key, { key })).value,
  'through other policies': (cache, key) =>
    pipeline({}, retry(), hedge(), timeout(), cache).execute(() => key, { key }),
  'where nothing is known but its parent': (cache, key, parent) =>
    new AsyncLocalStorage().exit(() =>
      pipeline({}, circuitBreaker({ window: { calls: 5 }, slowCallDurationMs: 9 }), cache).execute(
        () => key,
        {
          key,
          parent,
        },
      ),
    ),
};

describe.each(Object.keys(WAYS))('a call from inside a shared run, %s,', (how) => {
  const call = WAYS[how] as (typeof WAYS)[string];

  it('is refused at once when it has the same key', async () => {
    const cache = make();
    const outcome = await cache.tryExecute((context) => call(cache, 'a', context), { key: 'a' });
    expect(outcome).toMatchObject(REFUSED);
    expect((outcome as { error: Error }).error.message).toMatch(/^Cache 'users' was called from/);
    expect(await cache.execute(() => 'next', { key: 'a' })).toBe('next');
  });

  it('is served when it has another key', async () => {
    const cache = make();
    expect(await cache.execute((context) => call(cache, 'b', context), { key: 'a' })).toBe('b');
  });

  it('is refused when the run that it would share waits for its own', async () => {
    const [one, other] = [make(), make()];
    let entered = 0;
    const both = Promise.withResolvers<void>();
    const cross = (first: CachedPolicy, second: CachedPolicy) =>
      first.tryExecute(
        async (context) => {
          if (++entered === 2) both.resolve();
          await both.promise;
          return call(second, 'a', context);
        },
        { key: 'a' },
      );
    const outcomes = await Promise.all([cross(one, other), cross(other, one)]);
    expect(outcomes.find(({ ok }) => !ok)).toMatchObject(REFUSED);
  });

  it('is refused three runs further in', async () => {
    const cache = make();
    const outcome = await cache.tryExecute(
      () =>
        cache.execute(() => cache.execute((context) => call(cache, 'a', context), { key: 'c' }), {
          key: 'b',
        }),
      { key: 'a' },
    );
    expect(outcome).toMatchObject(REFUSED);
  });
});

describe('a call that would wait for itself', () => {
  it('is a refusal, not transient, and not answered by the cache itself', async () => {
    const cache = make();
    await cache.execute(() => 'old', { key: 'a' });
    let inner: Outcome<unknown> | undefined;
    await cache.execute(
      async () => {
        inner = await cache.tryExecute(() => 'inner', { key: 'a' });
      },
      { key: 'a' },
    );
    const outcome = inner as Outcome<unknown>;
    expect(outcome).toMatchObject(REFUSED);
    expect(isTransient(outcome)).toBe(false);
    expect(!outcome.ok && isRefusal(outcome.error)).toBe(true);
    expect(cache.stats().calls).toMatchObject({ failure: 1, success: 2 });
  });

  it('is served when the answer is fresh', async () => {
    const cache = cached({ singleFlight: true, freshMs: 1000, clock: new ManualClock() });
    const first = cache.execute(
      async () => {
        await settle();
        return cache.tryExecute(() => 'inner', { key: 'b' });
      },
      { key: 'a' },
    );
    await cache.execute(() => 'fresh', { key: 'b' });
    expect(await first).toEqual({ ok: true, value: 'fresh' });
  });

  it('is none when the run around it is over', async () => {
    const cache = make();
    const begun: Promise<unknown>[] = [];
    await cache.execute(
      () => {
        begun.push(settle().then(() => cache.execute(() => 'later', { key: 'a' })));
      },
      { key: 'a' },
    );
    expect(await Promise.all(begun)).toEqual(['later']);
  });

  it('is none when nobody waits for the run around it any more', async () => {
    const clock = new ManualClock();
    const cache = make(clock);
    const controller = new AbortController();
    const inner = vi.fn(() => 'inner');
    const first = cache.tryExecute(
      async () => {
        await clock.sleep(100);
        return cache.execute(inner, { key: 'a' });
      },
      { key: 'a', signal: controller.signal },
    );
    await settle();
    controller.abort('left');
    expect(await first).toEqual({ ok: false, error: 'left' });
    await clock.advance(200);
    expect(inner).toHaveBeenCalledTimes(1);
  });

  it("is none of two callers that share a run and then call each other's key", async () => {
    const cache = make();
    const load = (key: string, next?: string): Promise<unknown> =>
      cache.execute(
        async () => {
          await settle();
          return next === undefined ? key : [key, await load(next)];
        },
        { key },
      );
    expect(await Promise.all([load('a', 'b'), load('b'), load('a', 'c')])).toEqual([
      ['a', 'b'],
      'b',
      ['a', 'b'],
    ]);
  });
});
