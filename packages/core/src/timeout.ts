import type { Clock, Scheduled } from './clock.ts';
import type { CallContext } from './context.ts';
import type { Operation } from './policy.ts';

/** One pending expiry in a {@link TimeoutQueue}. */
export interface TimeoutEntry {
  /** @internal */ expiresAt: number;
  /** @internal */ callback: (() => void) | undefined;
  /** @internal */ previous: TimeoutEntry | undefined;
  /** @internal */ next: TimeoutEntry | undefined;
}

/**
 * Expiries that all lie the same time ahead, behind one timer. As the duration is fixed, the queue is
 * always in order of expiry: adding and removing are constant-time, and the timer only ever needs to
 * look at the head (the idea of the timer lists inside Node and the Linux kernel).
 *
 * While the queue is empty its timer, if it still runs, does not keep the process alive.
 */
export class TimeoutQueue {
  readonly durationMs: number;
  readonly #clock: Clock;
  #head: TimeoutEntry | undefined;
  #tail: TimeoutEntry | undefined;
  #timer: Scheduled | undefined;

  constructor(clock: Clock, durationMs: number) {
    this.#clock = clock;
    this.durationMs = durationMs;
  }

  add(callback: () => void): TimeoutEntry {
    const entry: TimeoutEntry = {
      expiresAt: this.#clock.monotonic() + this.durationMs,
      callback,
      previous: this.#tail,
      next: undefined,
    };
    if (this.#tail === undefined) {
      this.#head = entry;
      if (this.#timer === undefined) this.#arm(this.durationMs);
      else this.#timer.ref();
    } else {
      this.#tail.next = entry;
    }
    this.#tail = entry;
    return entry;
  }

  /** Takes an expiry back; does nothing when it has happened. */
  remove(entry: TimeoutEntry): void {
    if (entry.callback === undefined) return;
    entry.callback = undefined;
    if (entry.previous === undefined) this.#head = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#tail = entry.previous;
    else entry.next.previous = entry.previous;
    // Whoever still holds the entry must not hold all that came after it.
    entry.previous = undefined;
    entry.next = undefined;
    if (this.#head === undefined) this.#timer?.unref();
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.schedule(() => this.#expire(), ms);
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    try {
      while (this.#head !== undefined && this.#head.expiresAt <= now) {
        const { callback } = this.#head;
        this.remove(this.#head);
        callback?.();
      }
    } finally {
      // A callback may have added entries, and armed the timer, already; or it may have thrown.
      if (this.#head !== undefined && this.#timer === undefined) {
        this.#arm(Math.max(1, this.#head.expiresAt - now));
      }
    }
  }
}

/** Hears that a timed operation has ended by itself, in time. */
export interface TimeoutObserver {
  /** @param ok - whether it yielded a value */
  inTime(ok: boolean): void;
}

/**
 * Runs `operation` in a scope of its own that aborts when the queue's time is up; the result is then
 * a rejection with the same error, at once, whether or not the operation listens. What the operation
 * yields afterwards is dropped. The scope's deadline is the moment of the timeout, or the context's own
 * where that is nearer: what runs inside can plan by it.
 */
export function runWithTimeout<T>(
  operation: Operation<T>,
  context: CallContext,
  queue: TimeoutQueue,
  timeoutError: () => Error,
  observer?: TimeoutObserver,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const entry = queue.add(() => {
      const error = timeoutError();
      scope.abort(error);
      scope.release();
      reject(error);
    });
    const scope = context.scope(entry.expiresAt);
    const settled = (ok: boolean): boolean => {
      if (entry.callback === undefined) return false; // too late: the timeout has spoken
      queue.remove(entry);
      scope.release();
      observer?.inTime(ok);
      return true;
    };
    let result: T | PromiseLike<T>;
    try {
      result = operation(scope);
    } catch (error) {
      if (settled(false)) reject(error);
      return;
    }
    if (!isThenable(result)) {
      if (settled(true)) resolve(result);
      return;
    }
    result.then(
      (value) => {
        if (settled(true)) resolve(value);
      },
      (error: unknown) => {
        if (settled(false)) reject(error);
      },
    );
  });
}

/** Whether `value` has to be awaited. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as Partial<PromiseLike<T>>).then === 'function'
  );
}
