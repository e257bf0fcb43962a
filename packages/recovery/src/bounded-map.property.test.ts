import { Reach } from '@temper/testkit/repository/reach';
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
    const reach = new Reach('evicted', 'found', 'missed', 'deleted');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array<Step>(step, { maxLength: 40 }),
        (limit, steps) => {
          const evicted: number[] = [];
          const map = new BoundedMap<number, number>(limit, (_, key) => evicted.push(key));
          let used: number[] = []; // the model: keys, least used first
          const gone: number[] = [];
          for (const { do: what, key } of steps) {
            if (what !== 'set') reach.count(used.includes(key) ? 'found' : 'missed');
            reach.count('deleted', what === 'delete' && used.includes(key));
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
          reach.count('evicted', gone.length > 0);
        },
      ),
    );
    reach.expectAll(10);
  });

  it('removes the entry of the least worth, of several the one used longest ago', () => {
    const key = fc.integer({ min: 0, max: 9 });
    const worth = (value: number) => value % 4;
    const reach = new Reach('evicted', 'kept');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(key, { maxLength: 40 }),
        (limit, keys) => {
          const evicted: number[] = [];
          const map = new BoundedMap<number, number>(limit, (_, gone) => evicted.push(gone), worth);
          for (const each of keys) {
            const older = [...map.entries()].map(([one]) => one).filter((one) => one !== each);
            const before = evicted.length;
            map.set(each, each);
            const least = Math.min(...older.map(worth));
            const expected = older.find((one) => worth(one) === least);
            expect(evicted.slice(before)).toEqual(older.length === limit ? [expected] : []);
            reach.count(older.length === limit ? 'evicted' : 'kept');
            expect(map.size).toBeLessThanOrEqual(limit);
          }
        },
      ),
    );
    reach.expectAll(10);
  });

  it('looks at a hundred entries when each is worth little, and at all when each is worth more', () => {
    for (const [each, expected] of [
      [1, 100],
      [2, 1000],
    ] as const) {
      let looks = 0;
      const map = new BoundedMap<number, number>(1000, undefined, (value) => {
        looks++;
        return value;
      });
      for (let key = 0; key < 1000; key++) map.set(key, each);
      map.set(1000, each);
      expect(looks).toBe(expected);
    }
  });
});
