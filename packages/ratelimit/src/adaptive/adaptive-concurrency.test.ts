import type { Outcome } from '@temper/core';
import { Call } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { RateLimitExceededError } from '../errors.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { adaptiveConcurrency } from './adaptive-concurrency.ts';
import type { LimitChange } from './options.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const aimd = (more = {}) =>
  adaptiveConcurrency({ clock, algorithm: 'aimd', initialLimit: 4, backoffRatio: 0.5, ...more });

describe('adaptiveConcurrency', () => {
  it('raises its limit when calls go well, and calls onLimitChange', async () => {
    const changes: LimitChange[] = [];
    const limiter = aimd({ onLimitChange: (change: LimitChange) => changes.push(change) });
    const leases = [1, 2, 3, 4].map(() => limiter.tryAcquire());
    expect(limiter.tryAcquire()).toBeUndefined();
    for (const lease of leases) lease?.release();
    expect(limiter.stats()).toMatchObject({ limit: 7, inFlight: 0 });
    expect(changes[0]).toEqual({ policy: 'adaptive-concurrency', from: 4, to: 5 });
  });

  it('serves waiting calls when the limit grows', async () => {
    const limiter = aimd({ initialLimit: 1 });
    const held = limiter.tryAcquire();
    const waiting = [limiter.acquire(), limiter.acquire()];
    await settle();
    held?.release();
    await Promise.all(waiting);
    expect(limiter.stats()).toMatchObject({ inFlight: 2, limit: 2 });
  });

  it('lowers its limit at signs of overload, and revokes no permit', async () => {
    const limiter = aimd();
    const leases = [1, 2, 3, 4].map(() => limiter.tryAcquire());
    leases[0]?.overloaded();
    expect(limiter.stats()).toMatchObject({ limit: 2, inFlight: 3 });
    expect(limiter.peek().remaining).toBe(0);
    leases[1]?.ignore();
    leases[1]?.release();
    expect(limiter.stats()).toMatchObject({ limit: 2, inFlight: 2 });
  });

  it('takes a call that was given up for a sign of overload, once', () => {
    const limiter = aimd();
    const leases = [1, 2, 3, 4].map(() => limiter.tryAcquire());
    leases[0]?.timedOut();
    leases[0]?.timedOut();
    expect(limiter.stats()).toMatchObject({ limit: 2, inFlight: 3 });
  });

  it('trains the limit with overload and success in execute, and not with other errors', async () => {
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

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
    ],
    ['returns a promise of false', async () => false],
    ['returns a promise of true', async () => true],
    ['rejects', async () => Promise.reject(new Error('a bug'))],
  ])('does not lower the limit when shouldHandle %s', async (_, shouldHandle) => {
    const limiter = aimd({ initialLimit: 10, shouldHandle });
    for (let i = 0; i < 20; i++) {
      await expect(limiter.execute(() => Promise.reject(new Error('any')))).rejects.toThrow('any');
    }
    await settle();
    expect(limiter.stats()).toMatchObject({ limit: 10, inFlight: 0 });
  });

  it('asks shouldHandle about values too', async () => {
    const limiter = aimd({
      initialLimit: 10,
      shouldHandle: (o: Outcome<{ status: number }>) => o.ok && o.value.status === 503,
    });
    await limiter.execute(() => ({ status: 200 }));
    expect(limiter.stats().limit).toBe(10);
    await limiter.execute(() => ({ status: 503 }));
    expect(limiter.stats().limit).toBe(5);
  });

  it('is not trained by refusals inside, cancelled calls and lost hedges, whatever shouldHandle says', async () => {
    const asked: unknown[] = [];
    const limiter = aimd({
      initialLimit: 10,
      shouldHandle: (outcome: unknown) => asked.push(outcome) > 0,
    });
    const inner = tokenBucket({ clock, burst: 1, maxQueue: 0 });
    inner.tryAcquire();
    for (let i = 0; i < 5; i++) {
      await expect(limiter.execute(() => inner.execute(() => 1))).rejects.toThrow(/refused/);
    }

    const controller = new AbortController();
    const cancelled = limiter.execute(
      ({ signal }) => new Promise((_, no) => signal.addEventListener('abort', () => no('late'))),
      { signal: controller.signal },
    );
    controller.abort('gone');
    await expect(cancelled).rejects.toBe('late');

    const hedged = new Call().scope();
    const lost = limiter.execute(
      ({ signal }) => new Promise((_, no) => signal.addEventListener('abort', () => no('lost'))),
      { parent: hedged },
    );
    hedged.end('hedge', new Error('another try answered'));
    await expect(lost).rejects.toBe('lost');

    expect(asked).toEqual([]);
    expect(limiter.stats()).toMatchObject({ limit: 10, inFlight: 0 });
  });

  it('is trained by a call that met its own deadline', async () => {
    const limiter = aimd({ initialLimit: 10 });
    const call = limiter.execute(
      ({ signal }) =>
        new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason))),
      { timeoutMs: 50 },
    );
    const ended = expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await clock.advance(50);
    await ended;
    await settle();
    expect(limiter.stats()).toMatchObject({ limit: 5, inFlight: 0 });
  });

  it('ignores what onLimitChange throws', () => {
    const limiter = aimd({
      onLimitChange: () => {
        throw new Error('a bug');
      },
    });
    limiter.tryAcquire()?.overloaded();
    expect(limiter.stats().limit).toBe(2);
  });

  it('lets a cost above the present limit pass alone, and refuses one above the largest', async () => {
    const limiter = aimd({ maxLimit: 8 });
    await expect(limiter.acquire({ cost: 9 })).rejects.toThrow(RateLimitExceededError);
    const small = await limiter.acquire();
    const big = limiter.acquire({ cost: 6 });
    await settle();
    expect(limiter.stats()).toMatchObject({ queued: 1, inFlight: 1 });
    expect(limiter.take().allowed).toBe(false);
    small.ignore();
    const alone = await big;
    expect(limiter.stats()).toMatchObject({ queued: 0, inFlight: 6, limit: 4 });
    expect(limiter.take().allowed).toBe(false);
    alone.ignore();
    expect(limiter.take().allowed).toBe(true);
  });

  it('does not leave calls waiting when its limit falls below their cost', async () => {
    const limiter = aimd({ minLimit: 1, initialLimit: 4, backoffRatio: 0.1 });
    const busy = () => Promise.reject(Object.assign(new Error('busy'), { status: 503 }));
    const calls = Array.from({ length: 10 }, () => limiter.tryExecute(busy, { cost: 2 }));
    const outcomes = await Promise.all(calls);
    expect(outcomes.map(({ ok }) => ok)).toEqual(Array(10).fill(false));
    expect(limiter.stats()).toMatchObject({ limit: 1, inFlight: 0, queued: 0 });
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
    [{ isOverload: () => true }, /unknown option 'isOverload'/],
    [{ shouldHandle: true }, /shouldHandle must be a function/],
    [{ probeIntervalMs: 0 }, /probeIntervalMs must be a number > 0, got 0/],
  ])('refuses %o', (options, message) => {
    expect(() => adaptiveConcurrency({ clock, ...options } as never)).toThrow(message);
  });
});
