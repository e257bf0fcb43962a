import { type Context, context, SeverityNumber, type Span, trace } from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type Attributes,
  type CallContext,
  type Cell,
  ErrorTypeCells,
  errorType,
  failSpan,
  type HistogramSeries,
  type InstrumentationScope,
  instrumentationScope,
  type Live,
  runInSpan,
} from '@temper/core';
import type { ObservableRetryBudget } from './budget.ts';
import type { GiveUpReason } from './errors.ts';
import {
  ATTR_ATTEMPT,
  ATTR_ATTEMPTS,
  ATTR_DELAY,
  ATTR_REASON,
  EVENT_EXHAUSTED,
  METRIC_ATTEMPTS,
  METRIC_BUDGET_AVAILABLE,
  METRIC_DELAY,
  METRIC_OPERATION_DURATION,
  METRIC_OPERATIONS,
  OPERATION_OUTCOMES,
  type OperationOutcome,
  RETRY_METRICS,
} from './semconv.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/retry',
  version: VERSION,
  metrics: RETRY_METRICS,
});

/** Reports what user code threw. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/**
 * What the policies of one name count in. The counters are there from the beginning, at 0, so that
 * the first increase shows as one; a histogram begins with its first observation.
 */
export class RetryMeter {
  readonly live: Live = scope.live;
  readonly operations: Readonly<Record<OperationOutcome, Cell>>;
  readonly attemptSuccess: Cell;
  readonly attemptFailure: ErrorTypeCells;
  readonly #attributes: Attributes;
  readonly #durations: Partial<Record<OperationOutcome, HistogramSeries>> = {};
  #delays: HistogramSeries | undefined;

  constructor(policy: string) {
    const base = { [ATTR_POLICY_NAME.name]: policy };
    const cells = OPERATION_OUTCOMES.map((outcome) => {
      const attributes = { ...base, [ATTR_OUTCOME]: outcome };
      return [outcome, scope.counter(METRIC_OPERATIONS, attributes)] as const;
    });
    this.operations = Object.fromEntries(cells) as Record<OperationOutcome, Cell>;
    this.attemptSuccess = scope.counter(METRIC_ATTEMPTS, { ...base, [ATTR_OUTCOME]: 'success' });
    const failure = { ...base, [ATTR_OUTCOME]: 'failure' };
    this.attemptFailure = new ErrorTypeCells(scope, METRIC_ATTEMPTS, failure);
    this.#attributes = base;
  }

  /** @param ms - from the first attempt to the end of the operation */
  duration(outcome: OperationOutcome, ms: number): void {
    let series = this.#durations[outcome];
    if (series === undefined) {
      const attributes = { ...this.#attributes, [ATTR_OUTCOME]: outcome };
      series = scope.histogram(METRIC_OPERATION_DURATION, attributes);
      this.#durations[outcome] = series;
    }
    series.record(ms / 1000);
  }

  /** @param ms - a wait, as planned */
  delay(ms: number): void {
    this.#delays ??= scope.histogram(METRIC_DELAY, this.#attributes);
    this.#delays.record(ms / 1000);
  }
}

const meters = new Map<string, RetryMeter>();

/** The one meter of all policies of this name; it lives as long as the series that it feeds. */
export function retryMeter(policy: string): RetryMeter {
  let meter = meters.get(policy);
  if (meter === undefined) {
    meter = new RetryMeter(policy);
    meters.set(policy, meter);
  }
  return meter;
}

/** Reads a budget's level at each collection. */
export function observeBudget(budget: ObservableRetryBudget): Disposable {
  return scope.observe(budget, (owner, emit) => {
    emit(METRIC_BUDGET_AVAILABLE, { [ATTR_POLICY_NAME.name]: owner.name }, owner.available());
  });
}

/** The spans of one operation. Nothing in here throws. */
export class OperationTrace {
  readonly #policy: string;
  readonly #call: CallContext;
  /** When the operation began, where its spans are made afterwards and dated back. */
  readonly #startedAt: number | undefined;
  /** The time of spans that are dated back. The SDK's own is finer, and used for others. */
  readonly #now: (() => number) | undefined;
  /** The context of the call: the same whenever it is asked for, also after a wait. */
  #parent: Context | undefined;
  #span: Span | undefined;
  #attempt: Span | undefined;

