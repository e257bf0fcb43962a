import type { Attributes, TelemetryScope } from '@temper/core';
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
import type { Answer, Levelled, LimiterObserver, Observation, WaitOutcome } from './observer.ts';
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
} from './request-semconv.ts';
import { VERSION } from './version.ts';
import type { ResolvedQueueOptions } from './wait/options.ts';

const telemetry = new Instrumentation({
  name: '@temper/ratelimit',
  version: VERSION,
  metrics: REQUEST_METRICS,
});

const WAITS: Variants<WaitOutcome> = byOutcome(['delayed', 'rejected', 'aborted']);

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
  'calls-itself': rejected('calls-itself'),
};

/** Reports a limiter to OpenTelemetry. Its counts are the metric, and the limiter's own statistics. */
export class LimiterTelemetry implements LimiterObserver {
  readonly #policy: { readonly name: string };
  readonly #options: ResolvedQueueOptions;
  #counts: Counts<Answer> | undefined;
  #calls: CallObserver<WaitOutcome> | undefined;
  #refusals: Refusals | undefined;

  get #telemetry(): Instrumentation {
    return telemetry.of(this.#options.telemetry);
  }

  constructor(policy: { readonly name: string }, options: ResolvedQueueOptions) {
    this.#policy = policy;
    this.#options = options;
    this.#calls = undefined;
    this.#counts = undefined;
    this.#refusals = undefined;
  }

  get refusals(): Refusals {
    this.#refusals ??= new Refusals(this.#policy.name, this.#options.onReject);
    return this.#refusals;
  }

  /** Opened when they are first needed, so that an idle limiter is small. */
  get counts(): Counts<Answer> {
    this.#counts ??= this.#telemetry.counts(this.#policy, METRIC_REQUESTS, ANSWERS);
    return this.#counts;
  }

  [Symbol.dispose](): void {
    this.#telemetry.release(this.#policy);
  }

  begin(call: Call, cost: number): CallObservation<WaitOutcome> | undefined {
    const { spans, clock } = this.#options;
    const policy = this.#policy.name;
    this.#calls ??= new CallObserver({
      telemetry: this.#telemetry,
      policy,
      kind: 'ratelimit',
      spans,
      clock,
      outcomes: WAITS,
    });
    return this.#calls.begin(call, { [ATTR_COST.name]: cost });
  }

  ended(
    observed: CallObservation<WaitOutcome> | undefined,
    outcome: WaitOutcome,
    ms: number,
    error?: RateLimitExceededError,
  ): void {
    if (this.#telemetry.live.metrics && (ms > 0 || outcome === 'delayed')) {
      this.#telemetry
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

/** Reads a limiter's levels at each collection, until disposed of. */
export function observeLevels(limiter: Levelled, within: TelemetryScope | undefined): Disposable {
  return telemetry.of(within).observe(limiter, readLevels);
}

/** Reports to OpenTelemetry. */
export const REPORTED: Observation = {
  observe: (policy, options) => new LimiterTelemetry(policy, options),
  observeLevels,
};

function readLevels(limiter: Levelled, emit: Emit): void {
  const policy = policyAttributes(limiter.name);
  const { available, limit, queued, inFlight } = limiter.levels();
  if (available !== undefined) emit(METRIC_AVAILABLE, policy, available);
  if (limit !== undefined) emit(METRIC_LIMIT, policy, limit);
  if (queued !== undefined) emit(METRIC_QUEUED, policy, queued);
  if (inFlight !== undefined) emit(METRIC_IN_FLIGHT, policy, inFlight);
}
