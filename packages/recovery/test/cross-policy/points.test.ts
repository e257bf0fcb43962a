import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  build,
  expectNothingLeft,
  KIND_NAMES,
  type Kind,
  SECOND_BEST,
  SENSIBLE,
  transient,
  watchedSignal,
} from './catalogue.ts';

/** Fails twice with a transient error after 15 ms each, then succeeds after 15 ms. */
function scenario(kinds: readonly Kind[]) {
  const { clock, policy } = build(kinds);
  let calls = 0;
  const operation = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
    calls++;
    const own = calls;
    await clock.sleep(15, signal);
    if (own < 3) throw transient(`call ${own}`);
    return 'answer';
  };
  return { clock, policy, operation };
}

/** How the call ends when nobody interferes, and how long it takes. */
async function undisturbed(kinds: readonly Kind[]) {
  const { clock, policy, operation } = scenario(kinds);
  const begun = clock.monotonic();
  const outcome = await clock.runUntil(policy.tryExecute(operation));
  return { ok: outcome.ok, takesMs: clock.monotonic() - begun };
}

describe.each(SENSIBLE.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  it('ends at once when it is aborted at any millisecond', async () => {
    const { ok, takesMs } = await undisturbed(kinds);
    for (let at = 0; at <= takesMs; at++) {
      const { clock, policy, operation } = scenario(kinds);
      const watched = watchedSignal();
      const begun = clock.monotonic();
      const call = policy.tryExecute(operation, { signal: watched.signal });
      await clock.advance(at);
      watched.abort('enough');
      const outcome = await call; // without any more time: every wait ends at once
      expect(clock.monotonic() - begun).toBe(at);
      if (at < takesMs) expect(outcome).toEqual({ ok: false, error: 'enough' });
      else expect(outcome.ok).toBe(ok);
      await expectNothingLeft(clock, watched);
    }
  });

  it('never exceeds its deadline at any millisecond', async () => {
    const { ok, takesMs } = await undisturbed(kinds);
    for (let timeoutMs = 0; timeoutMs <= takesMs + 1; timeoutMs++) {
      const { clock, policy, operation } = scenario(kinds);
      const watched = watchedSignal();
      const begun = clock.monotonic();
      const outcome = await clock.runUntil(
        policy.tryExecute(operation, { timeoutMs, signal: watched.signal }),
      );
      expect(clock.monotonic() - begun).toBeLessThanOrEqual(timeoutMs);
      if (timeoutMs > takesMs) {
        expect(outcome.ok).toBe(ok);
      } else if (!outcome.ok) {
        // By the deadline, or earlier by a retry or a limiter that had no time left.
        expect((outcome.error as { code: string }).code).toMatch(
          /^(DEADLINE_EXCEEDED|RATE_LIMIT_EXCEEDED|ECONNRESET|HEDGE_FAILED|FALLBACK_FAILED)$/,
        );
      } else if (timeoutMs < takesMs) {
        expect(outcome.value).toBe(SECOND_BEST); // early enough for a fallback
      }
      await clock.advance(1000);
      await expectNothingLeft(clock, watched);
    }
  });
});

describe('any order of any policies', () => {
  it('settles once, in time, and leaves nothing behind, whatever the operation does', async () => {
    const kinds = fc.uniqueArray(fc.constantFrom(...KIND_NAMES), { maxLength: 6 });
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 40 }),
      does: fc.constantFrom('answer', 'transient', 'fatal', 'throw at once', 'ignore'),
    });
    const interference = fc.record({
      abortAt: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
      timeoutMs: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
    });
    const reach = new Reach('succeeded', 'second best', 'aborted', 'deadline', 'several tries');
    await fc.assert(
      fc.asyncProperty(
        kinds,
        fc.array(step, { minLength: 1, maxLength: 4 }),
        interference,
        async (order, script, { abortAt, timeoutMs }) => {
          const { clock, policy } = build(order);
          const watched = watchedSignal();
          const begun = clock.monotonic();
          let calls = 0;
          const operation = ({ signal }: { signal: AbortSignal }): Promise<string> => {
            const { ms, does } = script[calls++ % script.length] as (typeof script)[number];
            if (does === 'throw at once') throw transient('at once');
            if (does === 'ignore') return clock.sleep(ms).then(() => 'ignore');
            return clock.sleep(ms, signal).then(() => {
              if (does === 'answer') return 'answer';
              throw does === 'transient' ? transient('later') : new TypeError('fatal');
            });
          };
          let settled = 0;
          const call = policy
            .tryExecute(operation, {
              signal: watched.signal,
              ...(timeoutMs === undefined ? {} : { timeoutMs }),
            })
            .then((outcome) => {
              settled++;
              return { outcome, at: clock.monotonic() - begun };
            });
          if (abortAt !== undefined) {
            await clock.advance(abortAt);
            watched.abort('enough');
          }
          const { outcome, at } = await clock.runUntil(call);
          if (timeoutMs !== undefined) expect(at).toBeLessThanOrEqual(timeoutMs);
          // An abort ends every wait; only an operation that ignores its signal is waited for.
          if (abortAt !== undefined) expect(at).toBeLessThanOrEqual(abortAt + 40);
          if (abortAt !== undefined && at > abortAt && !outcome.ok) {
            // The wait for such an operation ends at the deadline.
            const code = (outcome.error as { code?: string }).code;
            if (at !== timeoutMs || code !== 'DEADLINE_EXCEEDED') {
              expect(outcome.error).toBe('enough');
            }
          }
          if (outcome.ok) expect(['answer', 'ignore', SECOND_BEST]).toContain(outcome.value);
          await clock.advance(10_000);
          expect(settled).toBe(1);
          reach.count('several tries', calls > 1);
          if (outcome.ok) reach.count(outcome.value === SECOND_BEST ? 'second best' : 'succeeded');
          else {
            reach.count('aborted', outcome.error === 'enough');
            const { code } = Object(outcome.error) as { code?: string };
            reach.count('deadline', code === 'DEADLINE_EXCEEDED');
          }
          await expectNothingLeft(clock, watched);
        },
      ),
      { numRuns: 2000 },
    );
    reach.expectAll(20);
  }, 60_000);
});
