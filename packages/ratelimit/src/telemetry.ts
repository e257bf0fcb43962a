import type { Attributes } from '@temper/core';
import {
  ATTR_OUTCOME,
  byOutcome,
  type Call,
  type CallObservation,
  CallObserver,
  type Counts,
  type Emit,
  Instrumentation,
  policyAttributes,
  type Variants,
} from '@temper/core/policy';
import type { RateLimitExceededError, RejectionReason } from './errors.ts';
import type { RequestCounts } from './limiter.ts';
import { Refusals } from './refusals.ts';
import {
  ATTR_COST,
  ATTR_REASON,
  ATTR_RETRY_AFTER,
  METRIC_AVAILABLE,
  METRIC_IN_FLIGHT,
  METRIC_LIMIT,
  METRIC_QUEUED,
  METRIC_REQUESTS,
  METRIC_WAIT_DURATION,
  REQUEST_METRICS,
  type RequestOutcome,
} from './request-semconv.ts';
import { VERSION } from './version.ts';
import type { ResolvedQueueOptions } from './wait/options.ts';

const telemetry = new Instrumentation({
  name: '@temper/ratelimit',
  version: VERSION,
  metrics: REQUEST_METRICS,
});

/** How a wait ends. */
type WaitOutcome = Extract<RequestOutcome, 'delayed' | 'rejected' | 'aborted'>;
const WAITS: Variants<WaitOutcome> = byOutcome(['delayed', 'rejected', 'aborted']);

/** What a limiter counts: calls that passed or ended, and refusals by their reason. */
type Answer = 'allowed' | 'delayed' | 'aborted' | Exclude<RejectionReason, 'keys' | 'shed'>;

/** The attributes of a refusal for this reason. */
export function rejected(reason: RejectionReason): Readonly<Record<string, string>> {
  return { [ATTR_OUTCOME]: 'rejected', [ATTR_REASON.name]: reason };
}

const ANSWERS: Variants<Answer> = {
  ...byOutcome(['allowed', 'delayed', 'aborted']),
  limit: rejected('limit'),
  'queue-full': rejected('queue-full'),
  deadline: rejected('deadline'),
  cost: rejected('cost'),
};

/** Reports a limiter to OpenTelemetry. Its counts are the metric, and the limiter's own statistics. */
export class LimiterObserver {
  readonly #policy: { readonly name: string };
  readonly #options: ResolvedQueueOptions;
  readonly #silent: boolean;
  #counts: Counts<Answer> | undefined;
  #calls: CallObserver<WaitOutcome> | undefined;
  #refusals: Refusals | undefined;

  /** @param silent - for a limiter inside another one, which reports for both */
  constructor(policy: { readonly name: string }, options: ResolvedQueueOptions, silent = false) {
    this.#policy = policy;
    this.#options = options;
    this.#silent = silent;
    this.#calls = undefined;
    this.#counts = undefined;
    this.#refusals = undefined;
  }

  /** Who hears of refusals. */
  get refusals(): Refusals {
    this.#refusals ??= new Refusals(this.#policy.name, this.#options.onReject);
    return this.#refusals;
  }

  /** Opened when they are first needed, so that an idle limiter is small. */
  get counts(): Counts<Answer> {
    this.#counts ??= this.#silent
      ? { allowed: 0, delayed: 0, aborted: 0, limit: 0, 'queue-full': 0, deadline: 0, cost: 0 }
      : telemetry.counts(this.#policy, METRIC_REQUESTS, ANSWERS);
    return this.#counts;
  }

  get totals(): RequestCounts {
    const { allowed, delayed, aborted, limit, deadline, cost } = this.counts;
    const rejected = limit + this.counts['queue-full'] + deadline + cost;
    return { allowed, delayed, rejected, aborted };
  }

  /** @returns `undefined` while no span would be recorded */
  begin(call: Call, cost: number): CallObservation<WaitOutcome> | undefined {
    if (this.#silent) return undefined;
    const { spans, clock } = this.#options;
    const policy = this.#policy.name;
    this.#calls ??= new CallObserver({
      telemetry,
      policy,
      kind: 'ratelimit',
      spans,
      clock,
      outcomes: WAITS,
    });
    return this.#calls.begin(call, { [ATTR_COST.name]: cost });
  }

  /**
   * Ends the observation of a wait.
   *
   * @param ms - how long the call has waited; a refusal at once is not a wait
   * @param error - of a refusal
   */
  ended(
    observed: CallObservation<WaitOutcome> | undefined,
    outcome: WaitOutcome,
    ms: number,
    error?: RateLimitExceededError,
  ): void {
    if (!this.#silent && telemetry.live.metrics && (ms > 0 || outcome === 'delayed')) {
      telemetry
        .histogram(METRIC_WAIT_DURATION, this.#policy.name, WAITS[outcome])
        .record(ms / 1000);
    }
    if (error === undefined) observed?.end(outcome);
    else observed?.end(outcome, { ok: false, error }, refusalAttributes(error));
  }
}

/** What a span tells about a refusal. */
export function refusalAttributes(error: RateLimitExceededError): Attributes {
  const { reason, retryAfterMs } = error;
  return retryAfterMs === undefined || retryAfterMs === Number.POSITIVE_INFINITY
    ? { [ATTR_REASON.name]: reason }
    : { [ATTR_REASON.name]: reason, [ATTR_RETRY_AFTER.name]: retryAfterMs / 1000 };
}

/** The levels that a limiter has; those that it has not are left out of the metrics. */
export interface Levels {
  readonly available?: number;
  readonly limit?: number;
  readonly queued?: number;
  readonly inFlight?: number;
}

/** A limiter whose levels can be observed. */
interface Levelled {
  readonly name: string;
  levels(): Levels;
}

/** Reads a limiter's levels at each collection, until disposed of. */
export function observeLevels(limiter: Levelled): Disposable {
  return telemetry.observe(limiter, readLevels);
}

function readLevels(limiter: Levelled, emit: Emit): void {
  const policy = policyAttributes(limiter.name);
  const { available, limit, queued, inFlight } = limiter.levels();
  if (available !== undefined) emit(METRIC_AVAILABLE, policy, available);
  if (limit !== undefined) emit(METRIC_LIMIT, policy, limit);
  if (queued !== undefined) emit(METRIC_QUEUED, policy, queued);
  if (inFlight !== undefined) emit(METRIC_IN_FLIGHT, policy, inFlight);
}
