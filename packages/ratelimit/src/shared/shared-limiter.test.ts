import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import type { SharedLimiter } from './contract.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';
import type { RateLimitStore } from './store.ts';

let clock: ManualClock;
let memory: MemoryRateLimitStore;
let store: FaultyStore;
beforeEach(() => {
  clock = new ManualClock();
  memory = new MemoryRateLimitStore(clock);
  store = new FaultyStore(memory);
});

interface Options {
  readonly store?: RateLimitStore;
  readonly onStoreFailure?: 'local' | 'open' | 'closed';
  readonly maxLocalKeys?: number;
  readonly maxQueue?: number;
}

/** Each kind with room for two units. */
const kinds: [string, (options?: Options) => SharedLimiter][] = [
  [
    'a token bucket',
    (more = {}) =>
      sharedRateLimit({
        name: 'token-bucket',
        store,
        clock,
        nodes: 1,
        limit: 2,
        windowMs: 60_000,
        burst: 2,
        ...more,
      }),
  ],
  [
    'a fixed window',
    (more = {}) =>
      sharedRateLimit({
        name: 'fixed-window',
        store,
        clock,
        nodes: 1,
        algorithm: 'fixed-window',
        limit: 2,
        windowMs: 60_000,
        ...more,
      }),
  ],
  [
    'a concurrency limit',
    (more = {}) =>
      sharedConcurrency({ name: 'concurrency', store, clock, nodes: 1, limit: 2, ...more }),
  ],
];

/** Every way to ask a limiter for units. */
const entries: [string, (limiter: SharedLimiter, options: object) => Promise<unknown>][] = [
  ['tryAcquire', (limiter, options) => limiter.tryAcquire(options)],
  ['take', (limiter, options) => limiter.take(options)],
  ['acquire', (limiter, options) => limiter.acquire(options)],
  ['execute', (limiter, options) => limiter.execute(() => 1, options)],
  [
    'wrap',
    (limiter, options) =>
      limiter.wrap(
        async () => 1,
        () => options,
      )(),
  ],
];

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('It was expected to reject.'),
    (error: unknown) => error,
  );

