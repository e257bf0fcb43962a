import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import {
  type Executor,
  isTransient,
  type Outcome,
  type Policy,
  type ShouldHandle,
} from '@temper/core';
import { type Call, decide } from '@temper/core/policy';
import { type RetryPolicy, retry } from '@temper/retry';
import { BoundedMap, type Worth } from '../bounded-map.ts';
import { type PipelinePolicy, pipeline } from '../pipeline/pipeline.ts';
import { type TimeoutPolicy, timeout } from '../timeout/timeout.ts';
import { InFlightLimit } from './in-flight-limit.ts';
import { type HttpRetryOptions, isFailedResponse, type ResolvedHttpOptions } from './options.ts';
import { RedirectedOutcomes, redirectedFrom } from './redirects.ts';

/** The policies between requests and their origin. */
interface OriginGuard {
  readonly breaker: CircuitBreaker | undefined;
  readonly traffic: RedirectedOutcomes;
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
      worthOf,
    );
    // An invalid option is an error now, and not at the first request.
    this.#create('').breaker?.[Symbol.dispose]();
  }

  /**
   * @param origin - scheme, host and port
   * @param repeatable - whether the request may be retried
   */
  pipelineFor(origin: string, repeatable: boolean): PipelinePolicy {
    const { retrying, once } = this.#guardOf(origin);
    return repeatable ? retrying : once;
  }

  #guardOf(origin: string): OriginGuard {
    let guard = this.#origins.get(origin);
    if (guard === undefined) {
      guard = this.#create(origin);
      this.#origins.set(origin, guard);
    }
    return guard;
  }

  /** Whether requests with this method are retried. */
  retries(method: string): boolean {
    return this.#retry !== undefined && this.#options.methods.has(method.toUpperCase());
  }

  #create(origin: string): OriginGuard {
    const { name, clock } = this.#options;
    const breaker = originBreaker(this.#options, origin);
    const redirected = new RedirectedOutcomes(this.#options, origin, (target, outcome, call) =>
      this.#tell(target, outcome, call),
    );
    const inner: Executor[] =
      breaker === undefined ? [this.#attempt] : [redirected, breaker, this.#attempt];
    // With one attempt, the total timeout could never pass before the attempt's own.
    const once = pipeline({ name, clock }, this.#limiter, ...inner);
    const retrying =
      this.#retry === undefined
        ? once
        : pipeline({ name, clock }, this.#limiter, this.#total, this.#retry, ...inner);
    return { breaker, traffic: redirected, retrying, once };
  }

  /** Tells the circuit of an origin how a request ended that it did not let through. */
  #tell(origin: string, outcome: Outcome<unknown>, call: Call): void {
    if (call.cancelled) return;
    const given = (): unknown => {
      if (call.endedBy !== undefined) throw call.reason; // too late
      if (outcome.ok) return outcome.value;
      throw outcome.error;
    };
    void this.#guardOf(origin).breaker?.tryExecute(given);
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

/**
 * What is lost with the breaker of an origin. Many new origins must not make requests to one that is down
 * possible again, nor keep the failures of one from adding up that takes long to answer.
 */
function worthOf({ breaker, traffic }: OriginGuard): Worth {
  if (breaker === undefined) return 0;
  if (breaker.state !== 'closed') return 3;
  if (traffic.inFlight > 0) return 2;
  const { failures, slow } = breaker.stats().window;
  return failures + slow > 0 ? 1 : 0;
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

function originBreaker(options: ResolvedHttpOptions, origin: string): CircuitBreaker | undefined {
  const { name, clock, breaker, shouldHandle } = options;
  if (breaker === false) return undefined;
  const countsAsFailed = failurePredicate(options);
  // As the breaker's own default: a response that comes after a timeout is too late.
  const isFailed: ShouldHandle =
    shouldHandle === undefined
      ? (outcome, call) => call.endedBy !== undefined || isFailedResponse(outcome)
      : countsAsFailed;
  return circuitBreaker({
    ...breaker,
    name,
    clock,
    // An origin that redirects elsewhere is not to blame for what happens there.
    shouldHandle: (outcome, call) =>
      redirectedFrom(origin) === undefined && isFailed(outcome, call),
  });
}
