import { type Clock, type Scheduled, timerEpoch } from '../clock.ts';

/** One pending expiry in a {@link TimeoutQueue}. */
export interface TimeoutEntry {
  /** @internal */ expiresAt: number;
  /** @internal */ callback: (() => void) | undefined;
  /** @internal */ previous: TimeoutEntry | undefined;
  /** @internal */ next: TimeoutEntry | undefined;
  /** @internal */ readonly list: ExpiryList;
}

/**
 * Expiries that all lie the same time ahead, behind one timer. As the duration is fixed, the queue is
 * always in order of expiry: adding and removing take constant time, and the timer only needs to look
 * at the head (the idea of the timer lists inside Node and the Linux kernel).
 *
 * While the queue is empty its timer, if it still runs, does not keep the process alive.
 *
 * When a test replaces the timer functions, or puts them back, the queue begins a new list. What waits in
 * the old one belongs to the old functions. While they are replaced, every expiry has a timer of its own.
 */
export class TimeoutQueue {
  readonly durationMs: number;
  readonly clock: Clock;
  #list: ExpiryList | undefined;
  #epoch: number | undefined;

  constructor(clock: Clock, durationMs: number) {
    this.clock = clock;
    this.durationMs = durationMs;
  }

  add(callback: () => void): TimeoutEntry {
    const epoch = timerEpoch(this.clock);
    let list = this.#list;
    if (list === undefined || epoch === undefined || epoch !== this.#epoch) {
      list = new ExpiryList(this.clock, this.durationMs, epoch);
      this.#list = list;
      this.#epoch = epoch;
    }
    return list.add(callback);
  }

  /** Removes an expiry; does nothing when it has happened. */
  remove(entry: TimeoutEntry): void {
    entry.list.remove(entry);
  }
}

/** Expiries in order, behind a timer of one set of timer functions. */
class ExpiryList {
  readonly #clock: Clock;
  readonly #durationMs: number;
  readonly #epoch: number | undefined;
  #head: TimeoutEntry | undefined;
  #tail: TimeoutEntry | undefined;
  #timer: Scheduled | undefined;

  /** @param epoch - `undefined` for a list of one entry */
  constructor(clock: Clock, durationMs: number, epoch: number | undefined) {
    this.#clock = clock;
    this.#durationMs = durationMs;
    this.#epoch = epoch;
  }

  add(callback: () => void): TimeoutEntry {
    const entry: TimeoutEntry = {
      expiresAt: this.#clock.monotonic() + this.#durationMs,
      callback,
      previous: this.#tail,
      next: undefined,
      list: this,
    };
    if (this.#tail === undefined) {
      this.#head = entry;
      if (this.#timer === undefined) this.#arm(this.#durationMs, entry.expiresAt);
      else this.#timer.ref();
    } else {
      this.#tail.next = entry;
    }
    this.#tail = entry;
    return entry;
  }

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
    if (this.#head !== undefined) return;
    if (this.#epoch === undefined) this.#timer?.cancel();
    else this.#timer?.unref();
  }

  #arm(ms: number, dueAt: number): void {
    this.#timer = this.#clock.schedule(() => this.#expire(dueAt), ms);
  }

  #expire(dueAt: number): void {
    this.#timer = undefined;
    // Time of other timer functions says nothing about these; that the timer fired does.
    const own = this.#epoch !== undefined && timerEpoch(this.#clock) === this.#epoch;
    const now = own ? this.#clock.monotonic() : dueAt;
    try {
      while (this.#head !== undefined && this.#head.expiresAt <= now) {
        const { callback } = this.#head;
        this.remove(this.#head);
        callback?.();
      }
    } finally {
      // A callback may have added entries and armed the timer already, or it may have thrown.
      if (this.#head !== undefined && this.#timer === undefined) {
        this.#arm(Math.max(1, this.#head.expiresAt - now), this.#head.expiresAt);
      }
    }
  }
}
