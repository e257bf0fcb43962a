import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { RateLimitExceededError } from '../errors.ts';
import { StoreUnavailableError } from './errors.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import type { SharedRateLimitOptions } from './options.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';

let clock: ManualClock;
let store: FaultyStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new FaultyStore(new MemoryRateLimitStore(clock));
});

/** One process: a limiter of its own on the store of all. */
const make = (more: Partial<SharedRateLimitOptions> = {}) =>
  sharedRateLimit({ name: 'api', store, clock, limit: 10, windowMs: 1000, burst: 2, ...more });

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('It was expected to reject.'),
    (error: unknown) => error,
  );

describe('sharedRateLimit', () => {
  it('is one limit for all processes', async () => {
    const [a, b] = [make(), make()];
    expect(await a.tryAcquire()).toBeDefined();
    expect(await b.tryAcquire()).toBeDefined();
    expect(await a.tryAcquire()).toBeUndefined();
    expect(await b.take()).toMatchObject({
      allowed: false,
      limit: 10,
      windowMs: 1000,
      remaining: 0,
      retryAfterMs: 100,
    });
    await clock.advance(100);
    expect(await b.tryAcquire()).toBeDefined();
  });

  it('is one limit per key', async () => {
    const a = make();
    expect(await a.tryAcquire({ key: 'x', cost: 2 })).toBeDefined();
    expect(await a.tryAcquire({ key: 'x' })).toBeUndefined();
    expect(await a.tryAcquire({ key: 'y' })).toBeDefined();
  });

  it('serves the calls of all processes in one order, with one request each', async () => {
    const [a, b] = [make(), make()];
    await a.take({ cost: 2 });
    store.calls.length = 0;
    const order: string[] = [];
    const wait = (who: string, limiter: typeof a) =>
      limiter.acquire().then(() => order.push(`${who} at ${clock.monotonic() - 1000}`));
    const all = [wait('a1', a), wait('b1', b), wait('a2', a), wait('b2', b)];
    await clock.advance(1000);
    await Promise.all(all);
    expect(order).toEqual(['a1 at 100', 'b1 at 200', 'a2 at 300', 'b2 at 400']);
    // The second call of each process came while the first was being asked for.
    expect(store.calls.filter((call) => call === 'take')).toHaveLength(4);
    expect(a.stats()).toMatchObject({ allowed: 1, delayed: 2, queued: 0 });
    expect(clock.pending).toBe(0);
  });

  it('sends many calls in one request', async () => {
    const a = make({ limit: 1000, burst: 1000 });
    await Promise.all(Array.from({ length: 100 }, () => a.execute(() => 1)));
    expect(store.calls.filter((call) => call === 'take')).toHaveLength(2);
  });

  it.each(['sliding-window', 'fixed-window'] as const)('can be a %s', async (algorithm) => {
    const options = { algorithm, limit: 2, windowMs: 1000 };
    const shared = { name: algorithm, store, clock, ...options };
    const [a, b] = [sharedRateLimit(shared), sharedRateLimit(shared)];
    await a.acquire();
    await b.acquire();
    expect(await a.tryAcquire()).toBeUndefined();
    const order: string[] = [];
    const all = ['a1', 'a2', 'a3'].map((who) => a.acquire().then(() => order.push(who)));
    await settle();
    expect(a.stats().queued).toBe(3);
    expect(clock.pending).toBe(1);
    await clock.advance(3000);
    await Promise.all(all);
    expect(order).toEqual(['a1', 'a2', 'a3']);
    expect(a.stats()).toMatchObject({ delayed: 3, queued: 0 });
    expect(clock.pending).toBe(0);
  });

  it('refuses a cost that can never pass, and one that is not a number > 0', async () => {
    const a = make();
    expect(await errorOf(a.acquire({ cost: 3 }))).toMatchObject({ reason: 'cost' });
    expect(await errorOf(a.take({ cost: -1 }))).toBeInstanceOf(RangeError);
    expect(await errorOf(a.execute(() => 1, { cost: Number.NaN }))).toBeInstanceOf(RangeError);
    expect(store.calls).not.toContain('take');
  });

  it('takes key and cost from the options of execute', async () => {
    const a = make();
    await a.execute(() => 1, { key: 'x', cost: 2 });
    expect(await a.tryAcquire({ key: 'x' })).toBeUndefined();
    expect(await a.tryAcquire()).toBeDefined();
  });
});

