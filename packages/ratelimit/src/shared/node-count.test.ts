import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import type { SharedRateLimitOptions } from './options.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';

let clock: ManualClock;
let store: FaultyStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new FaultyStore(new MemoryRateLimitStore(clock));
});

const make = (more: Partial<SharedRateLimitOptions> = {}) =>
  sharedRateLimit({ name: 'api', store, clock, limit: 10, windowMs: 1000, burst: 2, ...more });

describe('the number of processes', () => {
  it('is what is expected until it has been counted for ten seconds, and what is counted then', async () => {
    const a = make({ burst: 8, expectedNodes: 4 });
    expect(a.stats().nodes).toBe(4);
    await a.tryAcquire({ key: 'warm-up' });
    await settle();
    expect(a.stats().nodes).toBe(4);
    await store.announce({ limiter: 'api', node: 'another', ttlMs: 60_000 });
    await clock.advance(10_000);
    await a.tryAcquire({ key: 'warm-up' });
    await settle();
    expect(a.stats().nodes).toBe(2);
    store.fail();
    expect(await a.take({ cost: 4 })).toMatchObject({ allowed: true });
    expect(await a.tryAcquire()).toBeUndefined();
  });

  it('is never less than minNodes', async () => {
    const a = make({ minNodes: 3 });
    await a.tryAcquire({ key: 'warm-up' });
    await clock.advance(10_000);
    expect(a.stats().nodes).toBe(3);
  });

  it('keeps a fleet that starts while the store is down within its limit', async () => {
    store.fail();
    const fleet = Array.from({ length: 4 }, () => make({ limit: 80, burst: 80 }));
    let passed = 0;
    for (const one of fleet) {
      for (let i = 0; i < 80; i++) if ((await one.tryAcquire()) !== undefined) passed++;
    }
    expect(passed).toBeLessThanOrEqual(80);
    expect(passed).toBeGreaterThan(0);
  });

  it('is known to processes that started before others within two and a half seconds', async () => {
    const others = { limiter: 'api', ttlMs: 30_000 };
    const first = make({ limit: 80, burst: 80, expectedNodes: 1 });
    await first.tryAcquire({ key: 'warm-up' });
    await clock.advance(20_000);
    for (const node of ['b', 'c', 'd']) await store.announce({ ...others, node });
    for (let i = 0; i < 25; i++) {
      await first.tryAcquire({ key: 'warm-up' });
      await clock.advance(100);
    }
    store.fail();
    let passed = 0;
    for (let i = 0; i < 80; i++) if ((await first.tryAcquire()) !== undefined) passed++;
    expect(passed).toBe(20);
  });

  it('is refreshed every two seconds at most', async () => {
    const a = make();
    for (let second = 0; second < 30; second++) {
      await a.tryAcquire();
      await clock.advance(1000);
    }
    expect(store.calls.filter((call) => call === 'announce')).toHaveLength(15);
  });

  it('changes the local share without giving anybody a new burst', async () => {
    const a = make({ limit: 8, burst: 8, windowMs: 3_600_000, expectedNodes: 1 });
    await a.tryAcquire({ key: 'warm-up' });
    await clock.advance(10_000);
    store.fail();
    expect(await a.take({ cost: 8 })).toMatchObject({ allowed: true });
    store.recover();
    await store.announce({ limiter: 'api', node: 'another', ttlMs: 60_000 });
    await clock.advance(2000);
    await a.tryAcquire({ key: 'warm-up' });
    await settle();
    store.fail();
    expect(a.stats().nodes).toBe(2);
    expect(await a.take()).toMatchObject({ allowed: false });
  });
});
