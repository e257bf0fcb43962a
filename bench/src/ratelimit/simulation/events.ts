import type { Clock } from '@temper/core';
import type { Scheduled } from '@temper/core/policy';

interface Event {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** A discrete-event loop with virtual time, which makes simulations fast and deterministic. */
export class EventLoop {
  #now = 0;
  #order = 0;
  /** A binary min-heap by time. */
  readonly #heap: Event[] = [];

  get now(): number {
    return this.#now;
  }

  /** The virtual time as a clock for policies. */
  readonly clock: Clock = {
    now: () => 1_700_000_000_000 + this.#now,
    monotonic: () => this.#now,
    schedule: (callback, ms) => this.at(this.#now + ms, callback),
    sleep: () => {
      throw new Error('Nothing in the simulation sleeps.');
    },
  };

  at(at: number, run: () => void): Scheduled {
    const event: Event = { at, order: this.#order++, run };
    this.#push(event);
    return {
      cancel: () => {
        event.run = undefined;
      },
      ref: () => undefined,
      unref: () => undefined,
    };
  }

  /** Runs all events up to `end`. */
  runUntil(end: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      this.#now = next.at;
      next.run?.();
    }
    this.#now = end;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = event;
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

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Seeded random numbers by the mulberry32 generator. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** An exponentially distributed time between independent events. */
export function exponential(mean: number, random: () => number): number {
  return -mean * Math.log(1 - random());
}
