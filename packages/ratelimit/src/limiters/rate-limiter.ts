import type { CallContext, Operation } from '@temper/core';
import { Forecast } from './forecast.ts';
import { invoke } from './invoke.ts';
import { leaseOf } from './lease.ts';
import type { Lease, Limiter, Quota, RequestCounts } from './limiter.ts';
import { checkCost, type ResolvedQueueOptions } from './options.ts';
import { type Books, QueuedLimiter } from './queued-limiter.ts';
import { RollingCount } from './rolling-count.ts';
import { type Rules, TOLERANCE } from './rules.ts';
import { placeFor } from './state-pool.ts';
import type { Levels } from './telemetry.ts';
import { type Gate, WaitQueue } from './wait-queue.ts';

/** What a rate limiter has done, and how it stands. Brought up to date before it is read. */
export interface RateLimiterStats extends RequestCounts {
  /** Units that could be taken now. */
  readonly availableTokens: number;
  /** Most that can be available. */
  readonly maxTokens: number;
  /** Calls let through within the last window, exact to a twentieth of it. */
  readonly requestsInWindow: number;
  /** Units that come back per second. */
  readonly refillRate: number;
  /** Calls waiting for their turn. */
  readonly queued: number;
}

/** A limiter of units per time. */
export interface RateLimiter extends Limiter {
  /** The arithmetic, for whoever keeps the state of many such limiters. */
  readonly rules: Rules;
  /**
   * Takes `cost` units if they can be had now; those who wait come first.
   *
   * @throws {TypeError | RangeError} when the cost is not a finite number > 0
   * @throws {RateLimitExceededError} when the cost is more than can ever be had at once
   */
  tryAcquire(cost?: number): boolean;
  stats(): RateLimiterStats;
}

export class RuledLimiter extends QueuedLimiter implements RateLimiter, Gate {
  readonly rules: Rules;
  protected readonly capacity: number;
  readonly #state: Float64Array;
  readonly #at: number;
  /** Made with the first call that passes. */
  #recent: RollingCount | undefined;
  /** Made, like the forecast, when the first call has to wait. */
  #queue: WaitQueue | undefined;
  #forecast: Forecast | undefined;
  /** When the running step of the recent count ends; until then it need not be told of anything. */
  #stepEndsAt = Number.NEGATIVE_INFINITY;

  constructor(rules: Rules, options: ResolvedQueueOptions, books?: Books) {
    super(options, books);
    this.rules = rules;
    this.capacity = rules.capacity;
    const { state, at } = placeFor(rules.slots);
    this.#state = state;
    this.#at = at;
    rules.reset(state, at, this.clock.monotonic());
    this.#recent = undefined;
    this.#queue = undefined;
    this.#forecast = undefined;
  }

  get queued(): number {
    return this.#queue === undefined ? 0 : this.#queue.size;
  }

  protected openQueue(): WaitQueue {
    this.#queue ??= new WaitQueue(this.clock, this, this.options.maxQueue);
    return this.#queue;
  }

  tryAcquire(cost = 1): boolean {
    if (cost !== 1) checkCost(this.name, cost, this.capacity);
    return this.ask(cost);
  }

  protected pass(cost: number): boolean {
    return this.#take(cost, this.clock.monotonic());
  }

  take(cost: number, now: number): number {
    if (this.#take(cost, now)) return 0;
    return this.rules.delay(this.#state, this.#at, now, cost);
  }

  #take(cost: number, now: number): boolean {
    if (!this.rules.take(this.#state, this.#at, now, cost)) return false;
    if (now >= this.#stepEndsAt) this.#nextStep(now);
    return true;
  }

  #nextStep(now: number): void {
    this.#recent ??= new RollingCount(this.rules.windowMs, now);
    this.#stepEndsAt = this.#recent.advance(now, this.#passed);
  }

  /** Calls let through, by any way. */
  get #passed(): number {
    return this.counts.allowed + this.counts.delayed;
  }

  forecast(queue: WaitQueue, cost: number, deadline: number, now: number): number {
    this.#forecast ??= new Forecast(this.rules);
    return this.#forecast.next(this.#state, this.#at, queue, cost, deadline, now);
  }

  protected lease(cost: number): Lease {
    return leaseOf(cost);
  }

  protected run<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return invoke(operation, context);
  }

  protected readyInMs(cost: number): number {
    return this.rules.delay(this.#state, this.#at, this.clock.monotonic(), cost);
  }

  quota(): Quota {
    const now = this.clock.monotonic();
    const { limit, windowMs } = this.rules;
    const available = this.queued > 0 ? 0 : this.rules.available(this.#state, this.#at, now);
    return {
      limit,
      windowMs,
      remaining: Math.max(0, Math.floor(available + TOLERANCE)),
      resetMs: this.rules.growth(this.#state, this.#at, now),
    };
  }

  levels(): Levels {
    return {
      available: this.rules.available(this.#state, this.#at, this.clock.monotonic()),
      limit: this.rules.limit,
      queued: this.queued,
    };
  }

  stats(): RateLimiterStats {
    const now = this.clock.monotonic();
    return {
      availableTokens: Math.max(0, this.rules.available(this.#state, this.#at, now)),
      maxTokens: this.rules.capacity,
      requestsInWindow: this.#recent?.within(now, this.#passed) ?? 0,
      refillRate: (this.rules.limit / this.rules.windowMs) * 1000,
      queued: this.queued,
      ...this.counts,
    };
  }
}
