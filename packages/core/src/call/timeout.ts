import type { Clock, Scheduled } from '../clock.ts';
import type { Operation } from '../contract.ts';
import type { Call } from './context.ts';

/** One pending expiry in a {@link TimeoutQueue}. */
export interface TimeoutEntry {
  /** @internal */ expiresAt: number;
  /** @internal */ callback: (() => void) | undefined;
  /** @internal */ previous: TimeoutEntry | undefined;
  /** @internal */ next: TimeoutEntry | undefined;
}

/**
 * Expiries that all lie the same time ahead, behind one timer. As the duration is fixed, the queue is
 * always in order of expiry: adding and removing take constant time, and the timer only needs to look
 * at the head (the idea of the timer lists inside Node and the Linux kernel).
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

  /** Removes an expiry; does nothing when it has happened. */
  remove(entry: TimeoutEntry): void {
    if (entry.callback === undefined) return;
    entry.callback = undefined;
    if (entry.previous === undefined) this.#head = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#tail = entry.previous;
    else entry.next.previous = entry.previous;
    // An entry that is still referenced must not retain its neighbours.
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
      // A callback may have added entries and armed the timer already, or it may have thrown.
      if (this.#head !== undefined && this.#timer === undefined) {
        this.#arm(Math.max(1, this.#head.expiresAt - now));
      }
    }
  }
}

/** Learns that a timed operation has ended by itself, in time. */
export interface TimeoutObserver {
  /** @param ok - whether it returned a value */
  inTime(ok: boolean): void;
}

/**
 * Runs `operation` in a scope of its own that ends when the queue's time is up; the result is then a
 * rejection with the same error, at once, whether or not the operation reacts to its signal. What the
 * operation returns afterwards is dropped. The scope's deadline is the moment of the timeout, or the
 * call's own where that is nearer.
 *
 * The rejection reaches the caller's own continuation, so what is done there runs in the asynchronous
 * context of the call and not in that of the shared timer.
 */
export function runWithTimeout<T>(
  operation: Operation<T>,
  call: Call,
  queue: TimeoutQueue,
  timeoutError: () => Error,
  observer?: TimeoutObserver,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const entry = queue.add(() => {
      const error = timeoutError();
      scope.end('timeout', error);
      scope.release();
      reject(error);
    });
    const scope = call.scope(entry.expiresAt);
    const inTime = (ok: boolean): boolean => {
      if (entry.callback === undefined) return false;
      queue.remove(entry);
      scope.release();
      observer?.inTime(ok);
      return true;
    };
    const run = async (): Promise<void> => {
      let value: T;
      try {
        // `await` adopts a thenable of any make exactly once, and native promises without a detour.
        value = await operation(scope);
      } catch (error) {
        if (inTime(false)) reject(error);
        return;
      }
      if (inTime(true)) resolve(value);
    };
    void run();
  });
}

/**
 * Calls an operation so that whatever it does comes out as one native promise: a throw as a
 * rejection, a thenable adopted once.
 */
export async function invoke<T>(operation: Operation<T>, call: Call): Promise<T> {
  return await operation(call);
}
