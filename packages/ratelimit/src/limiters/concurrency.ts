import { type CallContext, checkNumber, isThenable, type Operation } from '@temper/core';
import { Permits } from './concurrency.ts';
import type { Lease, Limiter, Quota, RequestCounts } from './limiter.ts';
import {
  CONCURRENCY_DEFAULTS,
  type ConcurrencyOptions,
  checkCost,
  type ResolvedQueueOptions,
  resolveQueueOptions,
} from './options.ts';
import { type Books, QueuedLimiter } from './queued-limiter.ts';
import { TOLERANCE } from './rules.ts';
import type { Levels } from './telemetry.ts';
import { type Gate, WaitQueue } from './wait-queue.ts';

/** How many permits are out, and what was answered. */
export interface ConcurrencyStats extends RequestCounts {
  /** Units in use. */
  readonly inFlight: number;
  /** Calls waiting for their turn. */
  readonly queued: number;
  /** Most units in use at a time. */
  readonly limit: number;
}

/** A bulkhead: so many at a time. */
export interface ConcurrencyLimiter extends Limiter {
  /**
   * Takes `cost` permits if they are free now; those who wait come first.
   *
   * @returns the lease that gives them back, undefined when refused
   * @throws {TypeError | RangeError} when the cost is not a finite number > 0
   * @throws {RateLimitExceededError} when the cost is more than the limit
   */
  tryAcquire(cost?: number): Lease | undefined;
  stats(): ConcurrencyStats;
}

/** Permits that are out, until they are given back once. */
export class PermitLease implements Lease {
  readonly cost: number;
  #owner: Bulkhead | undefined;

  constructor(owner: Bulkhead, cost: number) {
    this.#owner = owner;
    this.cost = cost;
  }

  release(): void {
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.giveBack(this.cost);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

export class Bulkhead extends QueuedLimiter implements ConcurrencyLimiter, Gate {
  protected readonly capacity: number;
  readonly #permits: Permits;
  /** Made when the first call has to wait. */
  #queue: WaitQueue | undefined;

  /** @param capacity - most that the limit can become, where it moves */
  constructor(
    limit: number,
    options: ResolvedQueueOptions,
    capacity: number = limit,
    books?: Books,
  ) {
    super(options, books);
    this.capacity = capacity;
    this.#permits = new Permits(limit);
    this.#queue = undefined;
  }

  get queued(): number {
    return this.#queue === undefined ? 0 : this.#queue.size;
  }

  protected openQueue(): WaitQueue {
    this.#queue ??= new WaitQueue(this.clock, this, this.options.maxQueue);
    return this.#queue;
  }

  tryAcquire(cost = 1): Lease | undefined {
    if (cost !== 1) checkCost(this.name, cost, this.capacity);
    return this.ask(cost) ? this.lease(cost) : undefined;
  }

  protected pass(cost: number): boolean {
    return this.#permits.take(cost);
  }

  take(cost: number): number {
    return this.#permits.take(cost) ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Nobody can tell when the calls under way will end. */
  forecast(_queue: WaitQueue, _cost: number, _deadline: number, now: number): number {
    return now;
  }

  protected readyInMs(): undefined {
    return undefined;
  }

  protected lease(cost: number): Lease {
    return new PermitLease(this, cost);
  }

  giveBack(cost: number): void {
    this.#permits.giveBack(cost);
    this.#queue?.wake();
  }

  /** Moves the limit, and lets in whoever that makes room for. */
  protected set limit(limit: number) {
    this.#permits.limit = limit;
    this.#queue?.wake();
  }

  protected get limit(): number {
    return this.#permits.limit;
  }

  protected get inFlight(): number {
    return this.#permits.used;
  }

  protected run<T>(operation: Operation<T>, context: CallContext, cost: number): Promise<T> {
    let result: T | PromiseLike<T>;
    try {
      result = operation(context);
    } catch (error) {
      this.giveBack(cost);
      return Promise.reject(error);
    }
    if (!isThenable(result)) {
      this.giveBack(cost);
      return Promise.resolve(result);
    }
    return new Promise((resolve, reject) => {
      // Through Promise.resolve, so that a thenable that throws gives its permits back too.
      Promise.resolve(result).then(
        (value) => {
          this.giveBack(cost);
          resolve(value);
        },
        (error: unknown) => {
          this.giveBack(cost);
          reject(error);
        },
      );
    });
  }

  quota(): Quota {
    const { limit, available } = this.#permits;
    return {
      limit,
      windowMs: undefined,
      remaining: this.queued > 0 ? 0 : Math.max(0, Math.floor(available + TOLERANCE)),
      resetMs: available >= limit ? 0 : undefined,
    };
  }

  levels(): Levels {
    const { limit, used, available } = this.#permits;
    return { available: Math.max(0, available), limit, inFlight: used, queued: this.queued };
  }

  stats(): ConcurrencyStats {
    const { limit, used } = this.#permits;
    return { inFlight: used, queued: this.queued, limit, ...this.counts };
  }
}

/**
 * Makes a bulkhead: at most `limit` calls at a time, the rest wait their turn.
 *
 * ```ts
 * const database = concurrency({ name: 'database', limit: 20 });
 * const rows = await database.execute(() => query(sql));
 * using lease = await database.acquire();   // or hold a permit by hand
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function concurrency(options: ConcurrencyOptions = {}): ConcurrencyLimiter {
  const owner = 'concurrency';
  const common = resolveQueueOptions(owner, 'concurrency', options, ['limit']);
  const { limit = CONCURRENCY_DEFAULTS.limit } = options;
  checkNumber(owner, 'limit', limit, { min: 1, infinite: false });
  return new Bulkhead(limit, common);
}
