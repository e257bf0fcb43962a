import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from './seeded-random.ts';

const take = (seed: number, count: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, random);
};

describe('seeded chance', () => {
  it('repeats itself for a seed, differs for another, and stays in [0, 1)', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const values = take(seed, 20);
        expect(take(seed, 20)).toEqual(values);
        expect(take(seed + 1, 20)).not.toEqual(values);
        expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
      }),
    );
  });

  it('is spread evenly', () => {
    const tenths = new Array<number>(10).fill(0);
    for (const value of take(42, 100_000)) {
      const tenth = Math.floor(value * 10);
      tenths[tenth] = (tenths[tenth] as number) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
