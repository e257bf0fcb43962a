import { ManualClock } from '@temper/testkit/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailureTrend } from './forecast.ts';

/** Ten calls in each step of five seconds, of which so many fail, each `ms` long. */
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
  it('is silent before anything happened', () => {
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

  it('foresees nothing while all is well', () => {
    const forecast = play(Array.from({ length: 24 }, () => 0)).trend.forecast(0.5);
    expect(forecast).toMatchObject({ failureRatio: 0, inOneMinute: 0 });
    expect(forecast.reachesThresholdInMs).toBeUndefined();
  });

  it('sees a ratio that rises before it is high', () => {
    const { trend } = play([0, 0, 0, 0, 1, 1, 2, 2, 3, 3]);
    const forecast = trend.forecast(0.5);
    expect(forecast.failureRatio).toBeLessThan(0.35);
    expect(forecast.trendPerMinute).toBeGreaterThan(0.2);
    expect(forecast.inOneMinute).toBeGreaterThan(0.45);
    expect(forecast.reachesThresholdInMs).toBeGreaterThan(0);
    expect(forecast.reachesThresholdInMs).toBeLessThan(120_000);
  });

  it('calls off when things get better', () => {
    const { trend } = play([5, 5, 5, 4, 3, 2, 1, 0, 0, 0]);
    const forecast = trend.forecast(0.5);
    expect(forecast.trendPerMinute).toBeLessThan(0);
    expect(forecast.reachesThresholdInMs).toBeUndefined();
  });

  it('says 0 when the threshold is reached already', () => {
    const { trend } = play(Array.from({ length: 12 }, () => 8));
    expect(trend.forecast(0.5).reachesThresholdInMs).toBe(0);
  });

  it('knows nothing of what has been silent for five minutes', () => {
    const { clock, trend } = play(Array.from({ length: 12 }, () => 8));
    clock.jump(60_000);
    expect(trend.forecast(0.5)).toMatchObject({ calls: 0, demand: 0 });
    expect(trend.forecast(0.5).failureRatio).toBeGreaterThan(0.5);
    clock.jump(300_000);
    expect(trend.forecast(0.5)).toMatchObject({ failureRatio: 0, trendPerMinute: 0 });
  });

  it('tells the demand by Little’s law: two calls a second of half a second are one at a time', () => {
    const { trend } = play(
      Array.from({ length: 24 }, () => 0),
      500,
    );
    expect(trend.forecast(0.5).demand).toBeCloseTo(1, 1);
    expect(trend.forecast(0.5).calls).toBeGreaterThan(100);
  });

  it('keeps ratios between 0 and 1, whatever happens', () => {
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