describe('a wait across processes', () => {
  it('is refused at once when the turn would come after maxWaitMs', async () => {
    const a = make();
    await a.take({ cost: 2 });
    const waiting = a.acquire();
    const error = await errorOf(a.acquire({ maxWaitMs: 199 }));
    expect(error).toBeInstanceOf(RateLimitExceededError);
    expect(error).toMatchObject({ reason: 'deadline', retryAfterMs: 200 });
    await clock.advance(100);
    await waiting;
    await expect(make({ maxWaitMs: 50 }).acquire()).rejects.toMatchObject({ reason: 'deadline' });
  });

  it('frees the place of an aborted call when no call is behind it', async () => {
    const a = make();
    await a.take({ cost: 2 });
    const controller = new AbortController();
    const gone = errorOf(a.acquire({ signal: controller.signal }));
    await settle();
    controller.abort('gone');
    expect(await gone).toBe('gone');
    await settle();
    const at = a.acquire().then(() => clock.monotonic() - 1000);
    await clock.advance(500);
    expect(await at).toBe(100);
    expect(clock.pending).toBe(0);
  });

  it('keeps the place of an aborted call when a call is behind it, so that the limit holds', async () => {
    const a = make();
    await a.take({ cost: 2 });
    const controller = new AbortController();
    const gone = errorOf(a.acquire({ signal: controller.signal }));
    const second = a.acquire().then(() => clock.monotonic() - 1000);
    await settle();
    controller.abort('gone');
    await gone;
    await clock.advance(500);
    expect(await second).toBe(200);
  });

  it('gives back units that arrive after their caller aborted', async () => {
    const a = make();
    store.hold();
    const controller = new AbortController();
    const gone = errorOf(a.acquire({ signal: controller.signal, cost: 2 }));
    await settle();
    controller.abort('gone');
    expect(await gone).toBe('gone');
    store.resume();
    await settle();
    expect(await a.tryAcquire({ cost: 2 })).toBeDefined();
  });

  it('notices an abort between the answer of the store and the wait', async () => {
    const a = make();
    await a.take({ cost: 2 });
    const controller = new AbortController();
    const { signal } = controller;
    const remove = signal.removeEventListener.bind(signal);
    signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
      remove(...args);
      controller.abort('now');
    };
    const gone = errorOf(a.acquire({ signal }));
    await settle();
    expect(await gone).toBe('now');
    expect(a.stats()).toMatchObject({ queued: 0, aborted: 1 });
    expect(clock.pending).toBe(0);
  });

  it('refuses a call when maxQueue calls wait', async () => {
    const a = make({ maxQueue: 1 });
    await a.take({ cost: 2 });
    const first = a.acquire();
    await settle();
    await expect(a.acquire()).rejects.toMatchObject({ reason: 'queue-full' });
    await clock.advance(100);
    await first;
    const none = make({ maxQueue: 0 });
    await expect(none.acquire()).rejects.toMatchObject({ reason: 'limit' });
    const window = make({ maxQueue: 1, algorithm: 'fixed-window', burst: undefined } as never);
    await window.take({ key: 'w', cost: 10 });
    void window.acquire({ key: 'w' });
    await settle();
    await expect(window.acquire({ key: 'w' })).rejects.toMatchObject({ reason: 'queue-full' });
  });

  it('ends at the timeout of the call when the store does not answer by then', async () => {
    const a = make();
    store.hold();
    const late = errorOf(a.execute(() => 1, { timeoutMs: 30 }));
    await clock.advance(30);
    expect(await late).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    store.resume();
    await settle();
    expect(a.stats()).toMatchObject({ aborted: 1, rejected: 0 });
    expect(clock.pending).toBe(0);
  });

  it('does not count the time that the store takes to answer as a wait', async () => {
    const a = make({ maxWaitMs: 0 });
    store.hold();
    const slow = a.acquire();
    await clock.advance(200);
    store.resume();
    await expect(slow).resolves.toBeDefined();
    await expect(a.acquire({ cost: 2 })).rejects.toMatchObject({ reason: 'limit' });
  });
});

