import type { Clock } from '@temper/core';
import { listenForAbort, type Scheduled, stopListening, timerEpoch } from '@temper/core/policy';
import { RateLimitExceededError, type RejectionReason } from '../errors.ts';
import { type Queued, wholeMs } from '../rules/forecast.ts';
import { TOLERANCE } from '../rules/rule.ts';
import type { Gate } from './gate.ts';
import { ArrivalLine, type Line, type Linked } from './line.ts';

/**
 * When a call that joins a queue gets its turn at the earliest, on the clock's monotonic scale. Asked once for
 * each call that joins, in order.
 */
export type Foresight = (queue: Queued, cost: number, deadline: number, now: number) => number;

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

/** A call that waits. */
export interface Waiter extends Linked<Waiter> {
  readonly deadline: number;
  /** When its turn was forecast to come. */
  readonly readyAt: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;
  /** Of a call that is a part of one that holds something. */
  readonly part: Part | undefined;
  /** Whether it is served before the line. */
  isFirst: boolean;
}

/** What is read of the wait of a part. */
interface Part {
  readonly urgent: boolean;
}

/**
 * Calls that wait for their turn, in order of arrival or that of their line, behind one timer, which exists
 * only while a call waits and its turn or deadline will come by itself. Leaving takes constant time at any place.
 */
export class WaitQueue implements Queued {
  readonly #clock: Clock;
  readonly #gate: Gate;
  readonly #max: number;
  readonly #line: Line<Waiter>;
  /**
   * Urgent parts. Calls in the line may wait for what the calls of these hold, so that these do not wait for a turn:
   * each is served before the line, as soon as there is room for it.
   */
  readonly #parts = new ArrivalLine<Waiter>();
  /** Parts in the line. */
  #calm = 0;
  readonly #inOrder: boolean;
  readonly #foresight: Foresight | undefined;
  #cost = 0;
  #deviations = 0;
  /** No waiter's deadline is earlier than this. */
  #earliestDeadline = Number.POSITIVE_INFINITY;
  #timer: Scheduled | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  /** Of the timer functions that armed the timer. */
  #epoch: number | undefined;

  /**
   * @param line - in which order calls are served; by default as they arrive
   * @param foresight - of calls that are served as they arrive
   */
  constructor(clock: Clock, gate: Gate, max: number, line?: Line<Waiter>, foresight?: Foresight) {
    this.#clock = clock;
    this.#gate = gate;
    this.#max = max;
    this.#line = line ?? new ArrivalLine();
    this.#inOrder = line === undefined;
    this.#foresight = foresight;
  }

  get size(): number {
    return this.#line.size + this.#parts.size;
  }

  get cost(): number {
    return this.#cost;
  }

  get deviations(): number {
    return this.#deviations;
  }

  *costs(): Generator<number> {
    for (const { cost } of this.#waiters()) yield cost;
  }

  *#waiters(): Generator<Waiter> {
    yield* this.#parts;
    yield* this.#line;
  }

  /**
   * Waits for a turn of `cost`.
   *
   * @param deadline - on the clock's monotonic scale; `Infinity` for none
   * @param part - of a call that is a part of one that holds something, here or elsewhere
   * @throws {RateLimitExceededError} at once, when the queue is full or the turn would come after the deadline
   * @throws `signal.reason`, also later (as a rejection), when the signal aborts
   */
  join(
    cost: number,
    deadline: number,
    signal: AbortSignal | undefined,
    caller = '',
    part?: Part,
  ): Promise<void> {
    const now = this.#clock.monotonic();
    // A timer may be late; calls whose turn has come go before this one.
    if (this.size > 0) this.#serve(now);
    if (signal?.aborted === true) throw signal.reason;
    if (this.size >= this.#max && !this.#displace(cost, caller)) {
      throw refusal(this.#gate, 'queue-full', cost);
    }
    if (deadline <= now) throw refusal(this.#gate, 'deadline', cost);
    const readyAt = this.#readyAt(cost, deadline, now);
    if (readyAt > deadline) throw refusal(this.#gate, 'deadline', cost, readyAt - now);
    const turn = this.#append({ cost, deadline, readyAt, signal, caller, part });
    this.#serve(now);
    return turn;
  }

  /** When a call gets its turn at the earliest. In another order, it may be the next one. */
  #readyAt(cost: number, deadline: number, now: number): number {
    if (this.#inOrder) return this.#foresight?.(this, cost, deadline, now) ?? now;
    return now + (this.#gate.delay(cost) ?? 0);
  }

  /** Refuses a call of the caller that fills the queue. @returns whether there was one */
  #displace(cost: number, caller: string): boolean {
    const newcomer = { cost, caller } as Waiter;
    const victim = this.#max === 0 ? undefined : this.#line.victim(newcomer);
    if (victim === undefined) return false;
    this.#withdraw(victim, refusal(this.#gate, 'queue-full', victim.cost));
    return true;
  }

  /** Units have come back, or the limit has changed: serves the calls whose turn has come. */
  wake(): void {
    if (this.size > 0) this.#serve();
  }

  /** As {@link wake}, when the limit changes in a way that no forecast includes. */
  changed(): void {
    this.#deviations++;
    this.wake();
  }

  /** Parts in the line have become urgent. */
  hurry(): void {
    if (this.#calm === 0) return;
    for (const waiter of [...this.#line].filter(({ part }) => part?.urgent === true)) {
      this.#line.remove(waiter);
      this.#calm--;
      waiter.isFirst = true;
      this.#parts.push(waiter);
    }
    this.#serve();
  }

  #append(
    given: Pick<Waiter, 'cost' | 'deadline' | 'readyAt' | 'signal' | 'caller' | 'part'>,
  ): Promise<void> {
    const { cost, deadline, signal } = given;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        ...given,
        isFirst: given.part?.urgent === true,
        resolve,
        reject,
        onAbort: undefined,
        previous: undefined,
        next: undefined,
      };
      if (signal !== undefined) {
        waiter.onAbort = () => {
          this.#withdraw(waiter, signal.reason);
          this.#serve();
        };
        listenForAbort(signal, waiter.onAbort);
      }
      this.#lineOf(waiter).push(waiter);
      if (isCalm(waiter)) this.#calm++;
      this.#cost += cost;
      this.#earliestDeadline = Math.min(this.#earliestDeadline, deadline);
    });
  }

  #serve(now: number = this.#clock.monotonic()): void {
    let wait = this.#serveAll(now);
    if (now >= this.#earliestDeadline) {
      const { size } = this;
      this.#expire(now);
      if (this.size !== size) wait = this.#serveAll(now);
    }
    this.#arm(now, wait);
  }

