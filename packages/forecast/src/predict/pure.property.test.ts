import fc from 'fast-check';
import { expect, it } from 'vitest';
import { probabilityOf } from './calibration.ts';
import { EarlyWarning, SIGNALS } from './signals.ts';
import { type Step, StepBuilder } from './step.ts';

const steps = fc.array(
  fc.record({
    calls: fc.integer({ min: 0, max: 1000 }),
    bad: fc.double({ min: 0, max: 1, noNaN: true }),
    slow: fc.double({ min: 0, max: 1, noNaN: true }),
    logDuration: fc.double({ min: -5, max: 15, noNaN: true }),
    logVariance: fc.double({ min: 0, max: 9, noNaN: true }),
    retries: fc.integer({ min: 0, max: 5000 }),
    timeouts: fc.integer({ min: 0, max: 5000 }),
    queue: fc.double({ min: 0, max: 1e6, noNaN: true }),
    oneKey: fc.boolean(),
  }),
  { minLength: 40, maxLength: 200 },
);

it('the score is a finite number from 0, and the highest of the signals, for any steps', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const warning = new EarlyWarning();
      for (const { bad, slow, ...one } of all) {
        const failed = Math.floor(bad * one.calls);
        const step: Step = { ...one, failed, slow: Math.floor(slow * (one.calls - failed)) };
        const score = warning.update(step);
        expect(Number.isFinite(score) && score >= 0).toBe(true);
        const highest = Math.max(...SIGNALS.map((signal) => warning.scores[signal]));
        expect(score).toBe(highest);
      }
    }),
  );
});

it('a signal that never changes has a score of 0', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 5, max: 500 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (calls, share) => {
        const warning = new EarlyWarning();
        const failed = Math.floor(share * calls);
        const step: Step = {
          calls,
          failed,
          slow: 0,
          logDuration: 3,
          logVariance: 0.2,
          retries: failed,
          timeouts: 0,
          queue: 4,
          oneKey: false,
        };
        for (let i = 0; i < 100; i++) expect(warning.update(step)).toBeLessThan(0.01);
      },
    ),
  );
});

it('the probability rises with the score, from 0 to 1', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(probabilityOf(low)).toBeLessThanOrEqual(probabilityOf(high));
        expect(probabilityOf(low)).toBeGreaterThanOrEqual(0);
        expect(probabilityOf(high)).toBeLessThanOrEqual(1);
      },
    ),
  );
});

it('a step adds up the calls that it was given, and the next one begins at zero', () => {
  const call = fc.record({
    failed: fc.boolean(),
    durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 50 }), (calls) => {
      const builder = new StepBuilder(100);
      for (const { failed, durationMs } of calls) builder.record(failed, durationMs);
      const step = builder.close(3, 2, 1);
      expect(step).toMatchObject({
        calls: calls.length,
        failed: calls.filter(({ failed }) => failed).length,
        slow: calls.filter(({ failed, durationMs }) => !failed && durationMs > 100).length,
        retries: 3,
        timeouts: 2,
        queue: 1,
      });
      const logs = calls.map(({ durationMs }) => Math.log(Math.max(0.01, durationMs)));
      const mean = logs.reduce((sum, one) => sum + one, 0) / Math.max(1, logs.length);
      expect(step.logDuration).toBeCloseTo(mean, 6);
      expect(step.logVariance).toBeGreaterThanOrEqual(0);
      expect(builder.close(0, 0, 0)).toMatchObject({ calls: 0, failed: 0, slow: 0 });
    }),
  );
});
