import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Ring } from './ring.ts';

it('returns the same last items as an unbounded list', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer()),
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 15 }),
      (items, capacity, limit) => {
        const ring = new Ring<number>(capacity);
        for (const item of items) ring.push(item);
        const kept = capacity === 0 ? [] : items.slice(-capacity);
        expect(ring.last()).toEqual(kept);
        expect(ring.last(limit)).toEqual(limit === 0 ? [] : kept.slice(-limit));
        expect(ring.size).toBe(kept.length);
      },
    ),
  );
});
