import { type Timer, TimerHeap } from './timer-heap.ts';

/**
 * A clock that stands still until it is told to move. Has the shape of core's `Clock`.
 *
 * Wall-clock and monotonic time can be moved apart, to show that durations follow the second only.
 */
export class ManualClock {
  #monotonic: number;
  #wall: number;
  #order = 0;
  readonly #timers = new TimerHeap();

  /** @param start - the first reading of both clocks, in milliseconds */
  constructor(start = 1_700_000_000_000) {
    this.#wall = start;
    this.#monotonic = 1000;
  }

  now = (): number => this.#wall;
  monotonic = (): number => this.#monotonic;

  /** Timers that have not happened yet. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Pending timers that would keep a process alive. */
  get pendingRefed(): number {
    return this.#timers.live.filter((timer) => timer.refed).length;
  }

  schedule = (callback: () => void, ms: number): { cancel(): void; ref(): void; unref(): void } => {
    if (!(ms >= 0)) throw new RangeError(`clock: ms must be a number >= 0, got ${ms}.`);
    const timer: Timer = {
      at: this.#monotonic + ms,
      order: this.#order++,
      callback,
      refed: true,
      cancelled: false,
    };
    this.#timers.push(timer);
    return {
      cancel: () => this.#timers.cancel(timer),
      ref: () => {
        timer.refed = true;
      },
      unref: () => {
        timer.refed = false;
      },
    };
  };

  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.schedule(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });

  /** Moves both clocks by `ms`, running what falls due in order, promises settled in between. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms;
    await settle();
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#move(timer.at);
      this.#timers.shift();
      timer.callback();
      await settle();
    }
    this.#move(until);
  }

  /** Moves both clocks by `ms` in one jump: what fell due runs only on the next {@link advance}. */
  jump(ms: number): void {
    this.#move(this.#monotonic + ms);
  }

  /** Moves the wall clock alone, as an operator or NTP would. */
  adjustWallClock(ms: number): void {
    this.#wall += ms;
  }

  /** Advances from timer to timer until `promise` settles, and returns its outcome. */
  async runUntil<T>(promise: Promise<T>, limitMs = 1e12): Promise<T> {
    let settled = false;
    promise.then(
      () => {
        settled = true;
      },
      () => {
        settled = true;
      },
    );
    const until = this.#monotonic + limitMs;
    await settle();
    while (!settled) {
      const timer = this.#next(until);
      if (timer === undefined) throw new Error('Nothing is scheduled, and the promise is pending.');
      await this.advance(Math.max(0, timer.at - this.#monotonic));
    }
    return promise;
  }

  #next(until: number): Timer | undefined {
    const next = this.#timers.peek();
    return next === undefined || next.at > until ? undefined : next;
  }

  #move(to: number): void {
    if (to <= this.#monotonic) return;
    this.#wall += to - this.#monotonic;
    this.#monotonic = to;
  }
}

/** Taken at import: a test may replace it. Browsers have none. */
const { setImmediate: nextTurn, setTimeout: later } = globalThis as Partial<typeof globalThis>;

/** Lets every promise that can settle do so. Works under fake timers too. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    if (nextTurn !== undefined) nextTurn(resolve);
    else later?.(resolve, 0);
  });
}
