import { failedWaiting } from './call/capacity.ts';
import type { Call } from './call/context.ts';
import { classify, errorType, statusOf } from './classify.ts';
import type { CallContext, Outcome } from './contract.ts';
import { isRefusal } from './errors.ts';
import { processState } from './process-state.ts';
import { warn } from './telemetry/diagnostics.ts';
import { messageOf } from './text.ts';
import { isDenied, UNKNOWN } from './verdicts.ts';

/**
 * Which outcomes a policy acts on: a retry repeats them, a breaker and an adaptive limit count them
 * against the dependency, a hedge, fallback or cache replaces them. The one predicate of its kind, with
 * the same type in every policy.
 *
 * It must answer at once: an error in it, or a promise, is logged and counts as `false`. It is not
 * asked about what it cannot decide: a call that its caller cancelled or that lost a hedge, and, where
 * outcomes count against the dependency, a refusal by a Temper policy inside.
 *
 * The defaults are three grades of one idea, that errors are acted on and values are not:
 *
 * | default             | errors that count                                        | used by                  |
 * | ------------------- | -------------------------------------------------------- | ------------------------ |
 * | {@link isFailure}   | all but the caller's own mistakes                        | breaker, fallback, cache |
 * | {@link isTransient} | those that the same call may well avoid a little later   | retry, hedge             |
 * | {@link isOverload}  | those that say that the dependency has too much to do    | throttle, adaptive limit |
 *
 * Compose them: `shouldHandle: (o) => isTransient(o) || (o.ok && o.value === 'pending')`, and hand the context on
 * to those that read it: `(o, call) => isOverload(o, call) || …`. A lambda with
 * a typed parameter, such as `(o: Outcome<Response>) => …`, is accepted by every policy.
 */
export type ShouldHandle = {
  // A method, since methods compare their parameters bivariantly: that admits the typed lambda.
  decide(outcome: Outcome<unknown>, call: CallContext): boolean;
}['decide'];

/**
 * Whether an outcome is an error that is not the caller's own mistake: not a validation error, and not
 * a response status from 400 to 499 other than 408, 425 and 429, of the error or of the cause that
 * classifies it. Values are not failures.
 */
export function isFailure(outcome: Outcome<unknown>): boolean {
  if (outcome.ok) return false;
  const verdict = classify(outcome.error);
  const { category, transient } = verdict;
  if (category === 'validation' || isDenied(verdict)) return false;
  const status = verdict === UNKNOWN ? undefined : statusOf(outcome.error);
  return transient || status === undefined || status < 400 || status >= 500;
}

/** Whether an outcome is an error that the same call may well avoid a little later. */
export function isTransient(outcome: Outcome<unknown>): boolean {
  return !outcome.ok && classify(outcome.error).transient;
}

/** Of at most this many kinds of errors it is said that a policy does not act on them. */
const TOLD_KINDS = 20;
/** So many policies say it, by their names: programs make policies for each request, too. */
const TOLD_OWNERS = 100;
/** The kinds that were told of, by policy. */
const toldOf: () => Map<string, Set<string>> = /* @__PURE__ */ processState(
  'told-kinds.1',
  () => new Map(),
);

/**
 * {@link isTransient} as the default of a policy that `verb`s ("retry"). An error that classification does
 * not know, and that is therefore not acted on, is what surprises users of other libraries first: it is
 * logged on OpenTelemetry's `diag` with the cure, once for each `error.type` and policy name in a process.
 *
 * @param owner - the policy, as it begins a sentence: `Retry policy 'registry'`
 */
export function transientByDefault(owner: string, verb: string): ShouldHandle {
  return (outcome) => {
    if (outcome.ok) return false;
    const { error } = outcome;
    const verdict = classify(error);
    const kind = verdict === UNKNOWN ? errorType(error) : undefined;
    if (kind === undefined) return verdict.transient;
    if (isFirst(owner, kind)) {
      warn(
        `${owner} does not ${verb} an error that it cannot classify: ${messageOf(error)}. ` +
          'Set shouldHandle, or give the error a code, a status or a classification.',
      );
    }
    return verdict.transient;
  };
}

/**
 * Says that a retry with attempts left makes none, as its budget is spent: new to those who come from libraries
 * without one. Logged on OpenTelemetry's `diag` with the cure, once for each policy name in a process.
 *
 * @param owner - the policy, as it begins a sentence: `Retry policy 'registry'`
 * @param isGiven - whether the budget is one of the user's
 */
export function tellSpentBudget(owner: string, isGiven: boolean): void {
  if (!isFirst(owner, 'budget')) return;
  const cure = isGiven
    ? 'Give the budget a larger ratio or burst.'
    : 'Set maxExtraLoad for a larger share, or to Infinity for no bound.';
  warn(
    `${owner} makes no further attempt of a call, as its budget is spent: successes earn retries, and few calls succeed. ` +
      `${cure} Such calls have the reason 'budget' in retryDetails(error).`,
  );
}

function isFirst(owner: string, kind: string): boolean {
  const owners = toldOf();
  const kinds = owners.get(owner) ?? new Set();
  if (kinds.has(kind) || kinds.size >= TOLD_KINDS) return false;
  if (kinds.size === 0 && owners.size >= TOLD_OWNERS) return false;
  owners.set(owner, kinds.add(kind));
  return true;
}

/**
 * Whether an outcome says that the dependency has more to do than it can: a timeout, a refusal for lack of
 * resources, a connection that broke or was not accepted.
 *
 * @param call - the context of the call. Where a timeout or the deadline has ended it, the dependency was too
 * slow, whatever the client makes of that: many have an error of their own for every abort.
 */
export function isOverload(outcome: Outcome<unknown>, call?: CallContext): boolean {
  if (call?.endedBy === 'deadline' || call?.endedBy === 'timeout') return true;
  if (outcome.ok) return false;
  const { category, transient } = classify(outcome.error);
  return (
    category === 'timeout' || (transient && (category === 'resource' || category === 'network'))
  );
}

/**
 * Whether an outcome tells nothing about the dependency, whatever a predicate would say: the caller
 * cancelled the call, another try of a hedge answered it, a Temper policy inside refused it, or it ended while
 * it waited for capacity of such a policy, or failed because of that wait.
 */
export function isNeutral(outcome: Outcome<unknown>, call: Call): boolean {
  if (call.cancelled) return true;
  return !outcome.ok && (isRefusal(outcome.error) || failedWaiting(call, outcome.error));
}
