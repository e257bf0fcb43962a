import type { Clock, Scheduled } from '@temper/core';
import { wholeMs } from '../wait-queue.ts';

/** Something that will happen. */
export interface AlarmEntry {
  readonly at: number;
  /** Of two moments at the same time, the one that was set first comes first. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/**
 * Any number of moments behind one timer, which exists only while one of them is still to come. A
 * moment that is taken back stays in the heap until it comes or the heap is empty of others.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #background: boolean;
  readonly #heap: AlarmEntry[] = [];
  #live = 0;
  #order = 0;
  #timer: Scheduled | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param background - whether the process may end without waiting for what is to come */
  constructor(clock: Clock, background = false) {
    this.#clock = clock;
    this.#background = background;
  }

  /** @param at - on the clock's monotonic scale; one that has passed comes with the next turn of the timer */
  set(at: number, callback: () => void): AlarmEntry {
    const entry: AlarmEntry = { at, order: this.#order++, callback };
    this.#push(entry);
    this.#live++;
    if (at < this.#timerAt) this.#arm(this.#clock.monotonic());
    return entry;
  }

  /** Takes a moment back; does nothing when it has come. */
  clear(entry: AlarmEntry): void {
    if (entry.callback === undefined) return;
    entry.callback = undefined;
    this.#live--;
    if (this.#live > 0) return;
    this.#heap.length = 0;
    this.#disarm();
  }

  #ring(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (let next = this.#heap[0]; next !== undefined && next.at <= now; next = this.#heap[0]) {
      this.#pop();
      const { callback } = next;
      if (callback === undefined) continue;
      next.callback = undefined;
      this.#live--;
      callback();
    }
    if (this.#live > 0) this.#arm(now);
    else this.#disarm();
  }

  #arm(now: number): void {
    const next = this.#heap[0];
    if (next === undefined || this.#timerAt <= next.at) return;
    this.#disarm();
    this.#timerAt = next.at;
    this.#timer = this.#clock.schedule(() => this.#ring(), wholeMs(next.at - now));
    if (this.#background) this.#timer.unref();
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #push(entry: AlarmEntry): void {
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

function before(a: AlarmEntry, b: AlarmEntry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
