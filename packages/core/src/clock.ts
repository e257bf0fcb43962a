import { checkNumber, methodsRule, type OptionRule } from './options.ts';

/** A callback that is scheduled. */
export interface Scheduled {
  /** Cancels it; does nothing when it has run. */
  cancel(): void;
  /** Lets it keep the process alive (the initial state). */
  ref(): void;
  /** Lets the process end without it. */
  unref(): void;
}

/** The source of time of every policy. Inject another one to test without waiting. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. For timestamps, never for durations. */
  now(): number;
  /** Milliseconds that never go back. For durations and deadlines. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds (any non-negative number; `Infinity` waits for the abort).
   *
   * @throws {RangeError} (as a rejection) when `ms` is negative or NaN
   * @throws `signal.reason`, at once, when the signal aborts
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `callback` once after `ms` milliseconds.
   *
   * @throws {RangeError} when `ms` is negative or NaN
   */
  schedule(callback: () => void, ms: number): Scheduled;
}

/** Node stores delays in 32 bits and fires longer ones at once; they are waited for in parts. */
const MAX_TIMER_MS = 2 ** 31 - 1;

class SystemTimer implements Scheduled {
  #timer: NodeJS.Timeout | undefined;
  #refed = true;
  readonly #callback: () => void;

  constructor(callback: () => void, ms: number) {
    this.#callback = callback;
    checkNumber('clock', 'ms', ms, { min: 0 });
    // Node drops the fraction, and would fire early.
    this.#arm(Math.ceil(ms));
  }

  #arm(ms: number): void {
    const part = Math.min(ms, MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      if (part === ms) {
        this.#timer = undefined;
        this.#callback();
      } else {
        this.#arm(ms - part);
      }
    }, part);
    if (!this.#refed) this.#timer.unref();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  ref(): void {
    this.#refed = true;
    this.#timer?.ref();
  }

  unref(): void {
    this.#refed = false;
    this.#timer?.unref();
  }
}

/** The system clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule: (callback, ms) => new SystemTimer(callback, ms),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};

/** {@link Clock.sleep} for any clock that can schedule. */
export function sleepOn(
  clock: Pick<Clock, 'schedule'>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.schedule(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Holds an option to the methods of a {@link Clock}. */
export const clockRule: OptionRule = methodsRule('now', 'monotonic', 'sleep', 'schedule');
