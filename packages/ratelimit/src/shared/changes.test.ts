import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { INVALID_CHANGES } from '../../test/invalid-changes.ts';
import type { RatePlan } from '../changes/rate-plans.ts';
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
  sharedRateLimit({
    name: 'api',
    store,
    clock,
    nodes: 1,
    limit: 10,
    windowMs: 3_600_000,
    burst: 10,
    ...more,
  });

describe('a shared rate limit', () => {
  it('charges, credits, blocks and resets a key for all processes', async () => {
    const [a, b] = [make(), make()];
    const key = 'ann';
    await a.penalty(4, { key });
    expect(await b.peek({ key })).toMatchObject({ remaining: 6 });
    await a.reward(2, { key });
    expect(await b.peek({ key })).toMatchObject({ remaining: 8 });
    await a.block(5000, { key });
    expect(await b.take({ key })).toMatchObject({ allowed: false, retryAfterMs: 5000 });
    expect(await b.take({ key: 'bob' })).toMatchObject({ allowed: true, remaining: 9 });
    await clock.advance(5000);
    expect(await b.take({ key })).toMatchObject({ allowed: true });
    await a.block(5000, { key });
    await a.block(0, { key });
    expect(await b.take({ key })).toMatchObject({ allowed: true });
    await a.reset({ key });
    expect(await b.peek({ key })).toMatchObject({ remaining: 10 });
  });

  it('asks again for calls that wait when a key is reset', async () => {
    const a = make();
    await a.take({ cost: 10 });
    const waiting = a.acquire();
    await settle();
    await a.reset();
    await settle();
    await expect(waiting).resolves.toBeDefined();
  });

  it.each(INVALID_CHANGES)('refuses %s(%s)', async (method, value, message) => {
    await expect(make()[method](value as never)).rejects.toThrow(message);
    await expect(make()[method](1, { keys: 'x' } as never)).rejects.toThrow(TypeError);
    await expect(make().reset({ key: 5 } as never)).rejects.toThrow(TypeError);
  });

  it('cannot be changed while the store is unavailable', async () => {
    const a = make({ onStoreFailure: 'open' });
    store.fail();
    for (const change of [a.reset(), a.block(1), a.penalty(1), a.reward(1)]) {
      await expect(change).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    }
  });
});

describe('a plan', () => {
  it('is the limit of its key, and may change at any time', async () => {
    const plans: Record<string, RatePlan> = { ann: { limit: 20, burst: 20 } };
    const a = make({ plan: (key) => plans[key] });
    expect(await a.take({ key: 'ann', cost: 15 })).toMatchObject({ allowed: true, remaining: 5 });
    expect(await a.take({ key: 'bob' })).toMatchObject({ allowed: true, remaining: 9, limit: 10 });
    plans.ann = { limit: 100, burst: 100 };
    expect(await a.peek({ key: 'ann' })).toMatchObject({ remaining: 85, limit: 100 });
    plans.ann = { limit: 16, burst: 16 };
    expect(await a.take({ key: 'ann' })).toMatchObject({ allowed: true, remaining: 0 });
    expect(await a.take({ key: 'ann' })).toMatchObject({ allowed: false });
    await expect(a.take({ key: 'ann', cost: 17 })).rejects.toMatchObject({ reason: 'cost' });
  });

  it.each<[string, (key: string) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no plan');
      },
    ],
    ['is a promise', async () => Promise.reject(new Error('late'))],
    ['is null', () => null],
    ['is text', () => 'gold'],
    ['has a limit of NaN', () => ({ limit: Number.NaN })],
    ['has a burst of 0', () => ({ burst: 0 })],
    ['has a window of null', () => ({ windowMs: null })],
  ])('that %s has no effect', async (_, plan) => {
    const a = make({ plan: plan as never });
    expect(await a.take({ key: 'ann' })).toMatchObject({ allowed: true, remaining: 9, limit: 10 });
    await settle();
  });

  it('holds for the local share too, with the units in use', async () => {
    let limit = 10;
    const a = make({ plan: () => ({ limit, burst: limit }) });
    store.fail();
    expect(await a.take({ key: 'ann', cost: 8 })).toMatchObject({ allowed: true, remaining: 2 });
    limit = 20;
    expect(await a.take({ key: 'ann' })).toMatchObject({ allowed: true });
  });
});
