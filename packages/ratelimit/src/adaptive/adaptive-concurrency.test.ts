import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { RateLimitExceededError } from '../errors.ts';
import { adaptiveConcurrency } from './adaptive-concurrency.ts';
import type { LimitChange } from './options.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const aimd = (more = {}) =>
  adaptiveConcurrency({ clock, algorithm: 'aimd', initialLimit: 4, backoffRatio: 0.5, ...more });

describe('adaptiveConcurrency', () => {
  it('raises its limit when calls go well, and tells', async () => {
    const changes: LimitChange[] = [];
    const limiter = aimd({ onLimitChange: (change: LimitChange) => changes.push(change) });
    const leases = [1, 2, 3, 4].map(() => limiter.tryAcquire());
    expect(limiter.tryAcquire()).toBeUndefined();
    for (const lease of leases) lease?.release();
    expect(limiter.stats()).toMatchObject({ limit: 7, inFlight: 0 });
    expect(changes[0]).toEqual({ policy: 'adaptive-concurrency', from: 4, to: 5 });
  });

  it('lets waiting calls in when the limit grows', async () => {
    const limiter = aimd({ initialLimit: 1 });
    const held = limiter.tryAcquire();
    const waiting = [limiter.acquire(), limiter.acquire()];
    await settle();
    held?.release();
    await Promise.all(waiting);
    expect(limiter.stats()).toMatchObject({ inFlight: 2, limit: 2 });
  });

  it('lowers it at signs of overload, and takes no permit away', async () => {
    const limiter = aimd();
    const leases = [1, 2, 3, 4].map(() => limiter.tryAcquire());
    leases[0]?.overloaded();
    expect(limiter.stats()).toMatchObject({ limit: 2, inFlight: 3 });
    expect(limiter.quota().remaining).toBe(0);
    leases[1]?.ignore();
    leases[1]?.release();
    expect(limiter.stats()).toMatchObject({ limit: 2, inFlight: 2 });
  });

  it('learns from what execute sees: overload, success, and nothing from other errors', async () => {
    const limiter = aimd({ minLimit: 1 });
    const timeout = Object.assign(new Error('slow'), { code: 'ETIMEDOUT' });
    await expect(limiter.execute(() => Promise.reject(timeout))).rejects.toBe(timeout);
    expect(limiter.stats().limit).toBe(2);
    await expect(limiter.execute(() => Promise.reject(new TypeError('mine')))).rejects.toThrow();
    expect(limiter.stats().limit).toBe(2);
    await Promise.all([1, 2].map(() => limiter.execute(async () => 1)));
    await Promise.all([1, 2].map(() => limiter.execute(async () => 1)));
    expect(limiter.stats().limit).toBeGreaterThan(2);
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('takes a predicate that throws for a no', async () => {
    const limiter = aimd({
      isOverload: () => {
        throw new Error('a bug');
      },
    });
    await expect(limiter.execute(() => Promise.reject(new Error('any')))).rejects.toThrow('any');
    expect(limiter.stats()).toMatchObject({ limit: 4, inFlight: 0 });
  });

  it('queues a cost above the present limit, and refuses one above the largest', async () => {
    const limiter = aimd({ maxLimit: 8 });
    await expect(limiter.acquire({ cost: 9 })).rejects.toThrow(RateLimitExceededError);
    const big = limiter.acquire({ cost: 6 });
    await settle();
    expect(limiter.stats().queued).toBe(1);
    expect(limiter.check().allowed).toBe(false);
    await Promise.race([big, settle()]);
    expect(limiter.stats().queued).toBe(1);
  });

  it('follows the gradient by default', async () => {
    const limiter = adaptiveConcurrency({ clock });
    for (let round = 0; round < 20; round++) {
      const leases = [];
      for (let lease = limiter.tryAcquire(); lease !== undefined; lease = limiter.tryAcquire()) {
        leases.push(lease);
      }
      await clock.advance(50);
      for (const lease of leases) lease.release();
    }
    expect(limiter.stats().limit).toBeGreaterThan(100);
  });

  it.each([
    [{ algorithm: 'aimd', tolerance: 2 }, /tolerance has no meaning for the algorithm 'aimd'/],
    [{ latencyThresholdMs: 5 }, /latencyThresholdMs has no meaning for the algorithm 'gradient'/],
    [{ algorithm: 'vegas' }, /algorithm must be one of/],
    [{ minLimit: 5, initialLimit: 4 }, /initialLimit must be a number from 5 to 1000, got 4/],
    [{ maxLimit: 0.5 }, /maxLimit must be a finite number >= 1, got 0.5/],
    [{ probeIntervalMs: 0 }, /probeIntervalMs must be a number > 0, got 0/],
  ])('refuses %o', (options, message) => {
    expect(() => adaptiveConcurrency({ clock, ...options } as never)).toThrow(message);
  });
});
