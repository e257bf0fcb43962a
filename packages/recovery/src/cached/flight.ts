import type { Operation } from '@temper/core';
import { type Call, CallScope, invoke } from '@temper/core/policy';

/**
 * One run of an operation for many callers. Each waits by its own signal and may leave. When the last
 * has left, the run is aborted; no caller's deadline or abort ends it for the others.
 */
export class Flight<T> {
  readonly #scope: CallScope;
  readonly #result: Promise<T>;
  readonly #onAbandoned: () => void;
  #callers = 0;

  /**
   * @param first - the call that starts the run, which has its labels
   * @param onAbandoned - called when the last caller has left: later ones need another flight
   */
  constructor(operation: Operation<T>, first: Call, onAbandoned: () => void) {
    this.#scope = new CallScope(first.attempt, undefined, first.labels);
    this.#onAbandoned = onAbandoned;
    this.#result = invoke(operation, this.#scope);
    this.#result.catch(() => {}); // the callers handle it, and all of them may have left
  }

  /** Waits for the result, or until this caller's call is ended. */
  join(call: Call): Promise<T> {
    this.#callers++;
    const signal = call.abortable;
    if (signal === undefined) return this.#result; // cannot leave, so the run is never abandoned
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        if (--this.#callers > 0) return;
        this.#onAbandoned();
        this.#scope.end(call.endedBy ?? 'caller', signal.reason);
      };
      if (signal.aborted) {
        leave();
        return;
      }
      signal.addEventListener('abort', leave, { once: true });
      const land = async (): Promise<void> => {
        try {
          const value = await this.#result;
          signal.removeEventListener('abort', leave);
          resolve(value);
        } catch (error) {
          signal.removeEventListener('abort', leave);
          reject(error);
        }
      };
      void land();
    });
  }
}
