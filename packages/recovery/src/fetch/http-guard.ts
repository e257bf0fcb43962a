import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import {
  type CallOptions,
  type Executor,
  isTransient,
  type Operation,
  type Outcome,
  type Policy,
  type ShouldHandle,
} from '@temper/core';
import { type Call, decide, noteReach, notify, show } from '@temper/core/policy';
import { type RetryPolicy, type RetryStats, retry } from '@temper/retry';
import { BoundedMap, type Worth } from '../bounded-map.ts';
import { type HedgePolicy, hedge } from '../hedge/hedge.ts';
import { type PipelinePolicy, pipeline } from '../pipeline/pipeline.ts';
import { type TimeoutPolicy, timeout } from '../timeout/timeout.ts';
import { isLast, isUnreadable, isUnsent, noteFailed } from './attempts.ts';
import { ConnectionTimeout } from './connection-timeout.ts';
import { InFlightLimit } from './in-flight-limit.ts';
import {
  type HttpHedgeOptions,
  type HttpRequestInfo,
  type HttpRetryOptions,
  isFailedResponse,
  type ResolvedHttpOptions,
} from './options.ts';
import { RedirectedOutcomes } from './redirected-outcomes.ts';
import { type Route, redirectedFrom, routed } from './route.ts';
import { type HttpCounts, httpCounts, release } from './telemetry.ts';

/** After which failures a request is sent again: after any, only where the origin has not got it, or never. */
export type Repeat = 'always' | 'unsent' | 'never';

/** A request, as the pipeline sees it. */
export interface GuardedRequest extends HttpRequestInfo {
  readonly repeat: Repeat;
  /** Whether it may be hedged. */
  readonly safe: boolean;
}

/** One attempt of a request. */
export interface HttpAttempt {
  readonly call: Call;
  readonly route: Route;
  /** Where it is sent to. */
  readonly origin: string;
}

/** The policies between attempts and their origin, or what they have the key of. */
interface OriginGuard {
  readonly breaker: CircuitBreaker | undefined;
  readonly traffic: RedirectedOutcomes;
  readonly inner: PipelinePolicy;
}

/** What became of the requests, and the state of the origins. Plain data. */
export interface HttpStats {
  /** The limiter's own snapshot. */
  readonly limiter: object | undefined;
  readonly retry: RetryStats | undefined;
  readonly hedge: ReturnType<HedgePolicy['stats']> | undefined;
  readonly totalTimeout: ReturnType<TimeoutPolicy['stats']>;
  readonly attemptTimeout: ReturnType<TimeoutPolicy['stats']>;
  /** By origin or key, those used last. */
  readonly breakers: Readonly<Record<string, ReturnType<CircuitBreaker['stats']>>>;
}

/**
 * The standard pipeline of requests: limiter, total timeout, retry, hedge, then for each attempt the limit and
 * the breaker of its origin, and the timeouts of the attempt.
 */
export class HttpGuard implements Disposable {
  readonly name: string;
  readonly #options: ResolvedHttpOptions;
  readonly #limiter: Executor;
  readonly counts: HttpCounts;
  readonly #total: TimeoutPolicy;
  readonly #retries: { readonly always: RetryPolicy; readonly unsent: RetryPolicy } | undefined;
  readonly #hedge: HedgePolicy | undefined;
  readonly #attempt: TimeoutPolicy;
  readonly #connection: ConnectionTimeout;
  /** By what they repeat, and whether they hedge. */
  readonly #outer = new Map<string, PipelinePolicy>();
  readonly #origins: BoundedMap<string, OriginGuard>;

