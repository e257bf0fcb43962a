import { circuitBreaker } from '@temper/breaker';
import { MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import type { CallContext, Policy } from '@temper/core';
import { concurrency, fairQueue, keyed, tokenBucket } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { MemoryRateLimitStore, sharedConcurrency, sharedRateLimit } from '@temper/ratelimit/shared';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline } from '../../src/index.ts';

// What a call waits by our own doing (for its turn at a limit, for a lease, between attempts) is not the time
// that its dependency takes.

const OPERATION_MS = 100;
const SLOW_MS = 300;
const CALLS = 20;

type Make = (clock: ManualClock) => Policy;

const RATE = { limit: 5, windowMs: 1000, burst: 1 };

/** Policies inside which calls wait longer than is slow, while their operations are quick. */
const WAITS: Readonly<Record<string, Make>> = {
  concurrency: (clock) => concurrency({ clock, limit: 1 }),
  'fair concurrency': (clock) => concurrency({ clock, limit: 1, queue: fairQueue() }),
  'a token bucket': (clock) => tokenBucket({ clock, ...RATE }),
  'one key of a limiter': (clock) => keyed({ template: tokenBucket({ clock, ...RATE }) }).for('a'),
  'a limiter per key': (clock) => keyed({ clock, limiter: () => concurrency({ clock, limit: 1 }) }),
  'an adaptive limit': (clock) =>
    adaptiveConcurrency({ clock, initialLimit: 1, minLimit: 1, maxLimit: 1 }),
  'a shared rate limit': (clock) =>
    sharedRateLimit({ name: 'r', clock, store: new MemoryRateLimitStore(clock), ...RATE }),
  'a shared concurrency limit': (clock) =>
    sharedConcurrency({ name: 'c', clock, store: new MemoryRateLimitStore(clock), limit: 1 }),
  'a slow store': (clock) => {
    const store = new MemoryRateLimitStore(clock);
    const take = store.takePermits.bind(store);
    store.takePermits = async (request) => {
      await clock.sleep(2 * SLOW_MS);
      return take(request);
    };
    return sharedConcurrency({ name: 'c', clock, store, limit: 100 });
  },
};

/** Policies that judge a dependency by its time. */
const JUDGES: Readonly<Record<string, (clock: ManualClock) => [Policy, () => unknown, unknown]>> = {
  'a breaker': (clock) => {
    const breaker = circuitBreaker({
      clock,
      window: { calls: 10 },
      slowCallDurationMs: SLOW_MS,
      slowCallRateThreshold: 0.5,
    });
    return [breaker, () => [breaker.state, breaker.stats().calls.slow], ['closed', 0]];
  },
  'an adaptive limit around': (clock) => {
    const options = { algorithm: 'aimd', initialLimit: 50, latencyThresholdMs: SLOW_MS } as const;
    const limit = adaptiveConcurrency({ clock, ...options });
    return [limit, () => limit.stats().limit >= 50, true];
  },
};

describe.each(Object.keys(WAITS))('calls that wait at %s', (kind) => {
  it.each(Object.keys(JUDGES))('are not slow to %s', async (judge) => {
    const clock = new ManualClock();
    const [outer, found, expected] = (JUDGES[judge] as (typeof JUDGES)[string])(clock);
    const inner = (WAITS[kind] as Make)(clock);
    const policy = pipeline({ clock }, outer, inner);
    const calls = Array.from({ length: CALLS }, () =>
      policy.tryExecute(() => clock.sleep(OPERATION_MS), { key: 'a' }),
    );
    await clock.advance(20_000);
    for (const { ok } of await Promise.all(calls)) expect(ok).toBe(true);
    expect(found()).toEqual(expected);
  });

  it.each(Object.keys(JUDGES))('are slow to %s when their operations are', async (judge) => {
    const clock = new ManualClock();
    const [outer, found, expected] = (JUDGES[judge] as (typeof JUDGES)[string])(clock);
    const inner = (WAITS[kind] as Make)(clock);
    const policy = pipeline({ clock }, outer, inner);
    const calls = Array.from({ length: CALLS }, () =>
      policy.tryExecute(() => clock.sleep(SLOW_MS + 1), { key: 'a' }),
    );
    await clock.advance(20_000);
    await Promise.all(calls);
    expect(found()).not.toEqual(expected);
  });
});

