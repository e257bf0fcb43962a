import { ManualClock } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { concurrency } from '../limiters/concurrency.ts';
import { fixedWindow } from '../limiters/fixed-window.ts';
import { gcra } from '../limiters/gcra.ts';
import { slidingWindow } from '../limiters/sliding-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { MemoryRateLimitStore } from '../shared/memory-store.ts';
import { sharedRateLimit } from '../shared/shared-rate-limit.ts';
import { keyed } from './keyed.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const options = () => ({ clock, limit: 100, windowMs: 3_600_000 });
const slow = () => ({ clock, limit: 1, windowMs: 1000, burst: 1, maxQueue: 5 });
const makers = [
  ['tokenBucket', () => tokenBucket({ ...options(), burst: 100 })],
  ['gcra', () => gcra({ ...options(), burst: 100 })],
  ['slidingWindow', () => slidingWindow(options())],
  ['fixedWindow', () => fixedWindow(options())],
] as const;

describe.each(makers)('a key of a %s that is used up', (_, make) => {
  it.each([
    ['template', () => keyed({ template: make(), maxKeys: 20 })],
    ['limiter', () => keyed({ limiter: make, maxKeys: 20, clock })],
  ])('does not get its limit anew because others are used: %s', async (_kind, create) => {
    const limiter = create();
    expect(limiter.tryAcquire({ key: 'victim', cost: 100 })).toBeDefined();
    for (let i = 0; i < 1000; i++) {
      await clock.advance(1);
      expect(limiter.tryAcquire({ key: `other-${i}` })).toBeDefined();
    }
    expect(limiter.tryAcquire({ key: 'victim', cost: 2 })).toBeUndefined();
    expect(limiter.stats()).toMatchObject({ keys: 20, evictions: 981 });
  });

  it('makes room once it has recovered', async () => {
    const limiter = keyed({ template: make(), maxKeys: 2 });
    limiter.tryAcquire({ key: 'victim', cost: 100 });
    limiter.tryAcquire({ key: 'other', cost: 50 });
    await clock.advance(2 * 3_600_000 - 1);
    limiter.tryAcquire({ key: 'other', cost: 50 });
    limiter.tryAcquire({ key: 'new' });
    // Of all keys, only the one of which nothing was in use is gone.
    expect(limiter.peek({ key: 'other' }).remaining).toBe(50);
    expect(limiter.peek({ key: 'new' }).remaining).toBe(99);
  });
});

describe('a key that is in use', () => {
  it('is never removed, and a free one is', () => {
    const limiter = keyed({ limiter: () => concurrency({ limit: 2, clock }), maxKeys: 2, clock });
    const lease = limiter.tryAcquire({ key: 'a' });
    limiter.tryAcquire({ key: 'b' })?.release();
    expect(limiter.tryAcquire({ key: 'c' })).toBeDefined();
    expect(limiter.peek({ key: 'a' }).remaining).toBe(1);
    lease?.release();
  });
});

describe.each([
  ['template', () => keyed({ template: tokenBucket(slow()), maxKeys: 2 })],
  ['limiter', () => keyed({ limiter: () => tokenBucket(slow()), maxKeys: 2, clock })],
])('a key that a call waits for, of a limiter by %s', (_, create) => {
  it('keeps its place while others come and go', async () => {
    const limiter = create();
    limiter.take({ key: 'waited for' });
    const turn = limiter.acquire({ key: 'waited for' });
    for (let i = 0; i < 20; i++) {
      expect(limiter.tryAcquire({ key: `other-${i}` })).toBeDefined();
    }
    // With a limit anew, this call would pass, and the one that waits would be overtaken.
    expect(limiter.tryAcquire({ key: 'waited for' })).toBeUndefined();
    expect(limiter.stats()).toMatchObject({ keys: 2, queued: 1, evictions: 19 });
    await clock.advance(1000);
    expect((await turn).cost).toBe(1);
    expect(limiter.stats()).toMatchObject({ keys: 2, queued: 0 });
  });

  it('leaves no room for a further key while every key is waited for', async () => {
    const limiter = create();
    const turns = ['a', 'b'].map((key) => {
      limiter.take({ key });
      return limiter.acquire({ key });
    });
    expect(limiter.tryAcquire({ key: 'c' })).toBeUndefined();
    await expect(limiter.acquire({ key: 'c' })).rejects.toMatchObject({ reason: 'keys' });
    await clock.advance(1000);
    await Promise.all(turns);
    expect(limiter.tryAcquire({ key: 'c' })).toBeDefined();
    expect(limiter.stats()).toMatchObject({ keys: 2, evictions: 1 });
  });
});

describe('the local share of a key that is used up', () => {
  it('does not start anew because others are used', async () => {
    const store = new MemoryRateLimitStore(clock);
    store.take = () => Promise.reject(new Error('gone'));
    const limiter = sharedRateLimit({
      ...options(),
      name: 'api',
      store,
      burst: 100,
      nodes: 1,
      maxLocalKeys: 20,
    });
    expect(await limiter.tryAcquire({ key: 'victim', cost: 100 })).toBeDefined();
    for (let i = 0; i < 100; i++) await limiter.tryAcquire({ key: `other-${i}` });
    expect(await limiter.tryAcquire({ key: 'victim' })).toBeUndefined();
  });
});