  /**
   * Opens the operation's span.
   *
   * @param startedAt - when it began, if that is in the past
   * @param now - tells wall-clock time in milliseconds since the epoch, if it is in the past
   */
  constructor(policy: string, call: CallContext, startedAt?: number, now?: () => number) {
    this.#policy = policy;
    this.#call = call;
    this.#startedAt = startedAt;
    this.#now = now;
    scope.safely(() => this.#open());
  }

  /**
   * Runs one attempt, in a span of its own where the operation has one that is recorded. Where it is
   * not, as the trace was not sampled, the operation's span stands for all its attempts.
   */
  run<T>(attempt: number, delayMs: number, work: () => T): T {
    const operation = this.#span;
    if (operation === undefined) return work();
    if (!operation.isRecording()) return runInSpan(operation, work);
    scope.safely(() => this.#openAttempt(attempt, delayMs, this.#now?.()));
    return this.#attempt === undefined ? work() : runInSpan(this.#attempt, work);
  }

  attemptSucceeded(): void {
    scope.safely(() => this.#endAttempt());
  }

  /** Where the spans are made afterwards, the first attempt began with the operation. */
  attemptFailed(attempt: number, error: unknown): void {
    scope.safely(() => {
      if (this.#span?.isRecording() !== true) return;
      if (this.#attempt === undefined) this.#openAttempt(attempt, 0, this.#startedAt);
      if (this.#attempt !== undefined) failSpan(this.#attempt, error);
      this.#endAttempt();
    });
  }

  end(outcome: OperationOutcome, attempts: number, error?: unknown, reason?: GiveUpReason): void {
    scope.safely(() => {
      const span = this.#span;
      if (span === undefined) return;
      span.setAttribute(ATTR_OUTCOME, outcome);
      span.setAttribute(ATTR_ATTEMPTS.name, attempts);
      if (reason !== undefined) span.setAttribute(ATTR_REASON.name, reason);
      if (outcome !== 'success' && outcome !== 'recovered') failSpan(span, error);
      span.end(this.#now?.());
    });
  }

  /** The context of the operation's span, so that a log record leads to it. */
  get context(): Context {
    this.#parent ??= context.active();
    return this.#span === undefined ? this.#parent : trace.setSpan(this.#parent, this.#span);
  }

  #open(): void {
    const attributes: Record<string, string | number | boolean> = {
      ...this.#call.attributes,
      [ATTR_POLICY_NAME.name]: this.#policy,
    };
    if (this.#call.operation !== undefined) attributes[ATTR_OPERATION.name] = this.#call.operation;
    const options = { attributes, ...startingAt(this.#startedAt) };
    this.#span = scope.tracer.startSpan(`retry ${this.#policy}`, options, this.context);
  }

  #openAttempt(attempt: number, delayMs: number, startTime: number | undefined): void {
    const attributes: Record<string, string | number> = {
      [ATTR_POLICY_NAME.name]: this.#policy,
      [ATTR_ATTEMPT.name]: attempt,
    };
    if (attempt > 1) attributes[ATTR_DELAY.name] = delayMs / 1000;
    const options = { attributes, ...startingAt(startTime) };
    this.#attempt = scope.tracer.startSpan('attempt', options, this.context);
  }

  #endAttempt(): void {
    const span = this.#attempt;
    this.#attempt = undefined;
    span?.end(this.#now?.());
  }
}

function startingAt(startTime: number | undefined): { startTime?: number } {
  return startTime === undefined ? {} : { startTime };
}

/** Writes the one log record that an exhausted operation deserves. */
export function logExhausted(
  policy: string,
  error: Error,
  attempts: number,
  operation: OperationTrace | undefined,
): void {
  scope.safely(() =>
    scope.logger.emit({
      eventName: EVENT_EXHAUSTED,
      severityNumber: SeverityNumber.WARN,
      severityText: 'WARN',
      body: error.message,
      attributes: {
        [ATTR_POLICY_NAME.name]: policy,
        [ATTR_ATTEMPTS.name]: attempts,
        [ATTR_ERROR_TYPE.name]: errorType(error.cause),
      },
      context: operation?.context ?? context.active(),
    }),
  );
}
