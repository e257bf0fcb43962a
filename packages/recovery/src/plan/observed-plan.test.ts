import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { RecoveryPlan } from './plan.ts';
import { recover } from './recovery.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function make(plan: Partial<RecoveryPlan> = {}) {
  const clock = new ManualClock();
  const environment = { clock, random: () => 0.5 }; // in the middle of ± 20 %: no jitter at all
  return { clock, recovery: recover({ operation: 'op', ...plan }, environment) };
}

/** Fails so many times, then answers. */
function failing(times: number, make: () => unknown = reset) {
  let calls = 0;
  return async (): Promise<string> => {
    if (++calls <= times) throw make();
    return `answer of call ${calls}`;
  };
}

describe('the forecast of a plan', () => {
  it('counts what a fallback saved as a failure of the service, and a retry’s rescue as none', async () => {
    const { recovery } = make({ strategy: 'fallback', fallback: () => 1 });
    for (let i = 0; i < 10; i++) await recovery.execute(failing(1));
    expect(recovery.forecast().failureRatio).toBe(1);
    const other = make({ retryDelayMs: 0 });
    for (let i = 0; i < 10; i++) await other.clock.runUntil(other.recovery.execute(failing(1)));
    expect(other.recovery.forecast().failureRatio).toBe(0);
  });
});

describe('the history of a recovery', () => {
  it('tells what happened, in words, and takes queries', async () => {
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
        error: { type: 'RETRY_EXHAUSTED', message: expect.stringContaining('gave up') },
      },
    ]);
    expect(recovery.history({ outcome: 'failure' })).toHaveLength(1);
    expect(recovery.history({ limit: 0 })).toEqual([]);
  });
});

describe('what latencies suggest', () => {
  it('is nothing before there are enough of them, and then comes from their quantiles', async () => {
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