  /** @returns the milliseconds until the next turn may come */
  #serveAll(now: number): number {
    if (this.#parts.size > 0) for (const part of this.#parts) this.#answer(part, now);
    if (this.#parts.size > 0) return Number.POSITIVE_INFINITY;
    for (let { head } = this.#line; head !== undefined; { head } = this.#line) {
      if (!this.#answer(head, now)) return this.#gate.delay(head.cost) ?? Number.POSITIVE_INFINITY;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Serves or refuses a call. @returns whether it waits no longer */
  #answer(waiter: Waiter, now: number): boolean {
    if (waiter.deadline < now) {
      this.#withdraw(waiter, refusal(this.#gate, 'deadline', waiter.cost));
    } else if (this.#gate.tryTake(waiter.cost, now)) {
      if (now > waiter.readyAt) this.#deviations++;
      this.#lineOf(waiter).served(waiter);
      this.#removed(waiter);
      waiter.resolve();
    } else if (waiter.cost > this.#gate.capacity + TOLERANCE) {
      // The limit may have been lowered since the call joined.
      this.#withdraw(waiter, refusal(this.#gate, 'cost', waiter.cost, Number.POSITIVE_INFINITY));
    } else return false;
    return true;
  }

  #lineOf({ isFirst }: Waiter): Line<Waiter> {
    return isFirst ? this.#parts : this.#line;
  }

  #expire(now: number): void {
    this.#earliestDeadline = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters()) {
      if (waiter.deadline <= now) {
        this.#withdraw(waiter, refusal(this.#gate, 'deadline', waiter.cost));
      } else {
        this.#earliestDeadline = Math.min(this.#earliestDeadline, waiter.deadline);
      }
    }
  }

  #withdraw(waiter: Waiter, reason: unknown): void {
    this.#deviations++;
    this.#lineOf(waiter).remove(waiter);
    this.#removed(waiter);
    waiter.reject(reason);
  }

  #removed(waiter: Waiter): void {
    if (isCalm(waiter)) this.#calm--;
    // Fractions leave rounding behind; an empty queue starts from 0.
    this.#cost = this.size === 0 ? 0 : this.#cost - waiter.cost;
    if (waiter.onAbort !== undefined) stopListening(waiter.signal, waiter.onAbort);
    if (this.size === 0) this.#earliestDeadline = Number.POSITIVE_INFINITY;
  }

  #arm(now: number, wait: number): void {
    const at =
      this.size === 0 ? Number.POSITIVE_INFINITY : Math.min(now + wait, this.#earliestDeadline);
    // A timer that fires too early finds nothing to do and is set again: cheaper than moving it.
    const epoch = timerEpoch(this.#clock);
    const alive = this.#timer !== undefined && epoch !== undefined && epoch === this.#epoch;
    if (alive && this.#timerAt <= at && at !== Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    this.#epoch = epoch;
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

/** Whether it is a part, and waits for its turn in the line. */
const isCalm = ({ part, isFirst }: Waiter): boolean => part !== undefined && !isFirst;
