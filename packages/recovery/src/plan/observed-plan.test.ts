import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { RecoveryPlan } from './plan.ts';
import { recover } from './recovery.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function make(plan: Partial<RecoveryPlan> = {}) {
  const clock = new ManualClock();
  const environment = { clock, random: () => 0.5 }; // the middle of ± 20 %: no jitter
  return { clock, recovery: recover({ operation: 'op', ...plan }, environment) };
}

/** Fails a number of times, then succeeds. */
function failing(times: number, make: () => unknown = reset) {
  let calls = 0;
  return async (): Promise<string> => {
    if (++calls <= times) throw make();
    return `answer of call ${calls}`;
  };
}

describe('the history of a recovery', () => {
  it('has one record per execution, and can be queried', async () => {
    const { clock, recovery } = make();
    await recovery.execute(failing(0));
    await clock.runUntil(recovery.execute(failing(1)));
    await clock.runUntil(recovery.execute(failing(9)));
    expect(recovery.history()).toMatchObject([
      {
        sequence: 1,
        operation: 'op',
        strategy: 'retry',
        outcome: 'success',
        attempts: 1,
        elapsedMs: 0,
      },
      { sequence: 2, outcome: 'recovered', recoveredBy: 'retry', attempts: 2, error: undefined },
      {
        sequence: 3,
        outcome: 'failure',
        attempts: 4,
        error: { type: 'ECONNRESET', message: 'reset' },
      },
    ]);
    expect(recovery.history({ outcome: 'failure' })).toHaveLength(1);
    expect(recovery.history({ limit: 0 })).toEqual([]);
  });
});

describe('the suggestion of a plan', () => {
  it('is absent before there are enough of them, and then follows their quantiles', async () => {
    const { clock, recovery } = make();
    for (let i = 0; i < 99; i++) await clock.runUntil(recovery.execute(() => clock.sleep(20)));
    expect(recovery.suggest()).toBeUndefined();
    await clock.runUntil(recovery.execute(() => clock.sleep(400)));
    const suggestion = recovery.suggest();
    expect(suggestion?.samples).toBe(100);
    expect(suggestion?.p50Ms).toBeGreaterThanOrEqual(20);
    expect(suggestion?.p50Ms).toBeLessThanOrEqual(23);
    expect(suggestion?.hedgeDelayMs).toBe(suggestion?.p95Ms);
    expect(suggestion?.attemptTimeoutMs).toBe((suggestion?.p99Ms ?? 0) * 3);
  });
});
