import { ManualClock } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { type SharedRateLimiter, sharedRateLimit } from './shared-rate-limit.ts';

let clock: ManualClock;
let store: FaultyStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new FaultyStore(new MemoryRateLimitStore(clock));
});

const make = (more: object = {}): SharedRateLimiter =>
  sharedRateLimit({ name: 'a', store, clock, limit: 60, burst: 10, nodes: 1, ...more });

const left = async (limiter: SharedRateLimiter): Promise<number> =>
  (await limiter.peek({ key: 'ann' })).remaining;

describe.each<[string, object]>([
  ['exact', {}],
  ['leased', { mode: 'leased' }],
])('a shared limit that is %s', (_, options) => {
  it('gives back what a call did not cost', async () => {
    const limiter = make(options);
    const { lease } = await limiter.take({ key: 'ann', cost: 4 });
    const before = await left(limiter);
    await lease?.settle?.(1);
    expect((await left(limiter)) - before).toBe(3);
    for (let i = 0; i < 9; i++) expect((await limiter.take({ key: 'ann' })).allowed).toBe(true);
    expect((await limiter.take({ key: 'ann' })).allowed).toBe(false);
  });

  it('takes what a call cost in addition, as far as it is there', async () => {
    const limiter = make(options);
    await (await limiter.acquire({ key: 'ann' })).settle?.(1e6);
    expect((await limiter.take({ key: 'ann' })).allowed).toBe(false);
    clock.jump(10_000);
    expect((await limiter.take({ key: 'ann' })).allowed).toBe(true);
  });
});

describe('a shared limit', () => {
  it('serves a call that waits by what another gives back', async () => {
    const limiter = make();
    const { lease } = await limiter.take({ key: 'ann', cost: 10 });
    const began = clock.monotonic();
    const waiting = limiter.acquire({ key: 'ann', cost: 10 });
    await lease?.settle?.(0);
    await waiting;
    expect(clock.monotonic() - began).toBeLessThan(10_000);
  });

  it('says when the store could not be told', async () => {
    const limiter = make();
    const { lease } = await limiter.take({ key: 'ann', cost: 4 });
    store.fail();
    await expect(lease?.settle?.(0)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const more = make();
    store.recover();
    const other = await more.take({ key: 'bob' });
    store.fail();
    await expect(other.lease?.settle?.(5)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it.each(['local', 'open'] as const)('settles while it decides as %s', async (onStoreFailure) => {
    const limiter = make({ onStoreFailure });
    store.fail();
    const { lease } = await limiter.take({ key: 'ann', cost: 10 });
    await lease?.settle?.(0);
    expect((await limiter.take({ key: 'ann', cost: 10 })).allowed).toBe(true);
  });

  it('has leases to settle, and permits have none', async () => {
    const permits = sharedConcurrency({ name: 'p', store, clock, limit: 1, nodes: 1 });
    const lease = await permits.acquire();
    expect(lease.settle).toBeUndefined();
    lease.release();
  });
});