describe.each(kinds)('%s', (_, make) => {
  it.each(entries)('takes cost and key by name in %s', async (entry, ask) => {
    const limiter = make();
    await ask(limiter, { key: 'ann', cost: 2 });
    const spent = entry === 'tryAcquire' || entry === 'take' || entry === 'acquire';
    const left = spent || !('inFlight' in limiter.stats()) ? 0 : 2;
    await settle();
    expect(await limiter.peek({ key: 'ann' })).toMatchObject({ remaining: left });
    expect(await limiter.peek({ key: 'bob' })).toMatchObject({ remaining: 2 });
    expect(await limiter.peek()).toMatchObject({ remaining: 2 });
  });

  it.each(entries)('refuses a key that is not a string in %s', async (_name, ask) => {
    const limiter = make();
    for (const key of [2, null, {}, '', Symbol.iterator]) {
      const error = await errorOf(Promise.resolve().then(() => ask(limiter, { key })));
      expect(error).toBeInstanceOf(TypeError);
    }
    expect(store.calls).toEqual([]);
  });

  it('refuses positional arguments, unknown options and null', async () => {
    const limiter = make();
    for (const options of ['ann', 2, null, { keys: 'ann' }, { timeoutMs: 5 }]) {
      expect(await errorOf(limiter.take(options as never))).toBeInstanceOf(TypeError);
      expect(await errorOf(limiter.acquire(options as never))).toBeInstanceOf(TypeError);
    }
    expect(await errorOf(limiter.peek({ cost: 1 } as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(limiter.peek({ key: 5 } as never))).toBeInstanceOf(TypeError);
  });

  it.each(entries)('rejects %s at once when its signal has aborted before', async (_name, ask) => {
    const reason = { reason: 'gone' };
    expect(await errorOf(ask(make(), { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(store.calls).toEqual([]);
  });

  it.each(entries.filter(([name]) => name !== 'acquire'))(
    'gives units back when the caller aborts %s during the request to the store',
    async (_name, ask) => {
      const limiter = make();
      const controller = new AbortController();
      store.hold();
      const aborted = errorOf(ask(limiter, { cost: 2, signal: controller.signal }));
      await settle();
      controller.abort('gone');
      store.resume();
      expect(await aborted).toBe('gone');
      await settle();
      const { remaining, windowMs } = await limiter.peek();
      // The units of a window cannot be given back.
      if (limiter.name !== 'fixed-window') expect(remaining).toBe(2);
      else expect(windowMs).toBe(60_000);
      expect(limiter.stats()).toMatchObject({ aborted: 1, allowed: 0, queued: 0 });
    },
  );

  it('does not decide by itself for a caller that aborted while the store failed', async () => {
    const limiter = make({ onStoreFailure: 'open' });
    const controller = new AbortController();
    store.hold();
    let called = 0;
    const calls = [
      errorOf(limiter.execute(() => called++, { signal: controller.signal })),
      errorOf(limiter.take({ signal: controller.signal })),
    ];
    await settle();
    controller.abort('gone');
    store.fail();
    store.resume();
    expect(await Promise.all(calls)).toEqual(['gone', 'gone']);
    expect(called).toBe(0);
    expect(limiter.stats()).toMatchObject({ fallbacks: { open: 0 }, aborted: 2 });
  });

  it('takes cost and key from a call that it is nested in', async () => {
    const outer = sharedRateLimit({ name: 'outer', store, clock, burst: 10 });
    const limiter = make();
    await outer.execute((parent) => limiter.execute(() => 1, { parent }), { key: 'ann', cost: 2 });
    expect(await outer.peek({ key: 'ann' })).toMatchObject({ remaining: 8 });
    expect(limiter.stats()).toMatchObject({ allowed: 1 });
    await settle();
    const { remaining, windowMs } = await limiter.peek({ key: 'ann' });
    expect(remaining).toBe(windowMs === undefined ? 2 : 0);
  });

  it('peeks without taking, whatever state the store is in', async () => {
    const limiter = make();
    for (let i = 0; i < 5; i++) expect(await limiter.peek()).toMatchObject({ remaining: 2 });
    await limiter.take();
    expect(await limiter.peek()).toMatchObject({ remaining: 1, limit: 2 });
    store.fail();
    await limiter.take();
    expect(await limiter.peek()).toMatchObject({ remaining: 1, limit: 2 });
    expect(await make({ onStoreFailure: 'open' }).peek()).toMatchObject({ remaining: 2 });
    expect(await errorOf(make({ onStoreFailure: 'closed' }).peek())).toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
  });

  it('treats a store that throws or answers nonsense as unavailable', async () => {
    const broken = (take: () => unknown): RateLimitStore =>
      Object.assign(Object.create(memory) as RateLimitStore, {
        take,
        takePermits: take,
        announce: () => Promise.reject(new Error('broken')),
        returnPermits: () => {
          throw new Error('broken');
        },
      });
    const throwing = broken(() => {
      throw new Error('broken');
    });
    const nonsense = broken(async () => ({ answers: [] }));
    const stores = [throwing, ...('inFlight' in make().stats() ? [] : [nonsense])];
    for (const each of stores) {
      const limiter = make({ store: each, onStoreFailure: 'closed' });
      for (const [, ask] of entries) {
        expect(await errorOf(ask(limiter, {}))).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      }
      expect(limiter.stats()).toMatchObject({ unavailable: entries.length, storeAvailable: false });
    }
  });

  it('keeps at most maxLocalKeys local limits, and removes none that is in use', async () => {
    const limiter = make({ maxLocalKeys: 2 });
    store.fail();
    const held = [await limiter.acquire({ key: 'a' }), await limiter.acquire({ key: 'b' })];
    const third = limiter.tryAcquire({ key: 'c' });
    if ('inFlight' in limiter.stats()) {
      expect(await errorOf(third)).toMatchObject({ reason: 'keys' });
      held[0]?.release();
      expect(await limiter.tryAcquire({ key: 'c' })).toBeDefined();
    } else {
      expect(await third).toBeDefined();
    }
    // Key 'a', used longest ago, has made room: its limit starts anew. Permits in use are not removed.
    const again = limiter.take({ key: 'a' });
    if ('inFlight' in limiter.stats())
      expect(await errorOf(again)).toMatchObject({ reason: 'keys' });
    else expect(await again).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('logs what onReject throws, and rejects the call with the refusal', async () => {
    const kind = make();
    await kind.acquire({ cost: 2 });
    const refused = make({
      maxQueue: 0,
      onReject: () => Promise.reject(new Error('a bug in onReject')),
    } as Options);
    expect(await errorOf(refused.acquire())).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    await settle();
  });
});
