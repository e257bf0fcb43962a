import type { Clock, Scheduled } from './clock.ts';
import type { AbortScope, CallContext } from './context.ts';
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
    if (this.#head === undefined) this.#timer?.unref();
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.schedule(() => this.#expire(), ms);
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    while (this.#head !== undefined && this.#head.expiresAt <= now) {
      const { callback } = this.#head;
      this.remove(this.#head);
      callback?.();
    }
    // A callback may have added entries, and armed the timer, already.
    if (this.#head !== undefined && this.#timer === undefined) {
      this.#arm(Math.max(1, this.#head.expiresAt - now));
    }
  }
}

/**
 * Runs `operation` in a scope of its own that aborts when the queue's time is up; the result is then
 * a rejection with the same error, at once, whether or not the operation listens. What the operation
 * yields afterwards is dropped.
 */
export function runWithTimeout<T>(
  operation: Operation<T>,
  context: CallContext,
  queue: TimeoutQueue,
  timeoutError: () => Error,
): Promise<T> {
  const scope = context.scope();
  return new Promise<T>((resolve, reject) => {
    const entry = queue.add(() => {
      const error = timeoutError();
      scope.abort(error);
      scope.release();
      reject(error);
    });
    let result: T | PromiseLike<T>;
    try {
      result = operation(scope);
    } catch (error) {
      finish(queue, entry, scope);
      reject(error);
      return;
    }
    if (!isThenable(result)) {
      finish(queue, entry, scope);
      resolve(result);
      return;
    }
    result.then(
      (value) => {
        finish(queue, entry, scope);
        resolve(value);
      },
      (error: unknown) => {
        finish(queue, entry, scope);
        reject(error);
      },
    );
  });
}

function finish(queue: TimeoutQueue, entry: TimeoutEntry, scope: AbortScope): void {
  queue.remove(entry);
  scope.release();
}

/** Whether `value` has to be awaited. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<PromiseLike<T>>).then === 'function'
  );
}
