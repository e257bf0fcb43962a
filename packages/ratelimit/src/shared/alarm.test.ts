import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Alarm } from './alarm.ts';

describe('an alarm', () => {
  it('rings in order of time, then of setting, behind one timer, and without one when nothing is to come', async () => {
    const step = fc.record({ ms: fc.integer({ min: 0, max: 50 }), clear: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (script) => {
        const clock = new ManualClock();
        const alarm = new Alarm(clock);
        const rung: number[] = [];
        const expected: { at: number; id: number }[] = [];
        const entries = script.map(({ ms }, id) =>
          alarm.set(clock.monotonic() + ms, () => rung.push(id)),
        );
        for (const [id, { clear, ms }] of script.entries()) {
          if (clear) alarm.clear(entries[id]!);
          else expected.push({ at: ms, id });
        }
        expect(clock.pending).toBe(expected.length > 0 ? 1 : 0);
        await clock.advance(60);
        expect(rung).toEqual(
          expected.sort((a, b) => a.at - b.at || a.id - b.id).map(({ id }) => id),
        );
        expect(clock.pending).toBe(0);
        for (const entry of entries) alarm.clear(entry);
      }),
      { numRuns: 50 },
    );
  });

  it('lets what rings set and clear others', async () => {
    const clock = new ManualClock();
    const alarm = new Alarm(clock);
    const rung: string[] = [];
    const victim = alarm.set(clock.monotonic() + 20, () => rung.push('victim'));
    alarm.set(clock.monotonic() + 10, () => {
      rung.push('first');
      alarm.clear(victim);
      alarm.set(clock.monotonic() + 10, () => rung.push('second'));
    });
    await clock.advance(100);
    expect(rung).toEqual(['first', 'second']);
    expect(clock.pending).toBe(0);
  });

  it('in the background keeps no process alive', () => {
    const clock = new ManualClock();
    new Alarm(clock, true).set(clock.monotonic() + 10, () => undefined);
    expect(clock.pendingRefed).toBe(0);
    new Alarm(clock).set(clock.monotonic() + 10, () => undefined);
    expect(clock.pendingRefed).toBe(1);
  });
});
