import { seededRandom } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Gradient, type GradientParameters } from './gradient.ts';

const make = (more: Partial<GradientParameters> = {}): Gradient =>
  new Gradient({
    initialLimit: 10,
    minLimit: 1,
    maxLimit: 500,
    tolerance: 2,
    windowMs: 100,
    minSamples: 20,
    probeIntervalMs: 30_000,
    random: seededRandom(1),
    ...more,
  });

/** A backend with so many places, each of which takes so long; callers always fill the limit. */
interface Backend {
  places: number;
  serviceMs: number;
  /** What one call took, in place of what it should have. */
  disturb?: (ms: number) => { ms: number; overloaded: boolean };
}

/** Lets calls come and go until then. With `k` in flight each takes `max(1, k / places)` times its due. */
function run(algorithm: Gradient, backend: Backend, from: number, to: number, load = 1): void {
  let now = from;
  while (now < to) {
    const inFlight = Math.max(1, Math.floor(algorithm.limit * load));
    const due = backend.serviceMs * Math.max(1, inFlight / backend.places);
    const { ms, overloaded } = backend.disturb?.(due) ?? { ms: due, overloaded: false };
    now += due / inFlight;
    algorithm.observe({ startedAt: now - ms, endedAt: now, inFlight, overloaded });
  }
}

describe('gradient', () => {
  it('finds a limit that keeps the dependency busy and its queue short', () => {
    const algorithm = make();
    run(algorithm, { places: 50, serviceMs: 20 }, 0, 20_000);
    expect(algorithm.limit).toBeGreaterThan(50);
    expect(algorithm.limit).toBeLessThan(150);
    expect(algorithm.baseline).toBeCloseTo(20, 0);
  });

  it('finds the limit of a large dependency within a few windows, by a slow start', () => {
    const algorithm = make();
    run(algorithm, { places: 300, serviceMs: 20 }, 0, 1000);
    expect(algorithm.limit).toBeGreaterThan(250);
  });

  it('follows when the dependency loses and regains capacity', () => {
    const algorithm = make();
    const backend = { places: 50, serviceMs: 20 };
    run(algorithm, backend, 0, 10_000);
    backend.places = 10;
    run(algorithm, backend, 10_000, 20_000);
    expect(algorithm.limit).toBeLessThan(30);
    backend.places = 50;
    run(algorithm, backend, 20_000, 30_000);
    expect(algorithm.limit).toBeGreaterThan(50);
  });

  it('distinguishes a slow dependency from a full one', () => {
    const algorithm = make();
    const backend = { places: 50, serviceMs: 20 };
    run(algorithm, backend, 0, 10_000);
    backend.serviceMs = 100;
    run(algorithm, backend, 10_000, 20_000);
    expect(algorithm.baseline).toBeCloseTo(100, -1);
    expect(algorithm.limit).toBeGreaterThan(50);
  });

  it('does not drift upwards during an hour of overload', () => {
    const algorithm = make();
    run(algorithm, { places: 50, serviceMs: 20 }, 0, 3_600_000);
    expect(algorithm.limit).toBeLessThan(150);
    expect(algorithm.baseline).toBeLessThan(30);
  });

  it('ignores quick failures, cached answers and stalls of single calls', () => {
    const chance = seededRandom(7);
    const disturb = (ms: number) => {
      const dice = chance();
      if (dice < 0.1) return { ms: 0.1, overloaded: false };
      if (dice < 0.15) return { ms: ms * 50, overloaded: false };
      return { ms, overloaded: false };
    };
    const algorithm = make();
    run(algorithm, { places: 50, serviceMs: 20, disturb }, 0, 60_000);
    expect(algorithm.baseline).toBeGreaterThan(15);
    expect(algorithm.limit).toBeGreaterThan(45);
    expect(algorithm.limit).toBeLessThan(150);
  });

  it('finds the latency of an idle dependency even if the initial limit is too high', () => {
    const algorithm = make({ initialLimit: 200 });
    run(algorithm, { places: 20, serviceMs: 20 }, 0, 20_000);
    expect(algorithm.baseline).toBeLessThan(30);
    expect(algorithm.limit).toBeLessThan(80);
  });

  it('falls when calls are refused, however quick the rest', () => {
    const algorithm = make({ initialLimit: 100 });
    const disturb = (ms: number) => ({ ms, overloaded: true });
    run(algorithm, { places: 500, serviceMs: 20, disturb }, 0, 2000);
    expect(algorithm.limit).toBe(1);
  });

  it('keeps the latency below half of the time that calls were given', () => {
    const algorithm = make({ tolerance: 50 });
    const backend: Backend = { places: 50, serviceMs: 20 };
    run(algorithm, backend, 0, 2000);
    for (let i = 0; i < 10; i++) {
      algorithm.observe({
        startedAt: 1800,
        endedAt: 2000 + i,
        inFlight: 500,
        overloaded: true,
        timedOut: true,
      });
    }
    run(algorithm, backend, 2010, 30_000);
    // 200 ms of time, 20 ms of work: up to five times the places.
    expect(algorithm.limit).toBeGreaterThan(50);
    expect(algorithm.limit).toBeLessThan(300);
  });

  it('serves a dependency that takes most of the time of its callers without a queue', () => {
    const algorithm = make();
    const backend: Backend = { places: 50, serviceMs: 20 };
    run(algorithm, backend, 0, 5000);
    for (let i = 0; i < 10; i++) {
      algorithm.observe({
        startedAt: 4800,
        endedAt: 5000 + i,
        inFlight: 100,
        overloaded: true,
        timedOut: true,
      });
    }
    backend.serviceMs = 130;
    run(algorithm, backend, 5010, 90_000);
    expect(algorithm.limit).toBeGreaterThan(40);
  });

  it('does not grow while it is not used', () => {
    const algorithm = make({ initialLimit: 100 });
    run(algorithm, { places: 500, serviceMs: 20 }, 0, 60_000, 0.3);
    expect(algorithm.limit).toBe(100);
  });

  it('stays within its bounds whatever happens', () => {
    const sample = fc.record({
      gap: fc.integer({ min: 0, max: 200 }),
      ms: fc.double({ min: 0, max: 5000, noNaN: true }),
      inFlight: fc.integer({ min: 1, max: 1000 }),
      overloaded: fc.boolean(),
      timedOut: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 500 }), (samples) => {
        const algorithm = make({ minSamples: 3, minLimit: 2, probeIntervalMs: 1000 });
        let now = 10_000;
        for (const { gap, ms, inFlight, overloaded, timedOut } of samples) {
          now += gap;
          algorithm.observe({
            startedAt: now - ms,
            endedAt: now,
            inFlight,
            overloaded: overloaded || timedOut,
            timedOut,
          });
          expect(algorithm.limit).toBeGreaterThanOrEqual(2);
          expect(algorithm.limit).toBeLessThanOrEqual(500);
        }
      }),
    );
  });
});
