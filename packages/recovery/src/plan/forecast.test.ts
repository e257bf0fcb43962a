import { ManualClock } from '@temper/testkit/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailureTrend } from './forecast.ts';

/** Ten calls of `ms` each in every step of five seconds, of which the given number fails. */
function play(failures: readonly number[], ms = 100) {
  const clock = new ManualClock();
  const trend = new FailureTrend(clock);
  for (const failed of failures) {
    for (let call = 0; call < 10; call++) {
      trend.record(call < failed, ms);
      clock.jump(500);
    }
  }
  return { clock, trend };
}

describe('a failure trend', () => {
  it('is zero before the first call', () => {
    expect(new FailureTrend(new ManualClock()).forecast(0.5)).toEqual({
      failureRatio: 0,
      trendPerMinute: 0,
      inOneMinute: 0,
      reachesThresholdInMs: undefined,
      threshold: 0.5,
      demand: 0,
      calls: 0,
    });
  });

  it('expects no failures while none occur', () => {
    const forecast = play(Array.from({ length: 24 }, () => 0)).trend.forecast(0.5);
    expect(forecast).toMatchObject({ failureRatio: 0, inOneMinute: 0 });
    expect(forecast.reachesThresholdInMs).toBeUndefined();
  });

  it('detects a rising ratio before it is high', () => {
    const { trend } = play([0, 0, 0, 0, 1, 1, 2, 2, 3, 3]);
    const forecast = trend.forecast(0.5);
    expect(forecast.failureRatio).toBeLessThan(0.35);
    expect(forecast.trendPerMinute).toBeGreaterThan(0.2);
    expect(forecast.inOneMinute).toBeGreaterThan(0.45);
    expect(forecast.reachesThresholdInMs).toBeGreaterThan(0);
    expect(forecast.reachesThresholdInMs).toBeLessThan(120_000);
  });

  it('does not reach a threshold while the ratio falls', () => {
    const { trend } = play([5, 5, 5, 4, 3, 2, 1, 0, 0, 0]);
    const forecast = trend.forecast(0.5);
    expect(forecast.trendPerMinute).toBeLessThan(0);
    expect(forecast.reachesThresholdInMs).toBeUndefined();
  });

  it('returns 0 when the threshold has been reached', () => {
    const { trend } = play(Array.from({ length: 12 }, () => 8));
    expect(trend.forecast(0.5).reachesThresholdInMs).toBe(0);
  });

  it('drops level and trend after five minutes without a call', () => {
    const { clock, trend } = play(Array.from({ length: 12 }, () => 8));
    clock.jump(60_000);
    expect(trend.forecast(0.5)).toMatchObject({ calls: 0, demand: 0 });
    expect(trend.forecast(0.5).failureRatio).toBeGreaterThan(0.5);
    clock.jump(300_000);
    expect(trend.forecast(0.5)).toMatchObject({ failureRatio: 0, trendPerMinute: 0 });
  });

  it('computes the demand by Little’s law: two calls per second of half a second are one in flight', () => {
    const { trend } = play(
      Array.from({ length: 24 }, () => 0),
      500,
    );
    expect(trend.forecast(0.5).demand).toBeCloseTo(1, 1);
    expect(trend.forecast(0.5).calls).toBeGreaterThan(100);
  });

  it('equals Holt’s smoothing over the steps with calls, and sums the demand over one minute', () => {
    const step = fc.record({
      calls: fc.integer({ min: 0, max: 15 }),
      failed: fc.integer({ min: 0, max: 15 }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 4999 }),
        (steps, offset) => {
          const clock = new ManualClock();
          clock.jump(4000 + 5000 * 3); // to the beginning of a step
          const trend = new FailureTrend(clock);
          let level: number | undefined;
          let slope = 0;
          for (const { calls, failed } of steps) {
            for (let call = 0; call < calls; call++) trend.record(call < failed, 100);
            clock.jump(5000);
            if (calls === 0) continue;
            const ratio = Math.min(failed, calls) / calls;
            if (level === undefined) {
              level = ratio;
              continue;
            }
            const weight = 0.4 * Math.min(1, calls / 10);
            const next = Math.min(1, Math.max(0, weight * ratio + (1 - weight) * (level + slope)));
            slope = 0.2 * (next - level) + 0.8 * slope;
            level = next;
          }
          clock.jump(offset);
          const now = trend.forecast(2);
          expect(now.failureRatio).toBeCloseTo(level ?? 0, 9);
          expect(now.trendPerMinute).toBeCloseTo(slope * 12, 9);
          expect(now.inOneMinute).toBeCloseTo(
            Math.min(1, Math.max(0, (level ?? 0) + slope * 12)),
            9,
          );
          // The present step, which is empty, and the eleven before it.
          const seen = steps.slice(-11).reduce((sum, { calls }) => sum + calls, 0);
          expect(now.calls).toBe(seen);
          const spanMs = Math.min(steps.length * 5000, 55_000) + offset;
          expect(now.demand).toBeCloseTo((seen * 100) / spanMs, 9);
        },
      ),
    );
  });

  it('computes when a threshold is reached by linear extrapolation', () => {
    const { trend } = play([0, 0, 1, 1, 2, 2, 3, 3]);
    const { failureRatio, trendPerMinute } = trend.forecast(1);
    const ms = (threshold: number) => trend.forecast(threshold).reachesThresholdInMs;
    const at = (threshold: number) => ((threshold - failureRatio) / trendPerMinute) * 60_000;
    expect(ms(0.4)).toBeCloseTo(at(0.4), 6);
    expect(ms(failureRatio)).toBe(0);
    const tenMinutesAhead = failureRatio + 10 * trendPerMinute;
    expect(ms(tenMinutesAhead - 0.001)).toBeCloseTo(600_000, -3);
    expect(ms(tenMinutesAhead + 0.001)).toBeUndefined();
  });

  it('drops the level only after five minutes without any call', () => {
    const clock = new ManualClock();
    clock.jump(4000);
    const trend = new FailureTrend(clock);
    const call = (): void => {
      trend.record(true, 1);
      clock.jump(5000);
    };
    call();
    for (let round = 0; round < 5; round++) {
      clock.jump(50 * 5000);
      call(); // one call in between keeps the level
      expect(trend.forecast(0.5).failureRatio).toBe(1);
    }
    clock.jump(59 * 5000);
    expect(trend.forecast(0.5).failureRatio).toBe(1);
    clock.jump(5000);
    expect(trend.forecast(0.5).failureRatio).toBe(0);
  });

  it('keeps ratios between 0 and 1', () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 400_000 }), failed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const clock = new ManualClock();
        const trend = new FailureTrend(clock);
        for (const { wait, failed } of steps) {
          clock.jump(wait);
          trend.record(failed, wait);
          const { failureRatio, inOneMinute, demand, calls } = trend.forecast(0.5);
          for (const ratio of [failureRatio, inOneMinute]) {
            expect(ratio).toBeGreaterThanOrEqual(0);
            expect(ratio).toBeLessThanOrEqual(1);
          }
          expect(demand).toBeGreaterThanOrEqual(0);
          expect(calls).toBeGreaterThan(0);
        }
      }),
    );
  });
});
