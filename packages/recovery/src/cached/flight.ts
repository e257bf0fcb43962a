import { AbortScope, type CallContext, type Operation } from '@temper/core';

/**
 * One run of an operation for many callers. Each waits by its own signal and may leave; when the last
 * has left the run is aborted. No caller's deadline or abort ends it for the others.
 */
export class Flight<T> {
  readonly #scope: AbortScope;
  readonly #result: Promise<T>;
  readonly #onAbandoned: () => void;
  #callers = 0;

  /**
   * @param first - the call that begins it, whose labels it takes
   * @param onAbandoned - the last caller has left: later ones need another flight
   */
  constructor(operation: Operation<T>, first: CallContext, onAbandoned: () => void) {
    this.#scope = new AbortScope(first.attempt, undefined, first.operation, first.attributes);
    this.#onAbandoned = onAbandoned;
    this.#result = new Promise((resolve) => resolve(operation(this.#scope)));
    this.#result.catch(() => {}); // heard by the callers; nobody may be left to hear it
  }

  /** Waits for the result, or until this caller's own abort. */
  join(context: CallContext): Promise<T> {
    this.#callers++;
    const signal = context.abortable;
    if (signal === undefined) return this.#result; // cannot leave, so never abandoned
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        if (--this.#callers > 0) return;
        this.#onAbandoned();
        this.#scope.abort(signal.reason);
      };
      if (signal.aborted) {
        leave();
        return;
      }
      signal.addEventListener('abort', leave, { once: true });
      const off = (): void => signal.removeEventListener('abort', leave);
      this.#result.then(
        (value) => {
          off();
          resolve(value);
        },
        (error: unknown) => {
          off();
          reject(error);
        },
      );
    });
  }
}
