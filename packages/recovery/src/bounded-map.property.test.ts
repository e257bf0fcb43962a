import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedMap } from './bounded-map.ts';

type Step = { readonly do: 'get' | 'set' | 'delete'; readonly key: number };

describe('a bounded map', () => {
  it('is a map of the keys used last, and tells of every other that it forgets', () => {
    const step = fc.record({
      do: fc.constantFrom('get' as const, 'set' as const, 'delete' as const),
      key: fc.integer({ min: 0, max: 9 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array<Step>(step), (limit, steps) => {
        const evicted: number[] = [];
        const map = new BoundedMap<number, number>(limit, (_, key) => evicted.push(key));
        let used: number[] = []; // the model: keys, least used first
        const gone: number[] = [];
        for (const { do: what, key } of steps) {
          if (what === 'get') {
            expect(map.get(key)).toBe(used.includes(key) ? key * 2 : undefined);
            if (used.includes(key)) used = [...used.filter((one) => one !== key), key];
          } else if (what === 'delete') {
            expect(map.delete(key)).toBe(used.includes(key));
            used = used.filter((one) => one !== key);
          } else {
            map.set(key, key * 2);
            used = [...used.filter((one) => one !== key), key];
            if (used.length > limit) gone.push(used.shift() as number);
          }
          expect([...map.entries()].map(([one]) => one)).toEqual(used);
          expect(map.size).toBe(used.length);
        }
        expect(evicted).toEqual(gone);
      }),
    );
  });

  it('removes an entry that is spared only when there is no other but the newest', () => {
    const key = fc.integer({ min: 0, max: 9 });
    const isSpared = (value: number) => value % 3 === 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(key), (limit, keys) => {
        const evicted: number[] = [];
        const map = new BoundedMap<number, number>(
          limit,
          (_, gone) => evicted.push(gone),
          isSpared,
        );
        for (const each of keys) {
          const older = [...map.entries()].map(([one]) => one).filter((one) => one !== each);
          const before = evicted.length;
          map.set(each, each);
          const expected = older.find((one) => !isSpared(one)) ?? older[0];
          expect(evicted.slice(before)).toEqual(older.length === limit ? [expected] : []);
          expect(map.size).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });
});
