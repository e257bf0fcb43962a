import type { Operation } from '@temper/core';
import {
  beginPart,
  type Call,
  CallScope,
  discardBody,
  endedRetries,
  endPart,
  followWaits,
  type Held,
  Holders,
  listenForAbort,
  numberAttempt,
  rememberRetries,
  retryDetails,
  share,
  stopListening,
} from '@temper/core/policy';
import { beginWait, runInside, waitsForItself } from './flight-waits.ts';

/** The context of a run. It holds the one unit that every caller waits for. */
class RunScope extends CallScope {
  readonly #held = new Holders((cost, stuck) => stuck + cost <= 1).hold(1);

  constructor({ attempt, labels }: Call) {
    super(attempt, undefined, labels);
  }

  override get held(): Held {
    return this.#held;
  }
}

/** Settles the result of a run. */
interface Landing<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * One run of an operation for many callers. Each waits by its own signal and may leave. When the last
 * has left, the run is aborted; no caller's deadline or abort ends it for the others. A run that has
 * outlasted the time of a caller takes no more of them: it may never end.
 */
export class Flight<T> {
  readonly #scope: RunScope;
  readonly #result: Promise<T>;
  #landing: Landing<T> | undefined;
  readonly #onClosed: () => void;
  /** When the run began, in the order of attempts. */
  readonly #began: number = numberAttempt();
  #callers = 0;

  /**
   * @param first - the call that starts the run, which has its labels
   * @param onClosed - called when later callers need another flight: the last caller has left, or one whose
   * time was over
   */
  constructor(first: Call, onClosed: () => void) {
    this.#scope = new RunScope(first);
    this.#onClosed = onClosed;
    this.#result = new Promise((resolve, reject) => {
      this.#landing = { resolve, reject };
    });
    this.#result.catch(() => {}); // the callers handle it, and all of them may have left
  }

  /** Starts the run. Calls that the operation makes at once find it already. */
  async start(operation: Operation<T>): Promise<void> {
    try {
      const value = await runInside(this.#scope, () => operation(this.#scope));
      this.#end(value);
      this.#landing?.resolve(value);
    } catch (error) {
      this.#end(error);
      this.#landing?.reject(error);
    }
  }

  /** What several callers get is none of theirs to discard; what none gets is. */
  #end(result: unknown): void {
    const { held } = this.#scope;
    held.at.end(held);
    if (this.#callers > 1) share(result);
    else if (this.#callers === 0) discardBody(result);
  }

  /**
   * Whether a call that joins this run would wait for itself: it is made from inside the run, or holds permits that
   * the run waits for.
   */
  wouldWaitFor(call: Call): boolean {
    if (waitsForItself(call, this.#scope)) return true;
    const wait = this.#beginWait(call);
    if (wait === 'stuck') return true;
    wait?.end();
    return false;
  }

  #beginWait(call: Call): ReturnType<Holders['beginWait']> {
    return this.#scope.held.at.beginWait(call, 1);
  }

  /** Waits for the result, or until this caller's call is ended. */
  async join(call: Call): Promise<T> {
    const endWait = beginWait(call, this.#scope);
    const wait = this.#beginWait(call);
    try {
      return await this.#join(call);
    } finally {
      endWait();
      if (wait !== 'stuck') wait?.end();
    }
  }

  #join(call: Call): Promise<T> {
    this.#callers++;
    const signal = call.abortable;
    if (signal === undefined) return this.#landed(call); // cannot leave, so the run is never abandoned
    return new Promise<T>((resolve, reject) => {
      const part = this.#followedBy(call);
      const leave = (): void => {
        endPart(part);
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
          endPart(part);
          stopListening(signal, leave);
          const { timing } = this.#scope;
          if (timing !== 'measured') call.noteTiming(timing);
          resolve(value);
        } catch (error) {
          endPart(part, { error });
          stopListening(signal, leave);
          reject(error);
        }
      };
      void land();
    });
  }

  /** @returns a part of the call that waits for capacity of our own when the run does */
  #followedBy(call: Call): Call {
    const part = call.labelled(call.labels);
    followWaits(part, this.#scope);
    beginPart(part);
    return part;
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