  /** @param discard - releases the response of an attempt that nobody gets */
  constructor(options: ResolvedHttpOptions, discard: (response: unknown) => void) {
    this.#options = options;
    const { name, clock, common, maxInFlight } = options;
    this.name = name;
    this.counts = httpCounts(this, options.telemetry);
    this.#limiter =
      options.limiter ??
      new InFlightLimit(options, {
        limit: maxInFlight,
        option: 'maxInFlight',
        counts: this.counts.rejected,
      });
    this.#total = timeout({ ...common, timeoutMs: options.totalTimeoutMs });
    this.#attempt = timeout({
      ...common,
      name: `${name} attempt`,
      timeoutMs: options.attemptTimeoutMs,
    });
    this.#connection = new ConnectionTimeout(options, this.counts.limits);
    if (options.retry !== false) {
      this.#retries = {
        always: httpRetry(options, options.retry, discard, 'always'),
        unsent: httpRetry(options, options.retry, discard, 'unsent'),
      };
    }
    if (options.hedge !== false) this.#hedge = httpHedge(options, options.hedge, discard);
    this.#origins = new BoundedMap<string, OriginGuard>(
      options.maxOrigins,
      ({ breaker }) => {
        breaker?.[Symbol.dispose]();
        this.counts.limits.origins++;
      },
      worthOf,
    );
    // An invalid option, or an order that cannot work, is an error now, and not at the first request.
    const { breaker, inner } = this.#create('');
    pipeline({ name, clock }, ...this.#outerPolicies('always', true), inner);
    breaker?.[Symbol.dispose]();
  }

  /** After which failures a request may be sent again. */
  repeats(method: string, word: boolean | undefined, keyed: boolean): Repeat {
    if (this.#retries === undefined || word === false) return 'never';
    return word === true || keyed || this.#options.methods.has(method) ? 'always' : 'unsent';
  }

  /**
   * Makes the attempts of a request.
   *
   * @param repeatable - whether the request can be sent once more
   * @param failed - what an attempt has failed with that was made before, so that the retry goes on
   */
  execute<T>(
    request: GuardedRequest,
    attempt: (attempt: HttpAttempt) => Promise<T>,
    options: CallOptions,
    repeatable: () => boolean,
    failed?: { readonly error: unknown },
  ): Promise<T> {
    return this.#outerOf(request).execute((context) => {
      const call = context as Call;
      if (failed !== undefined && call.attempt === 1) throw failed.error;
      const origin = this.#originOf(request, call);
      const { inner } = this.#guardOf(this.#keyOf({ ...request, origin }));
      return routed(origin, async (route) => {
        try {
          const send: Operation<T> = (own) =>
            this.#connection.run(
              (scope) => attempt({ call: scope, route, origin }),
              own as Call,
              route,
            );
          // A retry or a hedge that the circuit or a limit of the origin refuses is not spent.
          const isFirst = call.attempt === 1 && call.hedge === 1;
          const value = await inner.runInCall(isFirst ? send : noteReach(send, call), call);
          noteFailed(value, route, repeatable());
          return value;
        } catch (error) {
          noteFailed(error, route, repeatable());
          throw error;
        }
      });
    }, options);
  }

  #outerOf({ repeat, safe }: GuardedRequest): PipelinePolicy {
    const id = `${repeat} ${safe}`;
    let outer = this.#outer.get(id);
    if (outer === undefined) {
      const { name, clock } = this.#options;
      outer = pipeline({ name, clock }, ...this.#outerPolicies(repeat, safe));
      this.#outer.set(id, outer);
    }
    return outer;
  }

  #outerPolicies(repeat: Repeat, safe: boolean): Executor[] {
    const again: Executor[] = [];
    if (repeat !== 'never' && this.#retries !== undefined) again.push(this.#retries[repeat]);
    if (safe && this.#hedge !== undefined) again.push(this.#hedge);
    // With one attempt, the total timeout could never pass before the attempt's own.
    return again.length === 0 ? [this.#limiter] : [this.#limiter, this.#total, ...again];
  }

  /** Where an attempt is sent to: a hedge goes to the next endpoint. */
  #originOf({ origin }: GuardedRequest, { hedge: number }: Call): string {
    const endpoints = this.#options.hedge === false ? undefined : this.#options.hedge.endpoints;
    if (endpoints === undefined || number === 1) return origin;
    return new URL(endpoints[(number - 2) % endpoints.length] as string).origin;
  }

  #keyOf({ origin, path, method }: HttpRequestInfo): string {
    const { keyOf, name } = this.#options;
    if (keyOf === undefined) return origin;
    let key = origin;
    notify(name, 'keyOf', () => {
      const own: unknown = keyOf({ origin, path, method });
      if (typeof own !== 'string')
        throw new TypeError(`keyOf must return a text, got ${show(own)}.`);
      key = own;
    });
    return key;
  }

  #guardOf(key: string): OriginGuard {
    let guard = this.#origins.get(key);
    if (guard === undefined) {
      guard = this.#create(key);
      this.#origins.set(key, guard);
    }
    return guard;
  }

  #create(key: string): OriginGuard {
    const { name, clock } = this.#options;
    const breaker = originBreaker(this.#options);
    const traffic = new RedirectedOutcomes(this.#options, (target, outcome, call) =>
      this.tell(target, outcome, call),
    );
    const policies: Executor[] = [traffic, ...this.#limitOf(key)];
    if (breaker !== undefined) policies.push(breaker);
    return { breaker, traffic, inner: pipeline({ name, clock }, ...policies, this.#attempt) };
  }

  #limitOf(key: string): Executor[] {
    const { limiterOf, maxInFlightPerOrigin: limit } = this.#options;
    if (limiterOf !== undefined) return key === '' ? [] : [limiterOf(key)];
    if (limit === Number.POSITIVE_INFINITY) return [];
    const counts = this.counts.rejected;
    return [new InFlightLimit(this.#options, { limit, option: 'maxInFlightPerOrigin', counts })];
  }

  /** The body of a response has failed: the circuit, which has counted a success, is told. */
  bodyFailed(from: HttpRequestInfo, error: unknown): void {
    this.#count(this.#keyOf(from), () => {
      throw error;
    });
  }

  /** Tells the circuit of an origin how a request ended that it did not let through. */
  tell(origin: string, outcome: Outcome<unknown>, call: Call): void {
    if (call.cancelled) return;
    const given = (): unknown => {
      if (call.endedBy !== undefined) throw call.reason; // too late
      if (outcome.ok) return outcome.value;
      throw outcome.error;
    };
    this.#count(origin, given);
  }

  #count(key: string, outcome: () => unknown): void {
    // In a route of its own, as this is no attempt that was redirected.
    void routed(key, () => this.#guardOf(key).breaker?.tryExecute(outcome));
  }

  stats(): HttpStats {
    return {
      limiter: (this.#limiter as Partial<Policy>).stats?.(),
      retry: this.#retries && sum(this.#retries.always.stats(), this.#retries.unsent.stats()),
      hedge: this.#hedge?.stats(),
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
    this.#retries?.always[Symbol.dispose]();
    this.#retries?.unsent[Symbol.dispose]();
    this.#hedge?.[Symbol.dispose]();
    this.#total[Symbol.dispose]();
    this.#attempt[Symbol.dispose]();
    release(this, this.#options.telemetry);
  }
}

function sum(one: RetryStats, other: RetryStats): RetryStats {
  const operations = { ...one.operations };
  for (const outcome of Object.keys(operations) as (keyof typeof operations)[]) {
    operations[outcome] += other.operations[outcome];
  }
  return {
    operations,
    attempts: one.attempts + other.attempts,
    retries: one.retries + other.retries,
  };
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
  if (breaker !== undefined && breaker.state !== 'closed') return 3;
  if (traffic.inFlight > 0) return 2;
  if (breaker === undefined) return 0;
  const { failures, slow } = breaker.stats().window;
  return failures + slow > 0 ? 1 : 0;
}

/** Which outcomes of an attempt another one may replace. */
function repeatPredicate(options: ResolvedHttpOptions, shouldHandle?: ShouldHandle): ShouldHandle {
  const countsAsFailed = failurePredicate(options);
  const isRetried: ShouldHandle =
    shouldHandle === undefined
      ? (outcome) => outcome.ok || isTransient(outcome)
      : (outcome, call) => decide(options.name, shouldHandle, outcome, call);
  return (outcome, call) =>
    countsAsFailed(outcome, call) &&
    !isLast(outcome.ok ? outcome.value : outcome.error) &&
    isRetried(outcome, call);
}

function httpRetry(
  options: ResolvedHttpOptions,
  { onRetry, shouldHandle, ...own }: HttpRetryOptions,
  discard: (response: unknown) => void,
  repeat: 'always' | 'unsent',
): RetryPolicy {
  const { common, random } = options;
  const isRepeated = repeatPredicate(options, shouldHandle);
  return retry({
    // All origins share this policy: one that is down must not use up what the others have. Each has its circuit.
    ...(options.breaker === false ? {} : { maxExtraLoad: Number.POSITIVE_INFINITY }),
    ...own,
    ...common,
    random,
    shouldHandle:
      repeat === 'always'
        ? isRepeated
        : (outcome, call) => !outcome.ok && isUnsent(outcome.error) && isRepeated(outcome, call),
    onRetry: (event, call) => {
      if (event.outcome.ok) discard(event.outcome.value);
      return onRetry?.(event, call);
    },
  });
}

function httpHedge(
  options: ResolvedHttpOptions,
  { endpoints, ...own }: HttpHedgeOptions,
  discard: (response: unknown) => void,
): HedgePolicy {
  const { common, retry: retries } = options;
  const budget = retries === false ? undefined : retries.budget;
  return hedge({
    // The retry around it deposits what each call earns.
    ...(budget === undefined ? {} : { budget, deposits: false }),
    ...own,
    ...common,
    // At the same origin, another attempt at once would be a retry that does not wait.
    shouldHandle: endpoints === undefined ? () => false : repeatPredicate(options),
    onDiscard: discard,
  });
}

function originBreaker(options: ResolvedHttpOptions): CircuitBreaker | undefined {
  const { common, breaker, shouldHandle } = options;
  if (breaker === false) return undefined;
  const countsAsFailed = failurePredicate(options);
  // As the breaker's own default: a response that comes after a timeout is too late.
  const isFailed: ShouldHandle =
    shouldHandle === undefined
      ? (outcome, call) => call.endedBy !== undefined || isFailedResponse(outcome)
      : countsAsFailed;
  return circuitBreaker({
    ...breaker,
    ...common,
    // An origin that redirects elsewhere is not to blame for what happens there, nor any for the caller's body.
    shouldHandle: (outcome, call) =>
      redirectedFrom() === undefined &&
      (outcome.ok || !isUnreadable(outcome.error)) &&
      isFailed(outcome, call),
  });
}
