import { isFailure, type Outcome, type ShouldHandle } from '@temper/core';
import { type Call, decide, isNeutral } from '@temper/core/policy';

/** What an outcome says about the dependency; `ignored`: nothing. */
export type Verdict = 'success' | 'failure' | 'ignored';

/** Judges by the facts first, then by the predicate. Never throws. */
export function judge(
  outcome: Outcome<unknown>,
  call: Call,
  rules: { readonly name: string; readonly shouldHandle?: ShouldHandle | undefined },
): Verdict {
  if (isNeutral(outcome, call)) return 'ignored';
  const { name, shouldHandle } = rules;
  const failed =
    shouldHandle === undefined
      ? call.endedBy !== undefined || isFailure(outcome) // a timeout or the deadline ended it
      : decide(name, shouldHandle, outcome, call);
  if (failed) return 'failure';
  return outcome.ok ? 'success' : 'ignored';
}

/** @param result - the value, or the error unless `ok` */
export function outcomeOf(ok: boolean, result: unknown): Outcome<unknown> {
  return ok ? { ok, value: result } : { ok, error: result };
}
