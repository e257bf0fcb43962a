import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Aimd } from './aimd.ts';

const make = (more = {}): Aimd =>
  new Aimd({
    initialLimit: 10,
    minLimit: 2,
    maxLimit: 100,
    backoffRatio: 0.5,
    latencyThresholdMs: 100,
    ...more,
  });

/** A round: as many calls as the limit allows, all of which take as long. */
function round(algorithm: Aimd, startedAt: number, ms: number, overloaded = false): void {
  const inFlight = Math.floor(algorithm.limit);
  for (let call = 0; call < inFlight; call++) {
    algorithm.observe({ startedAt, endedAt: startedAt + ms, inFlight, overloaded });
  }
}

describe('aimd', () => {
  it('doubles each round until the first sign of overload, then grows by about one', () => {
    const algorithm = make();
    round(algorithm, 0, 50);
    expect(algorithm.limit).toBe(20);
    round(algorithm, 50, 50);
    expect(algorithm.limit).toBe(40);
    round(algorithm, 100, 50, true);
    expect(algorithm.limit).toBe(20);
    round(algorithm, 150, 50);
    expect(algorithm.limit).toBeCloseTo(21, 0);
  });

  it('falls once per round, however many of its calls fail', () => {
    const algorithm = make({ initialLimit: 64 });
    round(algorithm, 0, 50, true);
    expect(algorithm.limit).toBe(32);
    round(algorithm, 50, 50, true);
    expect(algorithm.limit).toBe(16);
  });

  it('treats a slow call as a sign of overload', () => {
    const algorithm = make();
    algorithm.observe({ startedAt: 0, endedAt: 101, inFlight: 10, overloaded: false });
    expect(algorithm.limit).toBe(5);
  });

  it('does not grow while it is not used', () => {
    const algorithm = make();
    for (let i = 0; i < 1000; i++) {
      algorithm.observe({ startedAt: i, endedAt: i + 10, inFlight: 4, overloaded: false });
    }
    expect(algorithm.limit).toBe(10);
  });

  it('stays within its bounds whatever happens', () => {
    const sample = fc.record({
      startedAt: fc.integer({ min: 0, max: 10_000 }),
      ms: fc.integer({ min: 0, max: 500 }),
      inFlight: fc.integer({ min: 1, max: 200 }),
      overloaded: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 300 }), (samples) => {
        const algorithm = make();
        for (const { startedAt, ms, inFlight, overloaded } of samples) {
          algorithm.observe({ startedAt, endedAt: startedAt + ms, inFlight, overloaded });
          expect(algorithm.limit).toBeGreaterThanOrEqual(2);
          expect(algorithm.limit).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});
