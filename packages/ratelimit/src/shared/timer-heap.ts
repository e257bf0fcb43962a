import type { Clock } from '@temper/core';
import type { Scheduled } from '@temper/core/policy';
import { wholeMs } from '../wait/wait-queue.ts';

/** One pending callback of a {@link TimerHeap}. */
export interface TimerEntry {
  /** On the clock's monotonic scale, in milliseconds. */
  readonly at: number;
  /** Entries of the same time fire in the order in which they were added. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/**
 * Any number of callbacks behind one timer, which exists only while a callback is pending. A cleared
 * entry stays in the heap until its time comes, or until no other entry is pending.
 */
export class TimerHeap {
  readonly #clock: Clock;
  readonly #background: boolean;
  readonly #heap: TimerEntry[] = [];
  #pending = 0;
  #order = 0;
  #timer: Scheduled | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param background - whether the process may end while callbacks are pending */
  constructor(clock: Clock, background = false) {
    this.#clock = clock;
    this.#background = background;
  }

  /** @param at - on the clock's monotonic scale; a time in the past fires with the next timer */
  add(at: number, callback: () => void): TimerEntry {
    const entry: TimerEntry = { at, order: this.#order++, callback };
    this.#push(entry);
    this.#pending++;
    if (at < this.#timerAt) this.#arm(this.#clock.monotonic());
    return entry;
  }

  /** Cancels an entry; does nothing when it has fired. */
  clear(entry: TimerEntry): void {
    if (entry.callback === undefined) return;
    entry.callback = undefined;
    this.#pending--;
    if (this.#pending > 0) return;
    this.#heap.length = 0;
    this.#disarm();
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (let next = this.#heap[0]; next !== undefined && next.at <= now; next = this.#heap[0]) {
      this.#pop();
      const { callback } = next;
      if (callback === undefined) continue;
      next.callback = undefined;
      this.#pending--;
      callback();
    }
    if (this.#pending > 0) this.#arm(now);
    else this.#disarm();
  }

  #arm(now: number): void {
    const next = this.#heap[0];
    if (next === undefined || this.#timerAt <= next.at) return;
    this.#disarm();
    this.#timerAt = next.at;
    this.#timer = this.#clock.schedule(() => this.#fire(), wholeMs(next.at - now));
    if (this.#background) this.#timer.unref();
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #push(entry: TimerEntry): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(entry);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}

function before(a: TimerEntry, b: TimerEntry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
