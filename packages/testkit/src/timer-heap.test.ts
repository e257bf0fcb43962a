import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ManualClock } from './manual-clock.ts';

it('runs timers in the order of their times, and of their making at one time, whichever are cancelled', async () => {
  const timers = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()), {
    maxLength: 300,
    size: 'max',
  });
  let most = 0;
  await fc.assert(
    fc.asyncProperty(timers, async (all) => {
      most = Math.max(most, all.length);
      const clock = new ManualClock();
      const ran: number[] = [];
      const made = all.map(([ms], i) => clock.schedule(() => ran.push(i), ms));
      all.forEach(([, isCancelled], i) => {
        if (isCancelled) made[i]!.cancel();
      });
      const due = all.flatMap(([ms, isCancelled], i) => (isCancelled ? [] : [{ ms, i }]));
      expect(clock.pending).toBe(due.length);
      await clock.advance(50);
      expect(ran).toEqual(due.toSorted((a, b) => a.ms - b.ms || a.i - b.i).map(({ i }) => i));
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 50 },
  );
  expect(most).toBeGreaterThan(200);
});

it('forgets timers that are cancelled long before their time', () => {
  const clock = new ManualClock();
  const kept = clock.schedule(() => {}, 1e9);
  for (let i = 0; i < 100_000; i++) clock.schedule(() => {}, 1e9 + i).cancel();
  expect(clock.pending).toBe(1);
  kept.cancel();
  expect(clock.pending).toBe(0);
});
