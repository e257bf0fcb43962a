import { ManualClock } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hedge } from './hedge.ts';

interface Step {
  readonly ms: number;
  readonly ends: 'value' | 'transient' | 'fatal';
}

/** The expected end of a race, computed from the script alone: the first event that decides it. */
function model(
  script: readonly Step[],
  delayMs: number,
): { at: number; end: string; attempts: number } {
  interface Running {
    readonly index: number;
    readonly endsAt: number;
  }
  const running: Running[] = [];
  let begun = 0;
  let dueAt = 0;
  let failed = 0;
  const begin = (at: number): void => {
    running.push({ index: begun, endsAt: at + (script[begun] as Step).ms });
    begun++;
    dueAt = begun < script.length ? at + delayMs : Number.POSITIVE_INFINITY;
  };
  begin(0);
  for (;;) {
    // Of two events at one moment, the wait that started first comes first.
    running.sort((a, b) => a.endsAt - b.endsAt || a.index - b.index);
    const next = running[0];
    if (next === undefined || dueAt < next.endsAt) {
      begin(dueAt);
      continue;
    }
    running.shift();
    const { ends } = script[next.index] as Step;
    if (ends === 'value') return { at: next.endsAt, end: `value ${next.index}`, attempts: begun };
    if (ends === 'fatal') return { at: next.endsAt, end: `fatal ${next.index}`, attempts: begun };
    failed++;
    if (begun < script.length) begin(next.endsAt);
    else if (failed === script.length)
      return { at: next.endsAt, end: 'all failed', attempts: begun };
  }
}

describe('a hedged call', () => {
  it('ends as its model, at the same moment, and leaves no timer behind', async () => {
    const step = fc.record({
      // Odd and even times separate the end of an attempt from the start of the next.
      ms: fc.integer({ min: 0, max: 40 }).map((n) => n * 2 + 1),
      ends: fc.constantFrom('value' as const, 'transient', 'transient', 'fatal'),
    });
    const reach = new Reach('value', 'fatal', 'all failed', 'hedged', 'not hedged', 'outrun');
    await fc.assert(
      fc.asyncProperty(
        fc.array<Step>(step, { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 0, max: 20 }).map((n) => n * 2),
        async (script, delayMs) => {
          const expected = model(script, delayMs);
          const clock = new ManualClock();
          const policy = hedge({ delayMs, maxAttempts: script.length, clock });
          const signals: AbortSignal[] = [];
          const begunAt = clock.monotonic();
          const call = policy.execute(async ({ signal }) => {
            const index = signals.length;
            signals.push(signal);
            const { ms, ends } = script[index] as Step;
            await clock.sleep(ms, signal);
            if (ends === 'value') return `value ${index}`;
            const error = new Error(`${ends} ${index}`);
            throw ends === 'transient' ? Object.assign(error, { code: 'ECONNRESET' }) : error;
          });
          const end = await clock.runUntil(
            call.catch((error: { code?: string; message: string }) =>
              error.code === 'HEDGE_FAILED' || error.code === 'ECONNRESET'
                ? 'all failed'
                : error.message,
            ),
          );
          expect({ at: clock.monotonic() - begunAt, end, attempts: signals.length }).toEqual(
            expected,
          );
          expect(clock.pendingRefed).toBe(0);
          const [how = '', which] = end === 'all failed' ? [end] : end.split(' ');
          reach.count(how as 'value');
          reach.count(signals.length > 1 ? 'hedged' : 'not hedged');
          reach.count('outrun', how === 'value' && which !== '0');
        },
      ),
      { numRuns: 300 },
    );
    reach.expectAll(5);
  });
});
