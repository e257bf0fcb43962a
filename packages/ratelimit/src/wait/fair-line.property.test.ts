import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairLine } from './fair-line.ts';
import { IndexedHeap } from './indexed-heap.ts';
import type { Linked } from './line.ts';

interface Item extends Linked<Item> {
  readonly id: number;
}

let ids = 0;
const item = (caller: string, cost = 1): Item => ({
  id: ids++,
  caller,
  cost,
  previous: undefined,
  next: undefined,
});

const CALLERS = ['a', 'b', 'c', 'd'] as const;
const WEIGHTS: Record<string, number> = { a: 1, b: 1, c: 2, d: 0.5 };
const weightOf = (caller: string): number => WEIGHTS[caller]!;

describe('a fair line', () => {
  it('serves two callers that both wait so that they differ by one call of each at most', () => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('push'),
          caller: fc.constantFrom(...CALLERS),
          cost: fc.integer({ min: 1, max: 5 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('serve'),
          caller: fc.constant('a'),
          cost: fc.constant(1),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('leave'),
          caller: fc.constantFrom(...CALLERS),
          cost: fc.nat(3),
        }),
      },
    );
    const reach = new Reach('served', 'left', 'both wait');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const line = new FairLine<Item>(weightOf);
        const queued = new Map<string, Item[]>(CALLERS.map((caller) => [caller, []]));
        /** What each caller has got by weight. */
        const got = new Map<string, number>(CALLERS.map((caller) => [caller, 0]));
        /** Of two callers that both wait: least and most that one was ahead of the other since then. */
        const ahead = new Map<string, [least: number, most: number]>();
        for (const { do: what, caller, cost } of steps) {
          if (what === 'push') {
            const one = item(caller, cost);
            line.push(one);
            queued.get(caller)!.push(one);
          } else if (what === 'leave') {
            const mine = queued.get(caller)!;
            const [gone] = mine.splice(cost % Math.max(1, mine.length), 1);
            if (gone !== undefined) line.remove(gone);
            reach.count('left', gone !== undefined);
          } else {
            const { head } = line;
            if (head === undefined) continue;
            const expected = line.first(1_000);
            expect(expected[0]).toBe(head);
            expect(new Set(expected).size).toBe(line.size);
            // Calls of one caller are served in order.
            expect(queued.get(head.caller)![0]).toBe(head);
            line.served(head);
            queued.get(head.caller)!.shift();
            got.set(head.caller, got.get(head.caller)! + head.cost / weightOf(head.caller));
            reach.count('served');
          }
          const size = [...queued.values()].reduce((sum, { length }) => sum + length, 0);
          expect(line.size).toBe(size);
          // Over any time in which both wait, the shares by weight differ by a largest call of each.
          for (const x of CALLERS) {
            for (const y of CALLERS) {
              const pair = `${x} ${y}`;
              if (x >= y) continue;
              if (queued.get(x)!.length === 0 || queued.get(y)!.length === 0) {
                ahead.delete(pair);
                continue;
              }
              const now = got.get(x)! - got.get(y)!;
              const [least, most] = ahead.get(pair) ?? [now, now];
              ahead.set(pair, [Math.min(least, now), Math.max(most, now)]);
              const bound = 5 / weightOf(x) + 5 / weightOf(y) + 1e-9;
              expect(Math.max(now - least, most - now)).toBeLessThanOrEqual(bound);
              reach.count('both wait');
            }
          }
        }
      }),
      { numRuns: 200 },
    );
    reach.expectAll(1000);
  });

  it('tells the order in which it would serve without serving', () => {
    const line = new FairLine<Item>(weightOf);
    for (const caller of 'aaaabbcd') line.push(item(caller));
    const told = line.first(100).map(({ caller }) => caller);
    const served: string[] = [];
    for (let { head } = line; head !== undefined; { head } = line) {
      served.push(head.caller);
      line.served(head);
    }
    expect(told).toEqual(served);
    expect(served.slice(0, 4).sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(served.slice(-2)).toEqual(['a', 'a']);
  });

  it('displaces the last call of the caller that waits with most', () => {
    const line = new FairLine<Item>(() => 1);
    const many = Array.from({ length: 5 }, () => item('a'));
    for (const one of many) line.push(one);
    line.push(item('b'));
    expect(line.victim(item('c'))).toBe(many[4]);
    expect(line.victim(item('c', 4))).toBe(many[4]);
    expect(line.victim(item('c', 5))).toBeUndefined();
    expect(line.victim(item('a'))).toBeUndefined();
  });
});

describe('an indexed heap', () => {
  it('takes logarithmic time for each change', () => {
    let compared = 0;
    const heap = new IndexedHeap<{ n: number }>((a, b) => {
      compared++;
      return a.n < b.n;
    });
    const size = 40_000;
    const items = Array.from({ length: size }, (_, i) => ({ n: (i * 7919) % size }));
    let worst = 0;
    const step = (change: () => void): void => {
      compared = 0;
      change();
      worst = Math.max(worst, compared);
    };
    for (const one of items) step(() => heap.push(one));
    for (let i = 0; i < size; i += 3) {
      items[i]!.n = size - items[i]!.n;
      step(() => heap.moved(items[i]!));
    }
    for (let i = 0; i < size; i += 2) step(() => heap.remove(items[i]!));
    let last = -1;
    for (let { first } = heap; first !== undefined; { first } = heap) {
      expect(first.n).toBeGreaterThanOrEqual(last);
      last = first.n;
      const gone = first;
      step(() => heap.remove(gone));
    }
    expect(worst).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(size)) + 2);
  });
});
