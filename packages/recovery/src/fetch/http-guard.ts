import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import type { Executor, Policy } from '@temper/core';
import { type RetryPolicy, retry } from '@temper/retry';
import { BoundedMap } from '../bounded-map.ts';
import { type PipelinePolicy, pipeline } from '../pipeline/pipeline.ts';
import { type TimeoutPolicy, timeout } from '../timeout/timeout.ts';
import { InFlightLimit } from './in-flight-limit.ts';
import type { ResolvedHttpOptions } from './options.ts';

/** What stands between a request and its origin. */
interface OriginGuard {
  readonly breaker: CircuitBreaker | undefined;
  /** For requests that may be sent again. */
  readonly repeating: PipelinePolicy;
  /** For those that may not. */
  readonly once: PipelinePolicy;
}

/** What has come of the requests, and how the origins are. */
export interface HttpStats {
  /** The limiter's own snapshot. */
  readonly limiter: object | undefined;
  readonly retry: ReturnType<RetryPolicy['stats']> | undefined;
  readonly totalTimeout: ReturnType<TimeoutPolicy['stats']>;
  readonly attemptTimeout: ReturnType<TimeoutPolicy['stats']>;
  /** By origin, those used last. */
  readonly breakers: Readonly<Record<string, ReturnType<CircuitBreaker['stats']>>>;
}

/**
 * The standard pipeline of requests: limiter, total timeout, retry, breaker of the origin, attempt
 * timeout. All but the breaker serve all origins.
 */
export class HttpGuard implements Disposable {
  readonly options: ResolvedHttpOptions;
  readonly #limiter: Executor;
  readonly #total: TimeoutPolicy;
  readonly #retry: RetryPolicy | undefined;
  readonly #attempt: TimeoutPolicy;
  readonly #origins: BoundedMap<string, OriginGuard>;
  readonly #statusOf: (outcome: unknown) => number | undefined;

  /**
   * @param statusOf - the status of what an attempt yields
   * @param discard - lets go of what an attempt yielded, when there is to be another
   */
  constructor(
    options: ResolvedHttpOptions,
    statusOf: (outcome: unknown) => number | undefined,
    discard: (outcome: unknown) => void,
  ) {
    this.options = options;
    this.#statusOf = statusOf;
    const { name, clock, random } = options;
    this.#limiter = options.limiter ?? new InFlightLimit(options);
    this.#total = timeout({ name, timeoutMs: options.totalTimeoutMs, clock });
    this.#attempt = timeout({
      name: `${name} attempt`,
      timeoutMs: options.attemptTimeoutMs,
      clock,
    });
    if (options.retry !== false) {
      const { onRetry, ...own } = options.retry;
      this.#retry = retry({
        ...own,
        name,
        clock,
        random,
        isFailure: (outcome) => this.#isFailure(outcome),
        onRetry: (event) => {
          if (event.outcome.ok) discard(event.outcome.value);
          return onRetry?.(event);
        },
      });
    }
    this.#origins = new BoundedMap(options.maxOrigins, ({ breaker }) => {
      breaker?.[Symbol.dispose]();
    });
    // An option that does not hold is an error now, and not at the first request.
    this.#make().breaker?.[Symbol.dispose]();
  }

  /**
   * @param origin - scheme, host and port
   * @param repeatable - whether the request may be sent again
   */
  pipelineFor(origin: string, repeatable: boolean): PipelinePolicy {
    let guard = this.#origins.get(origin);
    if (guard === undefined) {
      guard = this.#make();
      this.#origins.set(origin, guard);
    }
    return repeatable ? guard.repeating : guard.once;
  }

  /** Whether this method may be sent again. */
  repeats(method: string): boolean {
    return this.#retry !== undefined && this.options.methods.has(method.toUpperCase());
  }

  #make(): OriginGuard {
    const { name, clock } = this.options;
    const breaker =
      this.options.breaker === false
        ? undefined
        : circuitBreaker({
            ...this.options.breaker,
            name,
            clock,
            isFailure: (outcome) => this.#isFailure(outcome),
          });
    const inner: Executor[] = breaker === undefined ? [this.#attempt] : [breaker, this.#attempt];
    const outer = [this.#limiter, this.#total];
    // With one attempt, its own timeout is the nearer: the total has nothing to add.
    const once = pipeline({ name, clock }, this.#limiter, ...inner);
    const repeating =
      this.#retry === undefined ? once : pipeline({ name, clock }, ...outer, this.#retry, ...inner);
    return { breaker, repeating, once };
  }

  #isFailure(outcome: unknown): boolean {
    const status = this.#statusOf(outcome);
    return status !== undefined && this.options.isFailureStatus(status);
  }

  stats(): HttpStats {
    return {
      limiter: (this.#limiter as Partial<Policy>).stats?.(),
      retry: this.#retry?.stats(),
      totalTimeout: this.#total.stats(),
      attemptTimeout: this.#attempt.stats(),
      breakers: Object.fromEntries(
        [...this.#origins.entries()].flatMap(([origin, { breaker }]) =>
          breaker === undefined ? [] : [[origin, breaker.stats()] as const],
        ),
      ),
    };
  }

  [Symbol.dispose](): void {
    for (const [, { breaker }] of this.#origins.entries()) breaker?.[Symbol.dispose]();
    this.#total[Symbol.dispose]();
    this.#attempt[Symbol.dispose]();
  }
}
