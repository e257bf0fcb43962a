import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { RateLimitExceededError, StoreUnavailableError } from '../errors.ts';
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

describe('a limit that processes share', () => {
  it('is one limit for all of them', async () => {
    const [a, b] = [make(), make()];
    expect(await a.tryAcquire()).toBe(true);
    expect(await b.tryAcquire()).toBe(true);
    expect(await a.tryAcquire()).toBe(false);
    expect(await b.check()).toMatchObject({
      allowed: false,
      limit: 10,
      windowMs: 1000,
      remaining: 0,
      retryAfterMs: 100,
    });
    await clock.advance(100);
    expect(await b.tryAcquire()).toBe(true);
  });

  it('is one for each key', async () => {
    const a = make();
    expect(await a.tryAcquire('x', 2)).toBe(true);
    expect(await a.tryAcquire('x')).toBe(false);
    expect(await a.tryAcquire('y')).toBe(true);
  });

  it('stands its callers in one line, in which each asks once', async () => {
    const [a, b] = [make(), make()];
    await a.check('', 2);
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

  it('asks for many calls at once', async () => {
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
    expect(await a.tryAcquire()).toBe(false);
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

  it('refuses what can never fit, and what is no cost', async () => {
    const a = make();
    expect(await errorOf(a.acquire({ cost: 3 }))).toMatchObject({ reason: 'cost' });
    expect(await errorOf(a.check('', -1))).toBeInstanceOf(RangeError);
    expect(await errorOf(a.execute(() => 1, { cost: Number.NaN }))).toBeInstanceOf(RangeError);
    expect(store.calls).not.toContain('take');
  });

  it('hands key and cost on from execute', async () => {
    const a = make();
    await a.execute(() => 1, { key: 'x', cost: 2 });
    expect(await a.tryAcquire('x')).toBe(false);
    expect(await a.tryAcquire()).toBe(true);
  });
});

describe('waiting across processes', () => {
  it('is refused as soon as it is known that the deadline cannot be met', async () => {
    const a = make();
    await a.check('', 2);
    const waiting = a.acquire();
    const error = await errorOf(a.acquire({ deadlineMs: 199 }));
    expect(error).toBeInstanceOf(RateLimitExceededError);
    expect(error).toMatchObject({ reason: 'deadline', retryAfterMs: 200 });
    await clock.advance(100);
    await waiting;
    await expect(make({ maxWaitMs: 50 }).acquire()).rejects.toMatchObject({ reason: 'deadline' });
  });

  it('gives the place of whoever goes away to the next, when nobody stands behind', async () => {
    const a = make();
    await a.check('', 2);
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

  it('moves nobody up when somebody stands behind, so that the limit holds', async () => {
    const a = make();
    await a.check('', 2);
    const controller = new AbortController();
    const gone = errorOf(a.acquire({ signal: controller.signal }));
    const second = a.acquire().then(() => clock.monotonic() - 1000);
    await settle();
    controller.abort('gone');
    await gone;
    await clock.advance(500);
    expect(await second).toBe(200);
  });

  it('gives back what comes after its caller has gone', async () => {
    const a = make();
    store.hold();
    const controller = new AbortController();
    const gone = errorOf(a.acquire({ signal: controller.signal, cost: 2 }));
    await settle();
    controller.abort('gone');
    expect(await gone).toBe('gone');
    store.letGo();
    await settle();
    expect(await a.tryAcquire('', 2)).toBe(true);
  });

  it('notices an abort in the moment between the answer and the wait', async () => {
    const a = make();
    await a.check('', 2);
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

  it('lets no more than maxQueue wait', async () => {
    const a = make({ maxQueue: 1 });
    await a.check('', 2);
    const first = a.acquire();
    await settle();
    await expect(a.acquire()).rejects.toMatchObject({ reason: 'queue-full' });
    await clock.advance(100);
    await first;
    const none = make({ maxQueue: 0 });
    await expect(none.acquire()).rejects.toMatchObject({ reason: 'limit' });
    const window = make({ maxQueue: 1, algorithm: 'fixed-window', burst: undefined } as never);
    await window.check('w', 10);
    void window.acquire({ key: 'w' });
    await settle();
    await expect(window.acquire({ key: 'w' })).rejects.toMatchObject({ reason: 'queue-full' });
  });

  it('ends at the deadline, and not as refused, when the store does not answer by then', async () => {
    const a = make();
    store.hold();
    const late = errorOf(a.acquire({ deadlineMs: 30 }));
    await clock.advance(29);
    await clock.advance(1);
    expect(await late).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    store.letGo();
    expect(clock.pending).toBe(0);
  });
});

describe('a store that is away', () => {
  it('leaves each process its share of the limit', async () => {
    const a = make({ nodes: 2, burst: 4 });
    store.fail();
    expect(await a.check('', 2)).toMatchObject({ allowed: true });
    expect(await a.tryAcquire()).toBe(false);
    await clock.advance(200);
    expect(await a.tryAcquire()).toBe(true);
    expect(a.stats()).toMatchObject({
      storeAvailable: false,
      storeErrors: 3,
      fallbacks: { local: 3, open: 0, closed: 0 },
      nodes: 2,
    });
  });

  it('makes calls wait in the process, with their deadlines, in order', async () => {
    const a = make({ nodes: 1 });
    store.fail();
    await a.check('', 2);
    const order: string[] = [];
    const all = ['1', '2'].map((who) => a.acquire().then(() => order.push(who)));
    const hasty = errorOf(a.acquire({ deadlineMs: 250 }));
    await settle();
    expect(await hasty).toMatchObject({ reason: 'deadline' });
    expect(a.stats().queued).toBe(2);
    await clock.advance(200);
    await Promise.all(all);
    expect(order).toEqual(['1', '2']);
    expect(a.stats()).toMatchObject({ delayed: 2, queued: 0 });
  });

  it('is asked again with every call, and used again when it answers', async () => {
    const a = make({ nodes: 1 });
    store.fail();
    await a.check('', 2);
    store.recover();
    expect(await a.tryAcquire()).toBe(true);
    expect(a.stats()).toMatchObject({ storeAvailable: true, storeErrors: 1 });
  });

  it('can open all doors', async () => {
    const a = make({ onStoreFailure: 'open' });
    store.fail();
    for (let i = 0; i < 50; i++) expect(await a.tryAcquire()).toBe(true);
    await expect(a.execute(() => 'through')).resolves.toBe('through');
    expect(a.stats().fallbacks.open).toBe(51);
  });

  it('can close them, with an error that is no refusal', async () => {
    const a = make({ onStoreFailure: 'closed' });
    store.fail(new Error('connection refused'));
    for (const error of [
      await errorOf(a.acquire()),
      await errorOf(a.check()),
      await errorOf(a.tryAcquire()),
      await errorOf(a.execute(() => 1)),
    ]) {
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error).toMatchObject({
        code: 'STORE_UNAVAILABLE',
        policy: 'api',
        cause: { message: 'connection refused' },
        message: "'api' cannot reach its store: connection refused",
        classification: { category: 'network', transient: true },
      });
    }
    expect(a.stats()).toMatchObject({ rejected: 0, fallbacks: { closed: 4 } });
  });

  it('does not confuse a call that is too large for a share with one that can never pass', async () => {
    const a = make({ nodes: 2, burst: 4 });
    store.fail();
    expect(await errorOf(a.acquire({ cost: 4 }))).toMatchObject({
      reason: 'limit',
      retryAfterMs: undefined,
    });
  });

  it('falls back in the middle of a wait for an answer', async () => {
    const a = make({ nodes: 1 });
    store.hold();
    const call = a.execute(() => 'done');
    await settle();
    store.fail();
    store.letGo();
    await expect(call).resolves.toBe('done');
  });

  it('keeps the places that were given before', async () => {
    const a = make({ nodes: 1 });
    await a.check('', 2);
    const waiting = a.acquire();
    await settle();
    store.fail();
    await clock.advance(100);
    await expect(waiting).resolves.toBeDefined();
  });
});

describe('the share of a process', () => {
  it('is counted through the store while it is there', async () => {
    const [a, b] = [make({ burst: 4 }), make({ burst: 4, name: 'api' })];
    await a.tryAcquire('warm-up');
    expect(a.stats().nodes).toBe(1);
    await store.announce({ limiter: 'api', node: 'another', ttlMs: 60_000 });
    await clock.advance(10_000);
    await b.tryAcquire('warm-up');
    await a.tryAcquire('warm-up');
    await settle();
    expect(a.stats().nodes).toBe(2);
    store.fail();
    expect(await a.check('', 2)).toMatchObject({ allowed: true });
    expect(await a.tryAcquire()).toBe(false);
  });

  it('is announced every ten seconds at most', async () => {
    const a = make();
    for (let second = 0; second < 30; second++) {
      await a.tryAcquire();
      await clock.advance(1000);
    }
    expect(store.calls.filter((call) => call === 'announce')).toHaveLength(3);
  });
});

describe('options', () => {
  it.each([
    [{ store: undefined }, /store must be an object, got undefined/],
    [{ algorithm: 'leaky' }, /algorithm must be one of/],
    [{ onStoreFailure: 'panic' }, /onStoreFailure must be one of 'local', 'open', 'closed'/],
    [{ nodes: 0 }, /nodes must be an integer >= 1, got 0/],
    [
      { algorithm: 'fixed-window', burst: 5 },
      /burst has no meaning for the algorithm 'fixed-window'/,
    ],
    [{ segments: 5 }, /segments has no meaning for the algorithm 'token-bucket'/],
    [{ maxLocalKeys: 0 }, /maxLocalKeys must be an integer from 1/],
    [{ keys: 5 }, /unknown option 'keys'/],
  ])('refuses %o', (options, message) => {
    expect(() => sharedRateLimit({ store, ...options } as never)).toThrow(message);
  });
});
