import { ManualClock, settle } from '@temper/testkit';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import {
  MemoryRateLimitStore,
  sharedConcurrency,
  sharedRateLimit,
} from '../../src/shared/index.ts';
import { SHARED_CONCURRENCY_DEFAULTS } from '../../src/shared/options.ts';

describe('a peer', () => {
  it('that takes every permit and dies holds them for one lease', async () => {
    const clock = new ManualClock();
    const store = new MemoryRateLimitStore(clock);
    const limiter = sharedConcurrency({ name: 'reports', store, clock, limit: 3 });
    const { leaseMs } = SHARED_CONCURRENCY_DEFAULTS;
    for (let i = 0; i < 50; i++) {
      const calls = [{ lease: `of the peer ${i}`, cost: 3 }];
      await store.takePermits({ limiter: 'reports', key: '', calls, limit: 3, leaseMs });
    }
    const begin = clock.monotonic();
    expect(await limiter.tryAcquire()).toBeUndefined();
    let lease: unknown;
    while (lease === undefined && clock.monotonic() - begin < 100_000) {
      await clock.advance(100);
      lease = await limiter.tryAcquire();
    }
    expect(clock.monotonic() - begin).toBe(boundOf('peer.permits'));
  });

  it('that takes units at absurd costs uses up one window', async () => {
    const clock = new ManualClock();
    const store = new MemoryRateLimitStore(clock);
    const limiter = sharedRateLimit({
      name: 'api',
      store,
      clock,
      algorithm: 'fixed-window',
      limit: 10,
      windowMs: 1000,
    });
    const peer = sharedRateLimit({
      name: 'api',
      store,
      clock,
      algorithm: 'fixed-window',
      limit: 10,
      windowMs: 1000,
    });
    for (const cost of [2 ** 53, Number.NaN, -1, Number.POSITIVE_INFINITY, 11]) {
      await peer.take({ cost }).catch(() => undefined);
    }
    for (let i = 0; i < 20; i++) await peer.take({ cost: 1 });
    const begin = clock.monotonic();
    let passed = (await limiter.take()).allowed;
    expect(passed).toBe(false);
    while (!passed && clock.monotonic() - begin < 100_000) {
      await clock.advance(50);
      passed = (await limiter.take()).allowed;
    }
    await settle();
    expect(clock.monotonic() - begin).toBeLessThanOrEqual(boundOf('peer.units'));
  });
});
