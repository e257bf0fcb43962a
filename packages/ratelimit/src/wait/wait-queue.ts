import type { Clock } from '@temper/core';
import type { Scheduled } from '@temper/core/policy';
import { RateLimitExceededError, type RejectionReason } from '../errors.ts';
import type { LimitState } from '../limiter.ts';

/** What calls wait at: a limiter, or one key of a keyed limiter. */
export interface Gate {
  /** The limiter's name. */
  readonly name: string;
  /** Most units that can ever be taken at once. */
  readonly capacity: number;
  /**
   * Takes `cost` units if they are available, whether or not calls wait.
   *
   * @param now - the clock's monotonic time, where the caller has read it already
   * @returns whether they were taken
   */
  tryTake(cost: number, now?: number): boolean;
  /** Milliseconds until `cost` may be available; `undefined` when unknown. */
  delay(cost: number): number | undefined;
  /** The state of the limit. */
  peek(): LimitState;
  /**
   * When a call that joins the end of the queue gets its turn at the earliest, on the clock's monotonic
   * scale. Asked once for each call that joins, in order. Absent when unknown.
   */
  forecast?(queue: WaitQueue, cost: number, deadline: number, now: number): number;
}

/** The error for a call that a gate refuses. */
export function refusal(
  gate: Gate,
  reason: RejectionReason,
  cost: number,
  retryAfterMs: number | undefined = gate.delay(cost),
): RateLimitExceededError {
  const { limit, remaining } = gate.peek();
  return new RateLimitExceededError(gate.name, { reason, limit, remaining, retryAfterMs, cost });
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
 * Calls that wait for their turn, in order of arrival, behind one timer, which exists only while a call
 * waits and its turn or deadline will come by itself. Leaving takes constant time at any place.
 */
export class WaitQueue {
  readonly #clock: Clock;
  readonly #gate: Gate;
  readonly #max: number;
  #head: Waiter | undefined;
  #tail: Waiter | undefined;
  #size = 0;
  #deviations = 0;
  /** No waiter's deadline is earlier than this. */
  #earliestDeadline = Number.POSITIVE_INFINITY;
  #timer: Scheduled | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, gate: Gate, max: number) {
    this.#clock = clock;
    this.#gate = gate;
    this.#max = max;
  }

  /** How many calls wait. */
  get size(): number {
    return this.#size;
  }

  /** Grows with each event that no forecast includes: a call leaves, or is served late. */
  get deviations(): number {
    return this.#deviations;
  }

  /** The costs of the waiting calls, in order. */
  *costs(): Generator<number> {
    for (let waiter = this.#head; waiter !== undefined; waiter = waiter.next) yield waiter.cost;
  }

  /**
   * Waits for a turn of `cost`.
   *
   * @param deadline - on the clock's monotonic scale; `Infinity` for none
   * @throws {RateLimitExceededError} (as a rejection, at once) when the queue is full or the turn would
   * come after the deadline
   * @throws `signal.reason` (as a rejection) when the signal aborts
   */
  async join(cost: number, deadline: number, signal: AbortSignal | undefined): Promise<void> {
    // A timer may be late; calls whose turn has come go before this one.
    if (this.#size > 0) this.#serve();
    const now = this.#clock.monotonic();
    if (signal?.aborted === true) throw signal.reason;
    if (this.#size >= this.#max) throw refusal(this.#gate, 'queue-full', cost);
    if (deadline <= now) throw refusal(this.#gate, 'deadline', cost);
    const readyAt = this.#gate.forecast?.(this, cost, deadline, now) ?? now;
    if (readyAt > deadline) throw refusal(this.#gate, 'deadline', cost, readyAt - now);
    const turn = this.#append(cost, deadline, readyAt, signal);
    this.#serve();
    await turn;
  }

  /** Units have come back, or the limit has changed: serves the calls whose turn has come. */
  wake(): void {
    if (this.#size > 0) this.#serve();
  }

  #append(
    cost: number,
    deadline: number,
    readyAt: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
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
        };
        signal.addEventListener('abort', waiter.onAbort, { once: true });
      }
      if (this.#tail === undefined) this.#head = waiter;
      else this.#tail.next = waiter;
      this.#tail = waiter;
      this.#size++;
      this.#earliestDeadline = Math.min(this.#earliestDeadline, deadline);
    });
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
        this.#withdraw(head, refusal(this.#gate, 'deadline', head.cost));
        continue;
      }
      if (!this.#gate.tryTake(head.cost, now)) {
        return this.#gate.delay(head.cost) ?? Number.POSITIVE_INFINITY;
      }
      if (now > head.readyAt) this.#deviations++;
      this.#remove(head);
      head.resolve();
    }
    return Number.POSITIVE_INFINITY;
  }

  #expire(now: number): void {
    this.#earliestDeadline = Number.POSITIVE_INFINITY;
    for (let waiter = this.#head; waiter !== undefined; waiter = waiter.next) {
      if (waiter.deadline <= now) {
        this.#withdraw(waiter, refusal(this.#gate, 'deadline', waiter.cost));
      } else {
        this.#earliestDeadline = Math.min(this.#earliestDeadline, waiter.deadline);
      }
    }
  }

  #withdraw(waiter: Waiter, reason: unknown): void {
    this.#deviations++;
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
    // A timer that fires too early finds nothing to do and is set again: cheaper than moving it.
    if (this.#timer !== undefined && this.#timerAt <= at && at !== Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.schedule(
      () => {
        this.#timer = undefined;
        this.#timerAt = Number.POSITIVE_INFINITY;
        this.#serve();
      },
      wholeMs(at - now),
    );
  }
}

/** A wait in whole milliseconds: timers drop fractions, and would fire too early. */
export function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms - 1e-6));
}
