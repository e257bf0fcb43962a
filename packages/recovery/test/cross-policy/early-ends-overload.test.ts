import { circuitBreaker } from '@temper/breaker';
import type { CallContext, Executor, Operation } from '@temper/core';
import { throttle } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, fallback, pipeline, timeout } from '../../src/index.ts';

// A dependency that hangs is overloaded by the fact that its calls were ended, not by the error that a client
// happens to have for that.

const hang = (clock: ManualClock, fail: (reason: unknown) => unknown): Operation<unknown> => {
  return async ({ signal }: CallContext) => {
    try {
      await clock.sleep(1e6, signal);
    } catch (reason) {
      throw fail(reason);
    }
  };
};

/** What clients make of an abort. */
const CLIENTS: Readonly<Record<string, (clock: ManualClock) => Operation<unknown>>> = {
  'rejects with the reason': (clock) => hang(clock, (reason) => reason),
  'has an error for every abort': (clock) =>
    hang(clock, () => Object.assign(new Error('canceled'), { code: 'ERR_CANCELED' })),
  'wraps the reason': (clock) => hang(clock, (cause) => new Error('query failed', { cause })),
  'closes its socket': (clock) => hang(clock, () => new Error('socket closed')),
  'throws what is no error': (clock) => hang(clock, () => 'aborted'),
  'ignores the signal, and answers late': (clock) => () => clock.sleep(5000),
};

type Make = (clock: ManualClock) => Executor;

/** What ends a call because it takes too long. */
const ENDS: Readonly<Record<string, { around?: Make; options?: () => object }>> = {
  'its deadline': { options: () => ({ timeoutMs: 1000 }) },
  'a timeout around': { around: (clock) => timeout({ clock, timeoutMs: 1000 }) },
  'the timeout of an attempt': {
    around: (clock) => retry({ clock, attemptTimeoutMs: 1000, maxAttempts: 1 }),
  },
};

/** How many of the calls a policy has counted against its dependency. */
const COUNTING: Readonly<Record<string, (clock: ManualClock) => [Executor, () => number]>> = {
  throttle: (clock) => {
    const policy = throttle({ clock, windowMs: 1e9, random: () => 0.999 });
    const counted = () => {
      const { requests, accepts } = policy.stats();
      return requests.critical - accepts;
    };
    return [policy, counted];
  },
  adaptiveConcurrency: (clock) => {
    const options = { algorithm: 'aimd', initialLimit: 1000, backoffRatio: 0.5 } as const;
    const policy = adaptiveConcurrency({ clock, ...options });
    return [policy, () => Math.round(Math.log2(1000 / policy.stats().limit))];
  },
  breaker: (clock) => {
    const policy = circuitBreaker({ clock, failureThreshold: 100 });
    return [policy, () => policy.stats().calls.failure];
  },
};

describe.each(Object.keys(COUNTING))('%s', (kind) => {
  describe.each(Object.keys(ENDS))('counts calls that %s has ended', (end) => {
    it.each(Object.keys(CLIENTS))('whose client %s', async (client) => {
      const clock = new ManualClock();
      const [policy, counted] = (COUNTING[kind] as (typeof COUNTING)[string])(clock);
      const { around, options } = ENDS[end] as (typeof ENDS)[string];
      const outer = around === undefined ? [] : [around(clock)];
      const guarded = pipeline({ clock }, ...outer, policy);
      const operation = (CLIENTS[client] as (typeof CLIENTS)[string])(clock);
      for (let i = 0; i < 4; i++) {
        const call = guarded.tryExecute(operation, options?.());
        await clock.advance(6000);
        expect((await call).ok).toBe(false);
      }
      expect(counted()).toBe(4);
    });
  });

  it.each(Object.keys(CLIENTS))(
    'counts no call that was cancelled, whose client %s',
    async (client) => {
      const clock = new ManualClock();
      const [policy, counted] = (COUNTING[kind] as (typeof COUNTING)[string])(clock);
      const operation = (CLIENTS[client] as (typeof CLIENTS)[string])(clock);
      const controller = new AbortController();
      const call = pipeline({ clock }, policy).tryExecute(operation, { signal: controller.signal });
      await clock.advance(500);
      controller.abort();
      await clock.advance(6000);
      await call;
      expect(counted()).toBe(0);
    },
  );
});

describe('an answer that is not the dependency’s', () => {
  const down = () => Promise.reject(Object.assign(new Error('down'), { code: 'ECONNREFUSED' }));

  /** Policies inside which a call is answered although the dependency fails, after an answer in time. */
  const ELSEWHERE: Readonly<Record<string, Make>> = {
    'a fallback': (clock) => fallback({ clock, handler: () => 'second best' }),
    'an old answer of a cache': (clock) => cached({ clock, key: () => 'k' }),
    'a fresh answer of a cache': (clock) => cached({ clock, key: () => 'k', freshMs: 1e9 }),
  };

  it.each(Object.keys(ELSEWHERE))('tells neither limit that it went well: %s', async (kind) => {
    const clock = new ManualClock();
    const inner = (ELSEWHERE[kind] as Make)(clock);
    await inner.execute(() => 'answer');
    const limit = adaptiveConcurrency({ clock, algorithm: 'aimd', initialLimit: 2 });
    const shedding = throttle({ clock, windowMs: 1e9 });
    for (const outer of [limit, shedding]) {
      const policy = pipeline({ clock }, outer, inner);
      for (let i = 0; i < 20; i++) expect((await policy.tryExecute(down)).ok).toBe(true);
    }
    expect(limit.stats().limit).toBe(2);
    expect(shedding.stats().accepts).toBe(0);
  });

  it('leaves the calls that reach the dependency to count', async () => {
    const clock = new ManualClock();
    const shedding = throttle({ clock, windowMs: 1e9 });
    const policy = pipeline({ clock }, shedding, cached({ clock, key: ({ key = '' }) => key }));
    for (const key of ['a', 'b', 'c']) await policy.execute(() => key, { key });
    expect(shedding.stats().accepts).toBe(3);
  });
});
