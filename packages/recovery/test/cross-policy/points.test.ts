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

/** Fails twice after 15 ms each, with something that passes; then answers after 15 ms. */
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

/** What the call comes to when nobody interferes, and how long it takes. */
async function undisturbed(kinds: readonly Kind[]) {
  const { clock, policy, operation } = scenario(kinds);
  const begun = clock.monotonic();
  const outcome = await clock.runUntil(policy.tryExecute(operation));
  return { ok: outcome.ok, takesMs: clock.monotonic() - begun };
}

describe.each(SENSIBLE.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  it('can be aborted at every millisecond of a call, and ends there', async () => {
    const { ok, takesMs } = await undisturbed(kinds);
    for (let at = 0; at <= takesMs; at++) {
      const { clock, policy, operation } = scenario(kinds);
      const watched = watchedSignal();
      const begun = clock.monotonic();
      const call = policy.tryExecute(operation, { signal: watched.signal });
      await clock.advance(at);
      watched.abort('enough');
      const outcome = await call; // with no more time passing: every wait ends at once
      expect(clock.monotonic() - begun).toBe(at);
      if (at < takesMs) expect(outcome).toEqual({ ok: false, error: 'enough' });
      else expect(outcome.ok).toBe(ok);
      await expectNothingLeft(clock, watched);
    }
  });

  it('can have its deadline at every millisecond of a call, and never lasts longer', async () => {
    const { ok, takesMs } = await undisturbed(kinds);
    for (let deadlineMs = 0; deadlineMs <= takesMs + 1; deadlineMs++) {
      const { clock, policy, operation } = scenario(kinds);
      const watched = watchedSignal();
      const begun = clock.monotonic();
      const outcome = await clock.runUntil(
        policy.tryExecute(operation, { deadlineMs, signal: watched.signal }),
      );
      expect(clock.monotonic() - begun).toBeLessThanOrEqual(deadlineMs);
      if (deadlineMs > takesMs) {
        expect(outcome.ok).toBe(ok);
      } else if (!outcome.ok) {
        // Told by the deadline, or early, by a retry or a limiter that saw it could not make it.
        expect((outcome.error as { code: string }).code).toMatch(
          /^(DEADLINE_EXCEEDED|RETRY_EXHAUSTED|RATE_LIMIT_EXCEEDED|ECONNRESET|HEDGE_FAILED|FALLBACK_FAILED)$/,
        );
      } else if (deadlineMs < takesMs) {
        expect(outcome.value).toBe(SECOND_BEST); // early enough for a fallback to step in
      }
      await clock.advance(1000);
      await expectNothingLeft(clock, watched);
    }
  });
});

describe('any order of any policies', () => {
  it('settles once, in time, with nothing left, whatever the operation does and whenever it ends', async () => {
    const kinds = fc.uniqueArray(fc.constantFrom(...KIND_NAMES), { maxLength: 6 });
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 40 }),
      does: fc.constantFrom('answer', 'transient', 'fatal', 'throw at once', 'deaf'),
    });
    const interference = fc.record({
      abortAt: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
      deadlineMs: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        kinds,
        fc.array(step, { minLength: 1, maxLength: 4 }),
        interference,
        async (order, script, { abortAt, deadlineMs }) => {
          const { clock, policy } = build(order);
          const watched = watchedSignal();
          const begun = clock.monotonic();
          let calls = 0;
          const operation = ({ signal }: { signal: AbortSignal }): Promise<string> => {
            const { ms, does } = script[calls++ % script.length] as (typeof script)[number];
            if (does === 'throw at once') throw transient('at once');
            if (does === 'deaf') return clock.sleep(ms).then(() => 'deaf');
            return clock.sleep(ms, signal).then(() => {
              if (does === 'answer') return 'answer';
              throw does === 'transient' ? transient('later') : new TypeError('fatal');
            });
          };
          let settled = 0;
          const call = policy
            .tryExecute(operation, {
              signal: watched.signal,
              ...(deadlineMs === undefined ? {} : { deadlineMs }),
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
          if (deadlineMs !== undefined) expect(at).toBeLessThanOrEqual(deadlineMs);
          // An abort ends every wait; only an operation that is deaf is still waited for.
          if (abortAt !== undefined) expect(at).toBeLessThanOrEqual(abortAt + 40);
          if (abortAt !== undefined && at > abortAt && !outcome.ok) {
            // Who waits for the deaf waits no longer than the deadline.
            const code = (outcome.error as { code?: string }).code;
            if (at !== deadlineMs || code !== 'DEADLINE_EXCEEDED') {
              expect(outcome.error).toBe('enough');
            }
          }
          if (outcome.ok) expect(['answer', 'deaf', SECOND_BEST]).toContain(outcome.value);
          await clock.advance(10_000);
          expect(settled).toBe(1);
          await expectNothingLeft(clock, watched);
        },
      ),
      { numRuns: 2000 },
    );
  }, 60_000);
});
