import type { Clock, Scheduled } from '@temper/core';

/** What a {@link WaitQueue} waits at. */
export interface Gate {
  /**
   * Takes `cost` for the head of the queue.
   *
   * @returns 0 when it was taken; otherwise the milliseconds after which it is worth asking again,
   * `Infinity` when only {@link WaitQueue.wake} can tell
   */
  take(cost: number, now: number): number;
  /**
   * When a request at the end of the queue would get its turn at the earliest, on the clock's
   * monotonic scale. Called once for each request that joins, in order. `now` when nobody can tell.
   */
  forecast(queue: WaitQueue, cost: number, deadline: number, now: number): number;
  /** Called when nobody waits any more, perhaps more than once. */
  emptied?(): void;
  /** The error for a request that the queue turns away. */
  refuse(reason: 'queue-full' | 'deadline', cost: number, readyInMs: number | undefined): Error;
}

interface Waiter {
  readonly cost: number;
  readonly deadline: number;
  /** When its turn was forecast to come. */
  readonly readyAt: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;
  previous: Waiter | undefined;
  next: Waiter | undefined;
}

/**
 * Requests that wait for their turn: first come, first served, behind one timer, which exists only
 * while somebody waits and something will happen by itself. Leaving takes constant time, wherever in
 * the queue.
 */
export class WaitQueue {
  readonly #clock: Clock;
  readonly #gate: Gate;
  readonly #max: number;
  #head: Waiter | undefined;
  #tail: Waiter | undefined;
  #size = 0;
  #surprises = 0;
  /** No waiter's deadline is earlier than this. */
  #earliestDeadline = Number.POSITIVE_INFINITY;
  #timer: Scheduled | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, gate: Gate, max: number) {
    this.#clock = clock;
    this.#gate = gate;
    this.#max = max;
  }

  /** How many are waiting. */
  get size(): number {
    return this.#size;
  }

  /** Grows whenever something happens that no forecast has foreseen: somebody leaves, or is served late. */
  get surprises(): number {
    return this.#surprises;
  }

  /** What those who wait have asked for, in order. */
  *costs(): Generator<number> {
    for (let waiter = this.#head; waiter !== undefined; waiter = waiter.next) yield waiter.cost;
  }

  /**
   * Waits for a turn of `cost`.
   *
   * @param deadline - on the clock's monotonic scale; `Infinity` for none
   * @throws what {@link Gate.refuse} made, at once, when the queue is full or the deadline cannot be met
   * @throws `signal.reason` when the signal aborts
   */
  join(cost: number, deadline: number, signal: AbortSignal | undefined): Promise<void> {
    // A timer may be late; whoever's turn has come comes before the newcomer.
    if (this.#size > 0) this.#serve();
    const now = this.#clock.monotonic();
    let readyAt = now;
    let refusal: { readonly reason: unknown } | undefined;
    if (signal?.aborted) {
      refusal = { reason: signal.reason };
    } else if (this.#size >= this.#max) {
      refusal = { reason: this.#gate.refuse('queue-full', cost, undefined) };
    } else if (deadline <= now) {
      refusal = { reason: this.#gate.refuse('deadline', cost, undefined) };
    } else {
      readyAt = this.#gate.forecast(this, cost, deadline, now);
      if (readyAt > deadline) {
        refusal = { reason: this.#gate.refuse('deadline', cost, readyAt - now) };
      }
    }
    if (refusal !== undefined) {
      this.#mayBeEmpty();
      return Promise.reject(refusal.reason);
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        cost,
        deadline,
        readyAt,
        resolve,
        reject,
        signal,
        onAbort: undefined,
        previous: this.#tail,
        next: undefined,
      };
      if (signal !== undefined) {
        waiter.onAbort = () => {
          this.#withdraw(waiter, signal.reason);
          this.#serve();
          this.#mayBeEmpty();
        };
        signal.addEventListener('abort', waiter.onAbort, { once: true });
      }
      if (this.#tail === undefined) this.#head = waiter;
      else this.#tail.next = waiter;
      this.#tail = waiter;
      this.#size++;
      if (deadline < this.#earliestDeadline) this.#earliestDeadline = deadline;
      this.#serve();
      this.#mayBeEmpty();
    });
  }

  /** Something has been given back, or a limit has changed: lets in whoever's turn has come. */
  wake(): void {
    if (this.#size === 0) return;
    this.#serve();
    this.#mayBeEmpty();
  }

  #mayBeEmpty(): void {
    if (this.#size === 0) this.#gate.emptied?.();
  }

  #serve(): void {
    const now = this.#clock.monotonic();
    let wait = this.#serveHead(now);
    if (now >= this.#earliestDeadline) {
      const head = this.#head;
      this.#expire(now);
      if (this.#head !== head) wait = this.#serveHead(now);
    }
    this.#arm(now, wait);
  }

  /** @returns the milliseconds until the head's turn may come */
  #serveHead(now: number): number {
    for (let head = this.#head; head !== undefined; head = this.#head) {
      if (head.deadline < now) {
        this.#withdraw(head, this.#gate.refuse('deadline', head.cost, undefined));
        continue;
      }
      const wait = this.#gate.take(head.cost, now);
      if (wait > 0) return wait;
      if (now > head.readyAt) this.#surprises++;
      this.#remove(head);
      head.resolve();
    }
    return Number.POSITIVE_INFINITY;
  }

  #expire(now: number): void {
    this.#earliestDeadline = Number.POSITIVE_INFINITY;
    for (let waiter = this.#head; waiter !== undefined; waiter = waiter.next) {
      if (waiter.deadline <= now) {
        this.#withdraw(waiter, this.#gate.refuse('deadline', waiter.cost, undefined));
      } else if (waiter.deadline < this.#earliestDeadline) {
        this.#earliestDeadline = waiter.deadline;
      }
    }
  }

  #withdraw(waiter: Waiter, reason: unknown): void {
    this.#surprises++;
    this.#remove(waiter);
    waiter.reject(reason);
  }

  #remove(waiter: Waiter): void {
    if (waiter.previous === undefined) this.#head = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === undefined) this.#tail = waiter.previous;
    else waiter.next.previous = waiter.previous;
    this.#size--;
    if (waiter.onAbort !== undefined) waiter.signal?.removeEventListener('abort', waiter.onAbort);
    if (this.#size === 0) this.#earliestDeadline = Number.POSITIVE_INFINITY;
  }

  #arm(now: number, wait: number): void {
    const at =
      this.#head === undefined
        ? Number.POSITIVE_INFINITY
        : Math.min(now + wait, this.#earliestDeadline);
    // A timer that goes off too early finds nothing to do and is set again: cheaper than moving it.
    if (this.#timer !== undefined && this.#timerAt <= at && at !== Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.schedule(() => this.#due(), wholeMs(at - now));
  }

  #due(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#serve();
    this.#mayBeEmpty();
  }
}

/** A wait as timers keep it: they cut fractions off, and would come before their time. */
export function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms - 1e-6));
}
