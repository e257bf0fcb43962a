import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UptimeWindow } from './uptime.ts';

const stretch = fc.record({
  up: fc.boolean(),
  ms: fc.double({ min: 0.1, max: 5000, noNaN: true }),
});

describe('UptimeWindow', () => {
  it('computes the exact uptime to within one slice', () => {
    fc.assert(
      fc.property(
        fc.array(stretch, { maxLength: 60 }),
        fc.constantFrom(1000, 60_000),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.double({ min: 0, max: 3000, noNaN: true }),
        fc.boolean(),
        (stretches, windowMs, start, openMs, openUp) => {
          const window = new UptimeWindow(windowMs);
          const list: { up: boolean; from: number; to: number }[] = [];
          let now = start;
          for (const { up, ms } of stretches) {
            window.add(up, now, now + ms);
            list.push({ up, from: now, to: now + ms });
            now += ms;
          }
          list.push({ up: openUp, from: now, to: now + openMs });
          const read = window.read(now + openMs, openUp, now);
          now += openMs;

          const inside = (from: number, to: number) =>
            Math.max(0, to - Math.max(from, now - windowMs));
          const covered = list.reduce((sum, { from, to }) => sum + inside(from, to), 0);
          const up = list.reduce((sum, { up, from, to }) => sum + (up ? inside(from, to) : 0), 0);
          const slice = windowMs / 60;
          expect(Math.abs(read.coveredMs - covered)).toBeLessThanOrEqual(slice + 0.01);
          expect(Math.abs((read.ratio ?? 0) * read.coveredMs - up)).toBeLessThanOrEqual(
            slice + 0.01,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('covers nothing before the first period', () => {
    expect(new UptimeWindow(1000).read(5)).toEqual({
      windowMs: 1000,
      coveredMs: 0,
      ratio: undefined,
    });
  });

  it('ignores an outage that has left the window', () => {
    const window = new UptimeWindow(1000);
    window.add(false, 0, 500);
    window.add(true, 500, 1600);
    expect(window.read(1600).ratio).toBe(1);
  });
});
