/** A timer of a manual clock. */
export interface Timer {
  readonly at: number;
  /** Timers of one moment run in this order. */
  readonly order: number;
  readonly callback: () => void;
  refed: boolean;
  cancelled: boolean;
}

/** Timers in the order in which they fall due: a binary heap. */
export class TimerHeap {
  #heap: Timer[] = [];
  #cancelled = 0;

  /** The timers that wait. */
  get live(): readonly Timer[] {
    return this.#heap.filter((timer) => !timer.cancelled);
  }

  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  push(timer: Timer): void {
    const heap = this.#heap;
    let place = heap.push(timer) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(timer, heap[parent] as Timer)) break;
      heap[place] = heap[parent] as Timer;
      place = parent;
    }
    heap[place] = timer;
  }

  cancel(timer: Timer): void {
    if (timer.cancelled) return;
    timer.cancelled = true;
    this.#cancelled++;
    // So that timeouts which never expire do not stay until they would.
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) {
      this.#heap = this.#heap
        .filter((one) => !one.cancelled)
        .sort((a, b) => (isBefore(a, b) ? -1 : 1));
      this.#cancelled = 0;
    }
  }

  /** The timer that falls due next, which stays. */
  peek(): Timer | undefined {
    while (this.#heap[0]?.cancelled === true) {
      this.#removeFirst();
      this.#cancelled--;
    }
    return this.#heap[0];
  }

  /** Removes what {@link peek} returns. */
  shift(): void {
    const first = this.peek();
    if (first === undefined) return;
    this.#removeFirst();
    first.cancelled = true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child] as Timer))
        child++;
      if (!isBefore(heap[child] as Timer, last)) break;
      heap[place] = heap[child] as Timer;
      place = child;
    }
    heap[place] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
