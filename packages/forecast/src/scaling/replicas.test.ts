import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviations, replicasFor, Stabilizer, wholeReplicas } from './replicas.ts';

const BASE = { serviceTimeMs: 80, queued: 0, drainMs: 30_000, concurrency: 16, utilization: 1 };
const BOUNDS = { minReplicas: 2, maxReplicas: 50, tolerance: 0.1 };

describe('the number of replicas', () => {
  it("is Little's law over the concurrency of one", () => {
    // 2000 calls per second of 80 ms: 160 run at the same time.
    expect(replicasFor({ ...BASE, rate: 2000 })).toBeCloseTo(10, 9);
    expect(replicasFor({ ...BASE, rate: 2000, utilization: 0.5 })).toBeCloseTo(20, 9);
  });

  it('drains the calls that wait within their time', () => {
    // 6000 calls in 30 seconds are 200 more per second.
    expect(replicasFor({ ...BASE, rate: 2000, queued: 6000 })).toBeCloseTo(11, 9);
  });

  it('is whole, within the bounds, and stays within the tolerance', () => {
    expect(wholeReplicas(10.2, undefined, BOUNDS)).toBe(11);
    expect(wholeReplicas(10.9, 10, BOUNDS)).toBe(10);
    expect(wholeReplicas(11.1, 10, BOUNDS)).toBe(12);
    expect(wholeReplicas(9.1, 10, BOUNDS)).toBe(10);
    expect(wholeReplicas(8.5, 10, BOUNDS)).toBe(9);
    expect(wholeReplicas(0, 10, BOUNDS)).toBe(2);
    expect(wholeReplicas(1e9, 10, BOUNDS)).toBe(50);
    expect(wholeReplicas(3.0000001, undefined, BOUNDS)).toBe(3);
    expect(wholeReplicas(4, 0, { ...BOUNDS, minReplicas: 0 })).toBe(4);
  });
});

describe('the stabilizer', () => {
  it('is the highest value of the window, of which at most a tenth more is kept', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 4000 }), fc.nat(100)), { minLength: 1 }),
        (steps) => {
          const stabilizer = new Stabilizer(10_000);
          let now = 123_456;
          const all: [number, number][] = [];
          for (const [passed, value] of steps) {
            now += passed;
            all.push([now, value]);
            const within = (ms: number): number =>
              Math.max(...all.filter(([at]) => now - at < ms).map(([, one]) => one));
            const said = stabilizer.add(now, value);
            if (said < within(10_000) || said > within(11_001)) return false;
          }
          return true;
        },
      ),
    );
  });

  it('keeps nothing without a window', () => {
    const stabilizer = new Stabilizer(0);
    stabilizer.add(0, 9);
    expect(stabilizer.add(1, 3)).toBe(3);
  });
});

it('the deviations of an interval are those of the normal distribution', () => {
  expect(deviations(0.5)).toBeCloseTo(0.6745, 3);
  expect(deviations(0.9)).toBeCloseTo(1.6449, 3);
  expect(deviations(0.999)).toBeCloseTo(3.2905, 3);
});
