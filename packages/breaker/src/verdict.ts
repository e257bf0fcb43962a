import { isFailure, isRefusal, type Outcome, type ShouldHandle } from '@temper/core';
import { type Call, decide, isNeutral } from '@temper/core/policy';

/** What an outcome says about the dependency; `ignored`: nothing. */
export type Verdict = 'success' | 'failure' | 'ignored';

/**
 * How a call ended. `slow`: it took longer than `slowCallDurationMs`, and did not fail; `ignored`: it
 * tells nothing about the dependency; `aborted`: nor does it, as nobody wanted the result any more;
 * `rejected`: the operation was not called.
 */
export type CallOutcome = Verdict | 'slow' | 'aborted' | 'rejected';

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

/**
 * Whether a call was given up while it ran, by its caller or as the loser of a hedge. Its outcome tells
 * nothing, but the time that it took does: the dependency has not answered before.
 */
export function wasGivenUp(outcome: Outcome<unknown>, call: Call): boolean {
  return call.cancelled && (outcome.ok || !isRefusal(outcome.error));
}

/** @param result - the value, or the error unless `ok` */
export function outcomeOf(ok: boolean, result: unknown): Outcome<unknown> {
  return ok ? { ok, value: result } : { ok, error: result };
}
