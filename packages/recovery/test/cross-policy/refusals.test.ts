import { circuitBreaker } from '@temper/breaker';
import { type Executor, isRefusal, type Outcome, type Policy } from '@temper/core';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { cached, fallback, hedge, pipeline, timeout } from '../../src/index.ts';
import { everyError, expectNothingLeft, KIND_NAMES, KINDS, SECOND_BEST } from './catalogue.ts';
import { CALLS, REFUSING, type Refusing } from './refusing.ts';

const PAIRS = KIND_NAMES.flatMap((outer) =>
  (Object.keys(REFUSING) as Refusing[]).map((inner) => [outer, inner] as const),
);

describe.each(PAIRS)('%s around %s that refuses', (outer, inner) => {
  it.each(Object.entries(CALLS))(
    'rejects with the refusal, or answers for it: a call %s',
    async (_, call) => {
      const clock = new ManualClock();
      const refusing = await REFUSING[inner](clock);
      const around = KINDS[outer](clock);
      const policy = pipeline({ clock }, around, refusing);
      const operation = vi.fn();
      const others: unknown[] = [];
      // An assertion costs as much as a call: there is one for all calls.
      for (let i = 0; i < 30; i++) {
        const outcome = (await clock.runUntil(
          call(policy, operation) as Promise<Outcome<unknown>>,
        )) as Outcome<unknown>;
        const expected = outcome.ok
          ? outer === 'fallback' && outcome.value === SECOND_BEST
          : outer !== 'fallback' &&
            isRefusal(outcome.error) &&
            everyError(outcome.error).some(isRefusal);
        if (!expected) others.push(outcome);
      }
      expect(others).toEqual([]);
      expect(operation).not.toHaveBeenCalled();
      await expectNothingLeft(clock);
    },
  );
});

describe.each(Object.keys(REFUSING) as Refusing[])('a refusal by %s', (inner) => {
  /** A policy around the refusing one, which refuses when `refuses` says so. */
  const setUp = async (clock: ManualClock, around: Executor) => {
    const refusing = await REFUSING[inner](clock);
    const state = { refuses: true };
    const policy = pipeline({ clock }, around, {
      execute: (operation, options) =>
        state.refuses
          ? refusing.execute(operation)
          : pipeline({ clock }).execute(operation, { signal: options?.signal }),
    });
    return { policy, state };
  };
  const refuse = async (clock: ManualClock, policy: Policy, times = 30): Promise<void> => {
    for (let i = 0; i < times; i++) await clock.runUntil(policy.tryExecute(() => 'answer'));
  };

  it('is not counted by a breaker around it, closed or half-open', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 3, openDurationMs: 1000 });
    const { policy, state } = await setUp(clock, breaker);
    await refuse(clock, policy);
    expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { failure: 0, ignored: 30 } });
    state.refuses = false;
    for (let i = 0; i < 3; i++) await policy.tryExecute(() => Promise.reject(new Error('down')));
    await clock.advance(1000);
    state.refuses = true;
    await refuse(clock, policy);
    expect(breaker.state).toBe('half-open');
    state.refuses = false;
    for (let i = 0; i < 5; i++) await policy.tryExecute(() => 'answer');
    expect(breaker.state).toBe('closed');
  });

  it('does not train an adaptive limit around it', async () => {
    const clock = new ManualClock();
    const adaptive = adaptiveConcurrency({ clock });
    const { policy } = await setUp(clock, adaptive);
    const before = adaptive.stats().limit;
    await refuse(clock, policy, 200);
    expect(adaptive.stats().limit).toBe(before);
  });

  it('trains neither a timeout nor the delay of a hedge', async () => {
    const clock = new ManualClock();
    const observed = { quantile: 0.95, maxMs: 1000 };
    const limit = timeout({ clock, timeoutMs: observed });
    const hedged = hedge({ clock, delayMs: observed, shouldHandle: () => false });
    for (const around of [limit, hedged]) {
      const { policy } = await setUp(clock, around);
      await refuse(clock, policy, 100);
    }
    expect([limit.timeoutMs, hedged.stats().delayMs]).toEqual([1000, 1000]);
    expect([limit.stats().cutOffShare, hedged.stats().cutOffShare]).toEqual([0, 0]);
  });

  it('does not end the attempt of a hedge that is running', async () => {
    const clock = new ManualClock();
    const hedged = hedge({ clock, delayMs: 50, maxAttempts: 5 });
    const { policy, state } = await setUp(clock, hedged);
    state.refuses = false;
    const aborted: boolean[] = [];
    const call = policy.execute(async ({ signal }) => {
      await clock.sleep(1000);
      aborted.push(signal.aborted);
      return 'first';
    });
    state.refuses = true;
    await expect(clock.runUntil(call)).resolves.toBe('first');
    expect(aborted).toEqual([false]);
    expect(hedged.stats().hedges).toBeGreaterThan(0);
  });

  it('is answered from a cache that has an old answer', async () => {
    const clock = new ManualClock();
    const { policy, state } = await setUp(clock, cached({ clock, key: () => 'k' }));
    state.refuses = false;
    await policy.execute(() => 'old');
    state.refuses = true;
    await expect(policy.execute(() => 'new')).resolves.toBe('old');
  });

  it('is what a fallback that fails too was called for', async () => {
    const clock = new ManualClock();
    const second = new Error('second');
    const { policy } = await setUp(
      clock,
      fallback({ clock, handler: () => Promise.reject(second) }),
    );
    const outcome = await policy.tryExecute(() => 'answer');
    expect(outcome).toMatchObject({
      ok: false,
      error: { code: 'FALLBACK_FAILED', fallbackError: second },
    });
  });
});
