import type { EndedBy } from '../contract.ts';
import { isObject } from '../is-object.ts';
import { processState } from '../process-state.ts';

/** How a part of a call was ended. */
interface Ending {
  readonly by: EndedBy;
  /** What the call rejects with: another object than the reason, as programs hand it on. */
  readonly error: unknown;
}

/**
 * How parts of calls were ended, by the reasons that their signals have. A reason is seen where the signal, or
 * one that follows it, was handed on; what a call rejects with is seen by everybody, and may end other calls.
 */
const endings: () => WeakMap<object, Ending> = /* @__PURE__ */ processState(
  'call.endings.1',
  () => new WeakMap(),
);

/**
 * A part of a call, or other work of ours that has a signal, was ended. What follows its signal is ended by the
 * same.
 *
 * @param reason - of the signal
 * @param error - what the work fails with: another object than `reason`, as programs hand it on
 */
export function noteEnding(reason: unknown, by: EndedBy, error: unknown): void {
  if (!isObject(reason) || endings().has(reason)) return;
  endings().set(reason, { by, error });
}

/** What a call rejects with that ended with this reason. */
export function errorOfEnding(reason: unknown): unknown {
  return endingOf(reason)?.error ?? reason;
}

function endingOf(reason: unknown): Ending | undefined {
  return isObject(reason) ? endings().get(reason) : undefined;
}

/**
 * Who ended a call whose own signal aborted. The signal of an outer call, handed on by itself, through
 * `AbortSignal.any()` or through a controller, carries the fact in its reason, and `AbortSignal.timeout()` has a
 * reason of its own; any other reason is the caller's, also the error of another call that has timed out.
 */
export function endedByReason(reason: unknown): EndedBy {
  const known = endingOf(reason)?.by;
  if (known !== undefined) return known;
  try {
    const isTimeout =
      Object.prototype.toString.call(reason) === '[object DOMException]' &&
      (reason as DOMException).name === 'TimeoutError';
    return isTimeout ? 'deadline' : 'caller';
  } catch {
    return 'caller'; // a hostile getter
  }
}
