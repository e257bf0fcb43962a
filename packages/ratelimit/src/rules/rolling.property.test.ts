import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RollingCount } from './rolling-count.ts';
import { RollingSums } from './rolling-sums.ts';

const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 });

describe('a rolling count', () => {
  it('counts the events of the window, exact to a twentieth of it', () => {
    fc.assert(
      fc.property(gaps, (script) => {
        const count = new RollingCount(1000, 0);
        const times: number[] = [];
        let now = 0;
        for (const gap of script) {
          now += gap;
          if (now >= count.stepEndsAt) count.advance(now, times.length);
          times.push(now);
          const since = (ms: number) => times.filter((at) => at > now - ms).length;
          const seen = count.within(now, times.length);
          expect(seen).toBeGreaterThanOrEqual(since(1000));
          expect(seen).toBeLessThanOrEqual(since(1050 + 1));
        }
      }),
    );
  });
});

describe('rolling sums', () => {
  it('are those of the last 24 steps, for each column', () => {
    const adds = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 400 }), column: fc.nat(2) }));
    fc.assert(
      fc.property(adds, (script) => {
        const sums = new RollingSums(2400, 3, 0);
        const seen: { step: number; column: number }[] = [];
        let now = 0;
        for (const { gap, column } of script) {
          now += gap;
          sums.add(column, now);
          const step = Math.floor(now / 100);
          seen.push({ step, column });
          const expected = [0, 1, 2].map(
            (one) => seen.filter((s) => s.column === one && s.step > step - 24).length,
          );
          expect([...sums.at(now)]).toEqual(expected);
        }
      }),
    );
  });
});
