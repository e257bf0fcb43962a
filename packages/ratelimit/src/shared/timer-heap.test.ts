import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerHeap } from './timer-heap.ts';

describe('TimerHeap', () => {
  it('fires in order of time, then of addition, behind one timer, and has no timer while nothing is pending', async () => {
    const step = fc.record({ ms: fc.integer({ min: 0, max: 50 }), clear: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (script) => {
        const clock = new ManualClock();
        const timers = new TimerHeap(clock);
        const fired: number[] = [];
        const expected: { at: number; id: number }[] = [];
        const entries = script.map(({ ms }, id) =>
          timers.add(clock.monotonic() + ms, () => fired.push(id)),
        );
        for (const [id, { clear, ms }] of script.entries()) {
          if (clear) timers.clear(entries[id]!);
          else expected.push({ at: ms, id });
        }
        expect(clock.pending).toBe(expected.length > 0 ? 1 : 0);
        await clock.advance(60);
        expect(fired).toEqual(
          expected.sort((a, b) => a.at - b.at || a.id - b.id).map(({ id }) => id),
        );
        expect(clock.pending).toBe(0);
        for (const entry of entries) timers.clear(entry);
      }),
      { numRuns: 50 },
    );
  });

  it('lets callbacks add and clear entries', async () => {
    const clock = new ManualClock();
    const timers = new TimerHeap(clock);
    const fired: string[] = [];
    const victim = timers.add(clock.monotonic() + 20, () => fired.push('victim'));
    timers.add(clock.monotonic() + 10, () => {
      fired.push('first');
      timers.clear(victim);
      timers.add(clock.monotonic() + 10, () => fired.push('second'));
    });
    await clock.advance(100);
    expect(fired).toEqual(['first', 'second']);
    expect(clock.pending).toBe(0);
  });

  it('keeps no more cleared entries than pending ones', async () => {
    const clock = new ManualClock();
    const timers = new TimerHeap(clock);
    const fired: number[] = [];
    timers.add(clock.monotonic() + 20, () => fired.push(20));
    timers.add(clock.monotonic() + 10, () => fired.push(10));
    for (let i = 0; i < 10_000; i++) {
      timers.clear(timers.add(clock.monotonic() + 60_000, () => fired.push(-1)));
      expect(timers.size).toBeLessThanOrEqual(20);
    }
    const many = Array.from({ length: 1000 }, (_, i) =>
      timers.add(clock.monotonic() + 1000 + i, () => fired.push(i)),
    );
    for (const [i, entry] of many.entries()) if (i % 100 !== 0) timers.clear(entry);
    expect(timers.size).toBeLessThanOrEqual(2 * 12 + 16);
    await clock.advance(100_000);
    expect(fired).toEqual([10, 20, ...Array.from({ length: 10 }, (_, i) => 100 * i)]);
    expect(clock.pending).toBe(0);
  });

  it('does not keep the process alive as a background heap', () => {
    const clock = new ManualClock();
    new TimerHeap(clock, true).add(clock.monotonic() + 10, () => undefined);
    expect(clock.pendingRefed).toBe(0);
    new TimerHeap(clock).add(clock.monotonic() + 10, () => undefined);
    expect(clock.pendingRefed).toBe(1);
  });
});
