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

  it('does not keep the process alive as a background heap', () => {
    const clock = new ManualClock();
    new TimerHeap(clock, true).add(clock.monotonic() + 10, () => undefined);
    expect(clock.pendingRefed).toBe(0);
    new TimerHeap(clock).add(clock.monotonic() + 10, () => undefined);
    expect(clock.pendingRefed).toBe(1);
  });
});
