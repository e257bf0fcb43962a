import { type Context, context, type Span } from '@opentelemetry/api';
import {
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type Attributes,
  type CallContext,
  type Cell,
  type Emit,
  ErrorTypeCells,
  failSpan,
  type HistogramSeries,
  type InstrumentationScope,
  instrumentationScope,
  type Live,
  type SpanMode,
} from '@temper/core';
import { RateLimitExceededError, type RejectionReason } from './errors.ts';
import {
  ATTR_COST,
  ATTR_FALLBACK,
  ATTR_REASON,
  ATTR_RETRY_AFTER,
  METRIC_AVAILABLE,
  METRIC_EVICTIONS,
  METRIC_IN_FLIGHT,
  METRIC_KEYS,
  METRIC_LIMIT,
  METRIC_QUEUED,
  METRIC_REJECTION_RATIO,
  METRIC_REQUESTS,
  METRIC_STORE_ERRORS,
  METRIC_STORE_FALLBACKS,
  METRIC_WAIT_DURATION,
  RATELIMIT_METRICS,
  type RequestOutcome,
} from './semconv.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/ratelimit',
  version: VERSION,
  metrics: RATELIMIT_METRICS,
});

/** Reports what user code threw. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/**
 * What the limiters of one name count in. Series are opened when they are first needed, so that an
 * idle limiter costs little.
 */
export class LimiterMeter {
  readonly #base: Attributes;
  #others: Map<RequestOutcome | RejectionReason, Cell> | undefined;
  #errors: ErrorTypeCells | undefined;

  constructor(policy: string) {
    this.#base = { [ATTR_POLICY_NAME.name]: policy };
  }

  get live(): Live {
    return scope.live;
  }

  outcome(outcome: Exclude<RequestOutcome, 'rejected'>): Cell {
    return this.#request(outcome, { [ATTR_OUTCOME]: outcome });
  }

  rejected(reason: RejectionReason): Cell {
    return this.#request(reason, { [ATTR_OUTCOME]: 'rejected', [ATTR_REASON.name]: reason });
  }

  #request(key: RequestOutcome | RejectionReason, attributes: Attributes): Cell {
    this.#others ??= new Map();
    let cell = this.#others.get(key);
    if (cell === undefined) {
      cell = scope.counter(METRIC_REQUESTS, { ...this.#base, ...attributes });
      this.#others.set(key, cell);
    }
    return cell;
  }

  evictions(): Cell {
    return scope.counter(METRIC_EVICTIONS, this.#base);
  }

  storeError(error: unknown): void {
    this.#errors ??= new ErrorTypeCells(scope, METRIC_STORE_ERRORS, this.#base);
    this.#errors.of(error).value++;
  }

  fallback(mode: 'local' | 'open' | 'closed'): Cell {
    return scope.counter(METRIC_STORE_FALLBACKS, { ...this.#base, [ATTR_FALLBACK.name]: mode });
  }

  waited(outcome: RequestOutcome): HistogramSeries {
    return scope.histogram(METRIC_WAIT_DURATION, { ...this.#base, [ATTR_OUTCOME]: outcome });
  }
}

/** As series live as long as the process does, so do these. */
const meters = new Map<string, LimiterMeter>();

/** The meter of the limiters of this name. */
export function limiterMeter(policy: string): LimiterMeter {
  let meter = meters.get(policy);
  if (meter === undefined) {
    meter = new LimiterMeter(policy);
    meters.set(policy, meter);
  }
  return meter;
}

/** Counts nowhere: for a limiter inside another, which tells for both. */
export class SilentMeter extends LimiterMeter {
  override outcome(): Cell {
    return { value: 0 };
  }

  override rejected(): Cell {
    return { value: 0 };
  }

  override evictions(): Cell {
    return { value: 0 };
  }

  override get live(): Live {
    return SILENCE;
  }
}

const SILENCE: Live = { metrics: false, traces: false };

/** The levels that a limiter has; those it has not stay out of telemetry. */
export interface Levels {
  readonly available?: number;
  readonly limit?: number;
  readonly queued?: number;
  readonly inFlight?: number;
  readonly keys?: number;
  readonly rejectionRatio?: number;
}

/** Anything with levels and a name. */
export interface Levelled {
  readonly name: string;
  levels(): Levels;
}

/** Reads a limiter's levels at each collection, until disposed of. */
export function observeLevels(limiter: Levelled): Disposable {
  return scope.observe(limiter, readLevels);
}

function readLevels(limiter: Levelled, emit: Emit): void {
  const attributes = { [ATTR_POLICY_NAME.name]: limiter.name };
  const levels = limiter.levels();
  if (levels.available !== undefined) emit(METRIC_AVAILABLE, attributes, levels.available);
  if (levels.limit !== undefined) emit(METRIC_LIMIT, attributes, levels.limit);
  if (levels.queued !== undefined) emit(METRIC_QUEUED, attributes, levels.queued);
  if (levels.inFlight !== undefined) emit(METRIC_IN_FLIGHT, attributes, levels.inFlight);
  if (levels.keys !== undefined) emit(METRIC_KEYS, attributes, levels.keys);
  if (levels.rejectionRatio !== undefined) {
    emit(METRIC_REJECTION_RATIO, attributes, levels.rejectionRatio);
  }
}

/** What a span needs to know of the call that waits or is refused. */
export interface TracedRequest {
  readonly policy: string;
  readonly mode: SpanMode;
  readonly cost: number;
  readonly call: CallContext | undefined;
  /** Wall-clock time in milliseconds. */
  readonly now: () => number;
  /** Whether it is known only at the end that there is something to tell. */
  readonly lazily?: boolean;
}

/** The span of one wait or refusal. */
export class RequestTrace {
  readonly #request: TracedRequest;
  readonly #parent: Context;
  readonly #startedAt: number;
  #span: Span | undefined;

  private constructor(request: TracedRequest) {
    this.#request = request;
    this.#parent = context.active();
    this.#startedAt = request.now();
    if (request.mode === 'all' && request.lazily !== true) this.#span = this.#open();
  }

  /** Undefined when spans are off or go nowhere. */
  static begin(request: TracedRequest): RequestTrace | undefined {
    return scope.live.traces && request.mode !== 'none' ? new RequestTrace(request) : undefined;
  }

  end(outcome: RequestOutcome, error?: unknown): void {
    const failed = outcome === 'rejected' || outcome === 'unavailable';
    if (failed || this.#request.mode === 'all') this.#span ??= this.#open();
    const span = this.#span;
    if (span === undefined) return;
    span.setAttribute(ATTR_OUTCOME, outcome);
    if (error instanceof RateLimitExceededError) {
      span.setAttribute(ATTR_REASON.name, error.reason);
      const { retryAfterMs } = error;
      if (retryAfterMs !== undefined && Number.isFinite(retryAfterMs)) {
        span.setAttribute(ATTR_RETRY_AFTER.name, retryAfterMs / 1000);
      }
    }
    if (failed) failSpan(span, error);
    span.end(this.#request.now());
  }

  #open(): Span {
    const { policy, cost, call } = this.#request;
    const attributes: Record<string, string | number | boolean> = {
      ...call?.attributes,
      [ATTR_POLICY_NAME.name]: policy,
      [ATTR_COST.name]: cost,
    };
    if (call?.operation !== undefined) attributes[ATTR_OPERATION.name] = call.operation;
    return scope.tracer.startSpan(
      `ratelimit ${policy}`,
      { attributes, startTime: this.#startedAt },
      this.#parent,
    );
  }
}
