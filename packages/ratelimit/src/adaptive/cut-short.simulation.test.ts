import type { Operation } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from './adaptive-concurrency.ts';

// Calls that have waited for their turn have little of their time left. Ended by their deadline in the middle
// of the operation, they say nothing about the dependency, and must not keep the limit low for those behind.

const random = (): number => 0.5;
const ALGORITHMS = ['gradient', 'aimd'] as const;

type Call = Parameters<Operation<unknown>>[0];
const OUTAGES: Readonly<Record<string, (clock: ManualClock, call: Call) => Promise<unknown>>> = {
  'refuses calls': async (clock, { signal }) => {
    await clock.sleep(2, signal);
    throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  },
  hangs: (clock, { signal }) => clock.sleep(3_600_000, signal),
  'hangs, and does not heed the signal': (clock) => clock.sleep(30_000),
  'is slow': (clock, { signal }) => clock.sleep(3000, signal),
};

describe.each(ALGORITHMS)('an adaptive limit by %s', (algorithm) => {
  it.each(
    Object.keys(OUTAGES).flatMap((outage) =>
      [65, 150].map((afterMs) => [outage, afterMs] as const),
    ),
  )(
    'recovers with more demand than its lowest limit serves, when its dependency %s and then takes %d ms',
    async (outage, afterMs) => {
      const clock = new ManualClock();
      const policy = adaptiveConcurrency({ clock, algorithm, random });
      let latencyMs = 65;
      let down = false;
      const operation: Operation<unknown> = (call) =>
        down
          ? (OUTAGES[outage] as (typeof OUTAGES)[string])(clock, call)
          : clock.sleep(latencyMs, call.signal);
      /** @returns the share of the calls of so many seconds that succeeded */
      const seconds = async (count: number): Promise<number> => {
        const calls: Promise<{ ok: boolean }>[] = [];
        for (let i = 0; i < count * 20; i++) {
          calls.push(policy.tryExecute(operation, { timeoutMs: 500 }));
          await clock.advance(50);
        }
        await clock.advance(500);
        const ended = await Promise.all(calls);
        return ended.filter(({ ok }) => ok).length / ended.length;
      };
      expect(await seconds(10)).toBeGreaterThan(0.95);
      down = true;
      expect(await seconds(20)).toBeLessThan(0.05);
      down = false;
      latencyMs = afterMs;
      await clock.advance(31_000); // until the last deaf calls have ended
      await seconds(30);
      expect(await seconds(10)).toBeGreaterThan(0.95);
    },
  );

  it('is not lowered by callers that give less time than the dependency takes', async () => {
    const clock = new ManualClock();
    const policy = adaptiveConcurrency({ clock, algorithm, random });
    const operation: Operation<unknown> = ({ signal }) => clock.sleep(50, signal);
    const patient: Promise<{ ok: boolean }>[] = [];
    for (let i = 0; i < 2000; i++) {
      void policy.tryExecute(operation, { timeoutMs: 10 });
      const call = policy.tryExecute(operation, { timeoutMs: 500 });
      if (i > 100) patient.push(call);
      await clock.advance(10);
    }
    await clock.advance(500);
    expect((await Promise.all(patient)).every(({ ok }) => ok)).toBe(true);
    expect(policy.stats().limit).toBeGreaterThanOrEqual(10);
  });

  it('falls when calls that had all of their time are ended by their deadline', async () => {
    const clock = new ManualClock();
    const policy = adaptiveConcurrency({ clock, algorithm, random });
    for (let i = 0; i < 100; i++) {
      void policy.tryExecute(({ signal }) => clock.sleep(20, signal), { timeoutMs: 500 });
      await clock.advance(50);
    }
    const { limit } = policy.stats();
    for (let i = 0; i < 200; i++) {
      void policy.tryExecute(({ signal }) => clock.sleep(60_000, signal), { timeoutMs: 500 });
      await clock.advance(50);
    }
    expect(policy.stats().limit).toBeLessThanOrEqual(limit / 2);
  });
});
