import type { Operation, Outcome } from '@temper/core';
import type { Call, CallObservation } from '@temper/core/policy';
import type { CircuitState } from './circuit/circuit.ts';
import type { StateChange } from './events.ts';
import type { CallOutcome } from './verdict.ts';

/** What a breaker tells about its calls and changes of state. */
export interface BreakerObserver extends Disposable {
  readonly calls: Record<CallOutcome, number>;
  /** @returns `undefined` while nobody watches */
  begin(call: Call, state: CircuitState): CallObservation<CallOutcome> | undefined;
  /**
   * Counts a rejection.
   *
   * @param call - `undefined` when nothing is known of it
   * @param error - creates the error, which is needed only where rejections are traced
   */
  rejected(call: Call | undefined, state: CircuitState, error: () => unknown): void;
  changed(change: StateChange, failure: Outcome<unknown> | undefined): void;
}

/** Runs an observed call. Apart from its caller, where the closure would cost every call a context. */
export function watch<T>(
  observed: CallObservation<CallOutcome>,
  operation: Operation<T>,
  call: Call,
): T | PromiseLike<T> {
  return observed.run(() => operation(call));
}
