import type { Operation } from '@temper/core';
import {
  type Call,
  CallScope,
  discardBody,
  endedRetries,
  listenForAbort,
  numberAttempt,
  rememberRetries,
  retryDetails,
  share,
  stopListening,
} from '@temper/core/policy';

/**
 * One run of an operation for many callers. Each waits by its own signal and may leave. When the last
 * has left, the run is aborted; no caller's deadline or abort ends it for the others. A run that has
 * outlasted the time of a caller takes no more of them: it may never end.
 */
export class Flight<T> {
  readonly #scope: CallScope;
  readonly #result: Promise<T>;
  readonly #onClosed: () => void;
  /** When the run began, in the order of attempts. */
  readonly #began: number = numberAttempt();
  #callers = 0;

  /**
   * @param first - the call that starts the run, which has its labels
   * @param onClosed - called when later callers need another flight: the last caller has left, or one whose
   * time was over
   */
  constructor(operation: Operation<T>, first: Call, onClosed: () => void) {
    this.#scope = new CallScope(first.attempt, undefined, first.labels);
    this.#onClosed = onClosed;
    this.#result = this.#land(operation);
    this.#result.catch(() => {}); // the callers handle it, and all of them may have left
  }

  async #land(operation: Operation<T>): Promise<T> {
    try {
      const value = await operation(this.#scope);
      this.#arrived(value);
      return value;
    } catch (error) {
      this.#arrived(error);
      throw error;
    }
  }

  /** What several callers get is none of theirs to discard; what none gets is. */
  #arrived(result: unknown): void {
    if (this.#callers > 1) share(result);
    else if (this.#callers === 0) discardBody(result);
  }

  /** Waits for the result, or until this caller's call is ended. */
  join(call: Call): Promise<T> {
    this.#callers++;
    const signal = call.abortable;
    if (signal === undefined) return this.#landed(call); // cannot leave, so the run is never abandoned
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        if (this.#scope.awaitsCapacity) waitsToo(call, signal.reason);
        const last = --this.#callers === 0;
        if (last || !call.cancelled) this.#onClosed();
        if (last) this.#scope.end(call.endedBy ?? 'caller', signal.reason);
      };
      if (signal.aborted) {
        leave();
        return;
      }
      listenForAbort(signal, leave);
      const land = async (): Promise<void> => {
        try {
          const value = await this.#landed(call);
          stopListening(signal, leave);
          const { timing } = this.#scope;
          if (timing !== 'measured') call.noteTiming(timing);
          resolve(value);
        } catch (error) {
          stopListening(signal, leave);
          reject(error);
        }
      };
      void land();
    });
  }

  async #landed(call: Call): Promise<T> {
    try {
      const value = await this.#result;
      this.#tellRetries(value, call);
      return value;
    } catch (error) {
      this.#tellRetries(error, call);
      throw error;
    }
  }

  /**
   * What the retries inside the run ended with, they ended with for each caller: a retry around must not
   * multiply their attempts, although its own attempt may have begun after the run, which is no part of it.
   */
  #tellRetries(result: unknown, call: Call): void {
    if (!endedRetries(result, this.#scope, this.#began)) return;
    rememberRetries(result, call, numberAttempt(), retryDetails(result));
  }
}

/** A caller leaves while the run waits for capacity of our own: this is what the caller has waited for. */
function waitsToo(call: Call, reason: unknown): void {
  call.awaitCapacity(() => Promise.reject(reason)).catch(() => {});
}
