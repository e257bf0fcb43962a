import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { adaptiveConcurrency } from '../adaptive/index.ts';
import type { AcquireOptions, Lease } from '../limiter.ts';
import { concurrency } from '../limiters/concurrency.ts';
import { slidingWindow } from '../limiters/sliding-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { MemoryRateLimitStore } from '../shared/memory-store.ts';
import { sharedConcurrency } from '../shared/shared-concurrency.ts';
import { sharedRateLimit } from '../shared/shared-rate-limit.ts';
import { fairQueue } from './fair-queue.ts';
import type { QueueOrder } from './queue-order.ts';

let clock: ManualClock;
let store: FaultyStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new FaultyStore(new MemoryRateLimitStore(clock));
});

interface Acquires {
  acquire(options?: AcquireOptions): Promise<Lease>;
}
interface Order {
  readonly queue?: QueueOrder;
}
const fair: Order = { queue: fairQueue() };
const more = { name: 'api', maxQueue: 1000 };
/** One unit or permit at a time. */
const one = { limit: 1, windowMs: 100 };

const limiters: Record<string, (order: Order) => Acquires> = {
  'a token bucket': (order) => tokenBucket({ ...more, ...one, clock, burst: 1, ...order }),
  'a sliding window': (order) => slidingWindow({ ...more, ...one, clock, segments: 1, ...order }),
  'a bulkhead': (order) => concurrency({ ...more, clock, limit: 1, ...order }),
  'an adaptive bulkhead': (order) =>
    adaptiveConcurrency({ ...more, clock, initialLimit: 1, maxLimit: 1, ...order }),
  'a shared token bucket': (order) =>
    sharedRateLimit({ ...more, ...one, clock, store, burst: 1, nodes: 1, ...order }),
  'a shared window': (order) =>
    sharedRateLimit({
      ...{ ...more, ...one, clock, store, nodes: 1, ...order },
      ...{ algorithm: 'fixed-window' as const },
    }),
  'a shared bulkhead': (order) =>
    sharedConcurrency({ ...more, clock, store, limit: 1, nodes: 1, ...order }),
  'the local share of a shared limit': (order) => {
    store.fail();
    return sharedRateLimit({ ...more, ...one, clock, store, burst: 1, nodes: 1, ...order });
  },
};

/** Lets callers wait, and notes in which order they are served. Permits are given back at once. */
async function order(limiter: Acquires, callers: string, units = 1): Promise<string> {
  let served = '';
  const calls = [...callers].map(async (key) => {
    const lease = await limiter.acquire({ key, cost: units });
    served += key;
    await clock.sleep(100);
    lease.release();
  });
  await settle();
  for (let i = 0; i < 10 * callers.length; i++) await clock.advance(50);
  await Promise.all(calls);
  return served;
}

describe.each(Object.keys(limiters))('%s', (name) => {
  it('serves a caller that comes late before the many calls of another', async () => {
    const callers = `${'a'.repeat(40)}bb`;
    // In a shared limiter that is not fair, each key has a limit of its own.
    const alone = name.includes('share') ? 1 : 40;
    expect((await order(limiters[name]!({}), callers)).indexOf('b')).toBe(alone);
    const served = await order(limiters[name]!(fair), callers);
    expect(served).toHaveLength(42);
    // A shared bucket has granted places for a second by then.
    expect(served.lastIndexOf('b')).toBeLessThan(name === 'a shared token bucket' ? 20 : 6);
  });

  it('serves callers by weight', async () => {
    const weight = (caller: string): number => (caller === 'b' ? 3 : 1);
    const served = await order(limiters[name]!({ queue: fairQueue({ weight }) }), 'ab'.repeat(20));
    const middle = served.slice(name === 'a shared token bucket' ? 12 : 0, 24);
    const share = [...middle].filter((caller) => caller === 'b').length / middle.length;
    expect(share).toBeGreaterThan(0.6);
    expect(share).toBeLessThan(0.85);
  });
});

