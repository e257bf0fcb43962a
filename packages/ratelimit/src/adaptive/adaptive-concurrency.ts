import { type CallContext, notify, type Operation } from '@temper/core';
import { Bulkhead, type ConcurrencyLimiter, PermitLease } from '../concurrency-limiter.ts';
import { invoke } from '../invoke.ts';
import type { AcquireOptions, Lease, Verdict } from '../limiter.ts';
import { type ResolvedQueueOptions, resolveQueueOptions } from '../options.ts';
import { onListenerError } from '../telemetry.ts';
import {
  ADAPTIVE_OPTIONS,
  type AdaptiveConcurrencyOptions,
  type ResolvedAdaptiveOptions,
  resolveAdaptiveOptions,
} from './options.ts';

/** A lease whose end teaches the limiter. {@link release} says that the call went well. */
export interface AdaptiveLease extends Lease {
  /** Gives the permits back: the call met overload, or timed out. */
  overloaded(): void;
  /** Gives the permits back, and teaches nothing. */
  ignore(): void;
}

/** A bulkhead that finds its own limit. */
export interface AdaptiveConcurrencyLimiter extends ConcurrencyLimiter {
  tryAcquire(cost?: number): AdaptiveLease | undefined;
  acquire(options?: AcquireOptions): Promise<AdaptiveLease>;
  check(cost?: number): Verdict & { readonly lease: AdaptiveLease | undefined };
}

type Ending = 'well' | 'overloaded' | 'ignored';

class LearningLease extends PermitLease implements AdaptiveLease {
  readonly #limiter: AdaptiveBulkhead;
  readonly #startedAt: number;
  readonly #inFlight: number;
  #open = true;

  constructor(limiter: AdaptiveBulkhead, cost: number, startedAt: number, inFlight: number) {
    super(limiter, cost);
    this.#limiter = limiter;
    this.#startedAt = startedAt;
    this.#inFlight = inFlight;
  }

  end(ending: Ending): void {
    if (!this.#open) return;
    this.#open = false;
    // Learn first: what the call leaves behind then counts under the limit that it led to.
    if (ending !== 'ignored') {
      this.#limiter.learn(this.#startedAt, this.#inFlight, ending === 'overloaded');
    }
    super.release();
  }

  override release(): void {
    this.end('well');
  }

  overloaded(): void {
    this.end('overloaded');
  }

  ignore(): void {
    this.end('ignored');
  }
}

class AdaptiveBulkhead extends Bulkhead implements AdaptiveConcurrencyLimiter {
  readonly #adaptive: ResolvedAdaptiveOptions;

  constructor(adaptive: ResolvedAdaptiveOptions, options: ResolvedQueueOptions) {
    // A cost above the present limit may fit later.
    super(Math.floor(adaptive.initialLimit), options, adaptive.maxLimit);
    this.#adaptive = adaptive;
  }

  protected override lease(cost: number): LearningLease {
    return new LearningLease(this, cost, this.clock.monotonic(), this.inFlight);
  }

  // The leases of this class are all made by `lease`; only their type is narrower.
  declare tryAcquire: AdaptiveConcurrencyLimiter['tryAcquire'];
  declare acquire: AdaptiveConcurrencyLimiter['acquire'];
  declare check: AdaptiveConcurrencyLimiter['check'];

  learn(startedAt: number, inFlight: number, overloaded: boolean): void {
    const { algorithm, onLimitChange } = this.#adaptive;
    algorithm.observe({ startedAt, endedAt: this.clock.monotonic(), inFlight, overloaded });
    const from = this.limit;
    const to = Math.floor(algorithm.limit);
    if (from === to) return;
    this.limit = to;
    notify(onLimitChange, { policy: this.name, from, to }, onListenerError);
  }

  protected override async run<T>(
    operation: Operation<T>,
    context: CallContext,
    cost: number,
  ): Promise<T> {
    const lease = this.lease(cost);
    try {
      const value = await invoke(operation, context);
      lease.end('well');
      return value;
    } catch (error) {
      lease.end(this.#isOverload(error) ? 'overloaded' : 'ignored');
      throw error;
    }
  }

  #isOverload(error: unknown): boolean {
    try {
      return this.#adaptive.isOverload(error);
    } catch (thrown) {
      onListenerError(thrown);
      return false;
    }
  }
}

/**
 * Makes a bulkhead that finds out itself how many calls the backend can take at a time, and follows
 * when that changes.
 *
 * ```ts
 * const search = adaptiveConcurrency({ name: 'search', maxQueue: 50 });
 * const hits = await search.execute(({ signal }) => fetch(url, { signal }));
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown, out of range or of the other algorithm
 */
export function adaptiveConcurrency(
  options: AdaptiveConcurrencyOptions = {},
): AdaptiveConcurrencyLimiter {
  const owner = 'adaptiveConcurrency';
  const common = resolveQueueOptions(owner, 'adaptive-concurrency', options, ADAPTIVE_OPTIONS);
  return new AdaptiveBulkhead(resolveAdaptiveOptions(owner, options), common);
}