const slow = (clock: ManualClock) =>
  circuitBreaker({ clock, window: { calls: 10 }, slowCallDurationMs: SLOW_MS });
const down = Object.assign(new Error('down'), { code: 'ECONNRESET' });

describe('a breaker that counts slow calls', () => {
  it('does not count the time between two attempts, and counts both attempts', async () => {
    const clock = new ManualClock();
    const breaker = slow(clock);
    const again = retry({ clock, initialDelayMs: 5000, jitter: 'none' });
    const policy = pipeline({ clock }, breaker, again);
    const twice = (ms: number) =>
      policy.tryExecute(async ({ attempt }) => {
        await clock.sleep(ms);
        if (attempt === 1) throw down;
      });
    await clock.runUntil(twice(100));
    expect(breaker.stats().calls).toMatchObject({ success: 1, slow: 0 });
    await clock.runUntil(twice(200));
    expect(breaker.stats().calls).toMatchObject({ success: 1, slow: 1 });
  });

  it('does not count the wait for the lease of a shared circuit inside', async () => {
    const clock = new ManualClock();
    const breaker = slow(clock);
    const store = new MemoryBreakerStore(clock);
    const take = store.takeTrial.bind(store);
    store.takeTrial = async (request) => {
      await clock.sleep(5000);
      return take(request);
    };
    const shared = sharedCircuit({ store, timeoutMs: 60_000 });
    const inner = circuitBreaker({ clock, failureThreshold: 1, shared });
    await inner.tryExecute(() => Promise.reject(down));
    await clock.advance(60_000);
    const call = pipeline({ clock }, breaker, inner).tryExecute(() => clock.sleep(100));
    await clock.advance(6000);
    expect(await call).toEqual({ ok: true, value: undefined });
    expect(breaker.stats().calls).toMatchObject({ success: 1, slow: 0 });
  });

  it('does not count the wait for a turn at a half-open circuit inside', async () => {
    const clock = new ManualClock();
    const breaker = slow(clock);
    const inner = circuitBreaker({
      clock,
      failureThreshold: 1,
      successThreshold: 2,
      halfOpenMaxWaitMs: 60_000,
    });
    await inner.tryExecute(() => Promise.reject(down));
    await clock.advance(60_000);
    const policy = pipeline({ clock }, breaker, inner);
    void inner.execute(() => clock.sleep(5000));
    await settle();
    const call = policy.tryExecute(() => clock.sleep(100));
    await clock.advance(6000);
    expect(await call).toEqual({ ok: true, value: undefined });
    expect(breaker.stats().calls).toMatchObject({ success: 1, slow: 0 });
  });

  it('counts an attempt of a hedge that is slow while the next one waits', async () => {
    const clock = new ManualClock();
    const breaker = slow(clock);
    const one = concurrency({ clock, limit: 1 });
    const policy = pipeline({ clock }, breaker, hedge({ clock, delayMs: 50 }), one);
    const call = policy.tryExecute(() => clock.sleep(5000));
    await clock.advance(10_000);
    expect((await call).ok).toBe(true);
    expect(breaker.stats().calls).toMatchObject({ success: 0, slow: 1 });
  });

  it('counts a part of a call that is slow while another one waits', async () => {
    const clock = new ManualClock();
    const breaker = slow(clock);
    const one = concurrency({ clock, limit: 1 });
    const other = pipeline({ clock });
    const held = one.tryAcquire();
    const call = breaker.tryExecute((parent: CallContext) =>
      Promise.all([
        one.execute(() => 1, { parent }),
        other.execute(() => clock.sleep(4000), { parent }),
      ]),
    );
    await clock.advance(5000);
    held?.release();
    await clock.advance(0);
    expect((await call).ok).toBe(true);
    expect(breaker.stats().calls).toMatchObject({ success: 0, slow: 1 });
  });

  it('does not count the waits of parts that run one after the other', async () => {
    const clock = new ManualClock();
    const breaker = slow(clock);
    const one = concurrency({ clock, limit: 1 });
    const call = breaker.tryExecute(async (parent: CallContext) => {
      for (let i = 0; i < 3; i++) {
        const held = one.tryAcquire();
        clock.schedule(() => held?.release(), 1000);
        await one.execute(() => clock.sleep(50), { parent });
      }
    });
    await clock.advance(5000);
    expect((await call).ok).toBe(true);
    expect(breaker.stats().calls).toMatchObject({ success: 1, slow: 0 });
  });
});
