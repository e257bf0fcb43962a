import type { Clock } from '@temper/core';
import { type Scheduled, timerEpoch } from '@temper/core/policy';
import { wholeMs } from '../rules/forecast.ts';
import { IndexedHeap } from '../wait/indexed-heap.ts';

/** One pending callback of a {@link TimerHeap}. */
export interface TimerEntry {
  /** On the clock's monotonic scale, in milliseconds. */
  readonly at: number;
  /** Entries of the same time fire in the order in which they were added. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Any number of callbacks behind one timer, which exists only while a callback is pending. */
export class TimerHeap {
  readonly #clock: Clock;
  readonly #background: boolean;
  readonly #heap = new IndexedHeap<TimerEntry>(before);
  #order = 0;
  #timer: Scheduled | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  /** Of the timer functions that armed the timer. */
  #epoch: number | undefined;

  /** @param background - whether the process may end while callbacks are pending */
  constructor(clock: Clock, background = false) {
    this.#clock = clock;
    this.#background = background;
  }

  /** @param at - on the clock's monotonic scale; a time in the past fires with the next timer */
  add(at: number, callback: () => void): TimerEntry {
    const entry: TimerEntry = { at, order: this.#order++, callback };
    this.#heap.push(entry);
    if (at < this.#timerAt || !this.#alive()) this.#arm(this.#clock.monotonic());
    return entry;
  }

  /** Cancels an entry; does nothing when it has fired. */
  clear(entry: TimerEntry): void {
    if (entry.callback === undefined) return;
    entry.callback = undefined;
    this.#heap.remove(entry);
    if (this.#heap.size === 0) this.#disarm();
  }

  /** How many entries are pending. */
  get size(): number {
    return this.#heap.size;
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (let next = this.#heap.first; next && next.at <= now; next = this.#heap.first) {
      this.#heap.remove(next);
      const { callback } = next;
      next.callback = undefined;
      callback?.();
    }
    if (this.#heap.size > 0) this.#arm(now);
    else this.#disarm();
  }

  #arm(now: number): void {
    const next = this.#heap.first;
    if (next === undefined || (this.#timerAt <= next.at && this.#alive())) return;
    this.#disarm();
    this.#timerAt = next.at;
    this.#epoch = timerEpoch(this.#clock);
    this.#timer = this.#clock.schedule(() => this.#fire(), wholeMs(next.at - now));
    if (this.#background) this.#timer.unref();
  }

  /** Whether the timer, where there is one, was armed by the present timer functions. */
  #alive(): boolean {
    const epoch = timerEpoch(this.#clock);
    return epoch !== undefined && epoch === this.#epoch;
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }
}

function before(a: TimerEntry, b: TimerEntry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