describe('an unavailable store', () => {
  it('leaves each process its share of the limit', async () => {
    const a = make({ nodes: 2, burst: 4 });
    store.fail();
    expect(await a.take({ cost: 2 })).toMatchObject({ allowed: true });
    expect(await a.tryAcquire()).toBeUndefined();
    await clock.advance(200);
    expect(await a.tryAcquire()).toBeDefined();
    expect(a.stats()).toMatchObject({
      storeAvailable: false,
      storeErrors: 3,
      fallbacks: { local: 3, open: 0, closed: 0 },
      nodes: 2,
    });
  });

  it('lets calls wait within the process, in order and with their maxWaitMs', async () => {
    const a = make({ nodes: 1 });
    store.fail();
    await a.take({ cost: 2 });
    const order: string[] = [];
    const all = ['1', '2'].map((who) => a.acquire().then(() => order.push(who)));
    const hasty = errorOf(a.acquire({ maxWaitMs: 250 }));
    await settle();
    expect(await hasty).toMatchObject({ reason: 'deadline' });
    expect(a.stats().queued).toBe(2);
    await clock.advance(200);
    await Promise.all(all);
    expect(order).toEqual(['1', '2']);
    expect(a.stats()).toMatchObject({ delayed: 2, queued: 0 });
  });

  it('is asked again for each call, and used again once it answers', async () => {
    const a = make({ nodes: 1 });
    store.fail();
    await a.take({ cost: 2 });
    store.recover();
    expect(await a.tryAcquire()).toBeDefined();
    expect(a.stats()).toMatchObject({ storeAvailable: true, storeErrors: 1 });
  });

  it('lets every call pass in mode open', async () => {
    const a = make({ onStoreFailure: 'open' });
    store.fail();
    for (let i = 0; i < 50; i++) expect(await a.tryAcquire()).toBeDefined();
    await expect(a.execute(() => 'through')).resolves.toBe('through');
    expect(a.stats().fallbacks.open).toBe(51);
  });

  it('fails in mode closed with an error that is not a refusal of the limit', async () => {
    const a = make({ onStoreFailure: 'closed' });
    store.fail(new Error('connection refused'));
    for (const error of [
      await errorOf(a.acquire()),
      await errorOf(a.take()),
      await errorOf(a.tryAcquire()),
      await errorOf(a.execute(() => 1)),
    ]) {
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error).toMatchObject({
        code: 'STORE_UNAVAILABLE',
        policy: 'api',
        cause: { message: 'connection refused' },
        message: "Limiter 'api' cannot reach its store: connection refused",
        classification: { category: 'network', transient: true },
      });
    }
    expect(a.stats()).toMatchObject({ rejected: 0, fallbacks: { closed: 4 } });
  });

  it('refuses a cost above the local share without saying that it can never pass', async () => {
    const a = make({ nodes: 2, burst: 4 });
    store.fail();
    expect(await errorOf(a.acquire({ cost: 4 }))).toMatchObject({
      reason: 'limit',
      retryAfterMs: undefined,
    });
  });

  it('falls back when it fails during a request', async () => {
    const a = make({ nodes: 1 });
    store.hold();
    const call = a.execute(() => 'done');
    await settle();
    store.fail();
    store.resume();
    await expect(call).resolves.toBe('done');
  });

  it('keeps the places that it gave before it failed', async () => {
    const a = make({ nodes: 1 });
    await a.take({ cost: 2 });
    const waiting = a.acquire();
    await settle();
    store.fail();
    await clock.advance(100);
    await expect(waiting).resolves.toBeDefined();
  });
});

describe('options', () => {
  it.each([
    [{ store: undefined }, /store must be an object, got undefined/],
    [{ algorithm: 'leaky' }, /algorithm must be one of/],
    [{ onStoreFailure: 'panic' }, /onStoreFailure must be one of 'local', 'open', 'closed'/],
    [{ name: undefined }, /name must be given: limits of one name in a store are one limit/],
    [{ nodes: 0 }, /nodes must be an integer >= 1, got 0/],
    [
      { algorithm: 'fixed-window', burst: 5 },
      /burst has no meaning for the algorithm 'fixed-window'/,
    ],
    [{ segments: 5 }, /segments has no meaning for the algorithm 'token-bucket'/],
    [{ maxLocalKeys: 0 }, /maxLocalKeys must be an integer from 1/],
    [{ keys: 5 }, /unknown option 'keys'/],
  ])('refuses %o', (options, message) => {
    expect(() => sharedRateLimit({ name: 'api', store, ...options } as never)).toThrow(message);
  });
});
