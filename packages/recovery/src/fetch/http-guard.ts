import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import { type Executor, isTransient, type Policy, type ShouldHandle } from '@temper/core';
import { decide } from '@temper/core/policy';
import { type RetryPolicy, retry } from '@temper/retry';
import { BoundedMap } from '../bounded-map.ts';
import { type PipelinePolicy, pipeline } from '../pipeline/pipeline.ts';
import { type TimeoutPolicy, timeout } from '../timeout/timeout.ts';
import { InFlightLimit } from './in-flight-limit.ts';
import { type HttpRetryOptions, isFailedResponse, type ResolvedHttpOptions } from './options.ts';

/** The policies between requests and their origin. */
interface OriginGuard {
  readonly breaker: CircuitBreaker | undefined;
  /** For requests that may be retried. */
  readonly retrying: PipelinePolicy;
  /** For requests that may not. */
  readonly once: PipelinePolicy;
}

/** What became of the requests, and the state of the origins. Plain data. */
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
 * timeout. All origins share all of it but the breaker.
 */
export class HttpGuard implements Disposable {
  readonly #options: ResolvedHttpOptions;
  readonly #limiter: Executor;
  readonly #total: TimeoutPolicy;
  readonly #retry: RetryPolicy | undefined;
  readonly #attempt: TimeoutPolicy;
  readonly #origins: BoundedMap<string, OriginGuard>;

  /** @param discard - releases the response of an attempt before the next one */
  constructor(options: ResolvedHttpOptions, discard: (response: unknown) => void) {
    this.#options = options;
    const { name, clock } = options;
    this.#limiter = options.limiter ?? new InFlightLimit(options);
    this.#total = timeout({ name, timeoutMs: options.totalTimeoutMs, clock });
    this.#attempt = timeout({
      name: `${name} attempt`,
      timeoutMs: options.attemptTimeoutMs,
      clock,
    });
    if (options.retry !== false) this.#retry = httpRetry(options, options.retry, discard);
    this.#origins = new BoundedMap<string, OriginGuard>(
      options.maxOrigins,
      ({ breaker }) => breaker?.[Symbol.dispose](),
      // Many new origins must not make requests to one that is down possible again.
      ({ breaker }) => breaker !== undefined && breaker.state !== 'closed',
    );
    // An invalid option is an error now, and not at the first request.
    this.#create().breaker?.[Symbol.dispose]();
  }

  /**
   * @param origin - scheme, host and port
   * @param repeatable - whether the request may be retried
   */
  pipelineFor(origin: string, repeatable: boolean): PipelinePolicy {
    let guard = this.#origins.get(origin);
    if (guard === undefined) {
      guard = this.#create();
      this.#origins.set(origin, guard);
    }
    return repeatable ? guard.retrying : guard.once;
  }

  /** Whether requests with this method are retried. */
  retries(method: string): boolean {
    return this.#retry !== undefined && this.#options.methods.has(method.toUpperCase());
  }

  #create(): OriginGuard {
    const { name, clock } = this.#options;
    const breaker = originBreaker(this.#options);
    const inner: Executor[] = breaker === undefined ? [this.#attempt] : [breaker, this.#attempt];
    // With one attempt, the total timeout could never pass before the attempt's own.
    const once = pipeline({ name, clock }, this.#limiter, ...inner);
    const retrying =
      this.#retry === undefined
        ? once
        : pipeline({ name, clock }, this.#limiter, this.#total, this.#retry, ...inner);
    return { breaker, retrying, once };
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

/** Whether an outcome counts as failed, for retry and breaker alike. */
function failurePredicate({ name, shouldHandle }: ResolvedHttpOptions): ShouldHandle {
  if (shouldHandle === undefined) return isFailedResponse;
  return (outcome, call) => decide(name, shouldHandle, outcome, call);
}

function httpRetry(
  options: ResolvedHttpOptions,
  { onRetry, shouldHandle, ...own }: HttpRetryOptions,
  discard: (response: unknown) => void,
): RetryPolicy {
  const { name, clock, random } = options;
  const countsAsFailed = failurePredicate(options);
  const isRetried: ShouldHandle =
    shouldHandle === undefined
      ? (outcome) => outcome.ok || isTransient(outcome)
      : (outcome, call) => decide(name, shouldHandle, outcome, call);
  return retry({
    ...own,
    name,
    clock,
    random,
    shouldHandle: (outcome, call) => countsAsFailed(outcome, call) && isRetried(outcome, call),
    onRetry: (event, call) => {
      if (event.outcome.ok) discard(event.outcome.value);
      return onRetry?.(event, call);
    },
  });
}

function originBreaker(options: ResolvedHttpOptions): CircuitBreaker | undefined {
  const { name, clock, breaker, shouldHandle } = options;
  if (breaker === false) return undefined;
  const countsAsFailed = failurePredicate(options);
  return circuitBreaker({
    ...breaker,
    name,
    clock,
    // As the breaker's own default: a response that comes after a timeout is too late.
    shouldHandle:
      shouldHandle === undefined
        ? (outcome, call) => call.endedBy !== undefined || isFailedResponse(outcome)
        : countsAsFailed,
  });
}