describe('a full queue', () => {
  const full: [string, (order: Order) => Acquires][] = [
    ['a bulkhead', (order) => concurrency({ clock, limit: 1, maxQueue: 10, ...order })],
    [
      'a shared bulkhead',
      (order) =>
        sharedConcurrency({
          name: 'api',
          clock,
          store,
          limit: 1,
          nodes: 1,
          maxQueue: 10,
          ...order,
        }),
    ],
  ];
  it.each(full)('of %s refuses the caller that fills it', async (_, make) => {
    const limiter = make(fair);
    const held = await limiter.acquire();
    const outcomes: string[] = [];
    const call = (key: string): void => {
      limiter.acquire({ key }).then(
        (lease) => {
          outcomes.push(`${key}: passed`);
          lease.release();
        },
        (error: { reason: string }) => outcomes.push(`${key}: ${error.reason}`),
      );
    };
    for (let i = 0; i < 10; i++) call('a');
    await settle();
    for (const key of 'bcd') call(key);
    await clock.advance(100);
    expect(outcomes.sort()).toEqual(['a: queue-full', 'a: queue-full', 'a: queue-full']);
    call('a');
    await clock.advance(100);
    expect(outcomes.filter((outcome) => outcome === 'a: queue-full')).toHaveLength(4);
    held.release();
    for (let i = 0; i < 20; i++) await clock.advance(50);
    for (const key of 'bcd') expect(outcomes).toContain(`${key}: passed`);
    expect(outcomes).toHaveLength(14);
  });
});

describe('a fair limiter', () => {
  it('refuses a call at its deadline, and at once what could not pass as the next one', async () => {
    const limiter = tokenBucket({ clock, limit: 1, windowMs: 1000, burst: 1, ...fair });
    limiter.take();
    const others = Array.from({ length: 3 }, () => limiter.acquire({ key: 'a' }));
    await expect(limiter.acquire({ key: 'b', maxWaitMs: 500 })).rejects.toMatchObject({
      reason: 'deadline',
    });
    const late = limiter.acquire({ key: 'a', maxWaitMs: 1500 });
    const outcome = expect(late).rejects.toMatchObject({ reason: 'deadline' });
    await clock.advance(1500);
    await outcome;
    await clock.advance(3000);
    await Promise.all(others);
  });

  it('serves on when calls abort anywhere', async () => {
    const pool = concurrency({ clock, limit: 1, ...fair });
    const held = await pool.acquire();
    const controller = new AbortController();
    const gone = [...'aab'].map((key) => pool.acquire({ key, signal: controller.signal }));
    const outcomes = Promise.allSettled(gone);
    const stays = [...'ac'].map((key) => pool.acquire({ key }));
    controller.abort(new Error('gone'));
    expect((await outcomes).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
    held.release();
    (await stays[0]!).release();
    (await stays[1]!).release();
    expect(pool.stats()).toMatchObject({ queued: 0, inFlight: 0 });
  });

  it('has one limit for all keys when it is shared', async () => {
    const limiter = sharedRateLimit({ ...more, clock, store, limit: 5, burst: 2, ...fair });
    expect((await limiter.take({ key: 'a' })).allowed).toBe(true);
    expect((await limiter.take({ key: 'b' })).allowed).toBe(true);
    expect((await limiter.take({ key: 'c' })).allowed).toBe(false);
    await limiter.reset({ key: 'd' });
    expect((await limiter.peek({ key: 'c' })).remaining).toBe(2);
  });

  it.each([null, true, 'fair', {}, fairQueue])('is not made by %s', (queue) => {
    expect(() => concurrency({ queue: queue as never })).toThrow(/queue must be made by fairQueue/);
  });

  it.each([null, { weight: 5 }, { weights: () => 1 }])('is not ordered by %s', (options) => {
    expect(() => fairQueue(options as never)).toThrow(TypeError);
  });

  it('takes a weight that is none for 1', async () => {
    const weight = (caller: string): number => {
      if (caller === 'b') throw new Error('unknown');
      return caller === 'c' ? Number.NaN : 0;
    };
    const served = await order(
      limiters['a bulkhead']!({ queue: fairQueue({ weight }) }),
      'aaabbbccc',
    );
    expect([...served.slice(0, 4)].sort().join('')).toMatch(/^aabc$/);
  });
});
