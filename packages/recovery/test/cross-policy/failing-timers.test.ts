import { circuitBreaker } from '@temper/breaker';
import { MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import type { Clock, Policy } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hedge } from '../../src/index.ts';
import { transient } from './catalogue.ts';

// A clock is the user's: one that cannot arm a timer must not take away the result of a call that needs none,
// nor end the process by a rejection that nobody handles.

/** A clock that arms no timer. */
function withoutTimers(clock: ManualClock): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    schedule: () => {
      throw new Error('no timer');
    },
  };
}

const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});
afterEach(() => {
  process.off('unhandledRejection', onUnhandled);
});

const POLICIES: Readonly<Record<string, (clock: Clock, real: ManualClock) => Policy>> = {
  'a hedge': (clock) => hedge({ clock, delayMs: 10 }),
  'a hedge with a computed delay': (clock) => hedge({ clock, delayMs: () => 10 }),
  'a hedge that follows the latencies': (clock) => hedge({ clock }),
  'a breaker with a listener': (clock) =>
    circuitBreaker({ clock, failureThreshold: 1, onStateChange: () => {} }),
  'a breaker that shares its circuit': (clock, real) =>
    circuitBreaker({
      clock,
      failureThreshold: 1,
      shared: sharedCircuit({ store: new MemoryBreakerStore(real) }),
    }),
};

describe.each(Object.keys(POLICIES))('%s with a clock that cannot arm a timer', (kind) => {
  it('hands on results and errors, and opens and closes as ever', async () => {
    const real = new ManualClock();
    const policy = (POLICIES[kind] as (typeof POLICIES)[string])(withoutTimers(real), real);
    const later = async (): Promise<string> => {
      await settle();
      return 'answer';
    };
    await expect(policy.execute(later)).resolves.toBe('answer');
    const error = transient('reset');
    const failing = async (): Promise<never> => {
      await settle();
      throw error;
    };
    const failed = await policy.tryExecute(failing);
    expect(failed.ok).toBe(false);
    if (kind.includes('breaker')) {
      await expect(policy.execute(later)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    }
    await real.advance(120_000);
    await expect(policy.execute(later)).resolves.toBe('answer');
    await settle();
    expect(unhandled).toEqual([]);
  });
});
