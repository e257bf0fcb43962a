import { ManualClock } from '@temper/testkit/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyWindow } from './window.ts';

const latency = fc.double({ min: 0.1, max: 3_600_000, noNaN: true });

function exact(sorted: readonly number[], q: number): number {
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
}

describe('a latency window', () => {
  it('says a quantile that is never below the true one, nor more than a tenth above', () => {
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (latencies, q) => {
          const window = new LatencyWindow(new ManualClock(), 60_000);
          for (const ms of latencies) window.record(ms);
          const truth = exact(
            [...latencies].sort((a, b) => a - b),
            q,
          );
          const said = window.quantile(q) as number;
          expect(said).toBeGreaterThanOrEqual(truth * (1 - 1e-12));
          expect(said).toBeLessThanOrEqual(truth * 1.1 * (1 + 1e-12));
        },
      ),
    );
  });

  it('counts what was recorded within the window, give or take a slice, and its mean', () => {
    const windowMs = 6000;
    fc.assert(
      fc.property(
        fc.array(fc.record({ wait: fc.integer({ min: 0, max: 2500 }), ms: latency }), {
          maxLength: 60,
        }),
        (steps) => {
          const clock = new ManualClock();
          const window = new LatencyWindow(clock, windowMs);
          const seen: { at: number; ms: number }[] = [];
          for (const { wait, ms } of steps) {
            clock.jump(wait);
            window.record(ms);
            seen.push({ at: clock.monotonic(), ms });
            const now = clock.monotonic();
            // The slice of now has begun, and five whole ones are before it.
            const from = Math.floor(now / 1000) * 1000 - 5000;
            const held = seen.filter(({ at }) => at >= from);
            expect(window.count).toBe(held.length);
            const mean = held.reduce((sum, one) => sum + one.ms, 0) / held.length;
            expect(window.mean()).toBeCloseTo(mean, 3);
            const median = exact(
              held.map((one) => one.ms).sort((a, b) => a - b),
              0.5,
            );
            expect(window.quantile(0.5)).toBeGreaterThanOrEqual(median * (1 - 1e-12));
            expect(window.quantile(0.5)).toBeLessThanOrEqual(median * 1.1 * (1 + 1e-12));
          }
          clock.jump(windowMs + 1000);
          expect(window.count).toBe(0);
          expect(window.quantile(0.5)).toBeUndefined();
          expect(window.mean()).toBeUndefined();
        },
      ),
    );
  });

  it('says exactly what was recorded, where that is a bound between buckets', () => {
    for (let power = 0; power <= 150; power++) {
      const window = new LatencyWindow(new ManualClock(), 60_000);
      const bound = 0.1 * 1.1 ** power;
      window.record(bound);
      expect(window.quantile(1)).toBe(bound);
    }
  });

  it('looks at the time whatever it is asked', () => {
    const clock = new ManualClock();
    const make = (): LatencyWindow => {
      const window = new LatencyWindow(clock, 600);
      window.record(5);
      return window;
    };
    const [version, mean, quantile] = [make(), make(), make()];
    const before = version.version;
    clock.jump(10_000);
    expect(version.version).toBeGreaterThan(before);
    expect(mean.mean()).toBeUndefined();
    expect(quantile.quantile(1)).toBeUndefined();
    mean.record(7);
    expect(mean.mean()).toBe(7);
  });

  it('takes what is out of its range as the nearest that it knows', () => {
    const window = new LatencyWindow(new ManualClock(), 60_000);
    for (const ms of [0, -1, Number.NaN]) window.record(ms);
    expect(window.quantile(1)).toBe(0.1);
    window.record(Number.MAX_VALUE);
    expect(window.quantile(1)).toBe(3_600_000);
  });
});
