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
  type SpanMode,
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

/** What one policy counts in. */
export interface RetryMeter {
  readonly live: Live;
  readonly operations: Readonly<Record<OperationOutcome, Cell>>;
  readonly attemptSuccess: Cell;
  readonly attemptFailure: ErrorTypeCells;
  readonly duration: Readonly<Record<OperationOutcome, HistogramSeries>>;
  readonly delay: HistogramSeries;
}

/** The series of the policies of this name. */
export function retryMeter(policy: string): RetryMeter {
  const base = { [ATTR_POLICY_NAME.name]: policy };
  const byOutcome = <T>(make: (attributes: Attributes) => T): Record<OperationOutcome, T> =>
    Object.fromEntries(
      OPERATION_OUTCOMES.map((outcome) => [outcome, make({ ...base, [ATTR_OUTCOME]: outcome })]),
    ) as Record<OperationOutcome, T>;
  return {
    live: scope.live,
    operations: byOutcome((attributes) => scope.counter(METRIC_OPERATIONS, attributes)),
    attemptSuccess: scope.counter(METRIC_ATTEMPTS, { ...base, [ATTR_OUTCOME]: 'success' }),
    attemptFailure: new ErrorTypeCells(scope, METRIC_ATTEMPTS, {
      ...base,
      [ATTR_OUTCOME]: 'failure',
    }),
    duration: byOutcome((attributes) => scope.histogram(METRIC_OPERATION_DURATION, attributes)),
    delay: scope.histogram(METRIC_DELAY, base),
  };
}

/** Reads a budget's level at each collection. */
export function observeBudget(budget: ObservableRetryBudget): Disposable {
  return scope.observe(budget, (owner, emit) => {
    emit(METRIC_BUDGET_AVAILABLE, { [ATTR_POLICY_NAME.name]: owner.name }, owner.available());
  });
}

/** The spans of one operation, in the modes that make any. Nothing in here throws. */
export class OperationTrace {
  readonly #policy: string;
  readonly #call: CallContext;
  readonly #parent: Context;
  /** Tells the time of spans that may be dated back. The SDK's own time is finer, and used otherwise. */
  readonly #now: (() => number) | undefined;
  readonly #startedAt: number | undefined;
  #span: Span | undefined;
  #attempt: Span | undefined;

  constructor(policy: string, mode: SpanMode, call: CallContext, now: () => number) {
    this.#policy = policy;
    this.#call = call;
    this.#parent = context.active();
    this.#now = mode === 'failures' ? now : undefined;
    this.#startedAt = this.#now?.();
    if (mode === 'all') scope.safely(() => this.#open());
  }

  /** Runs one attempt, in a span of its own where the operation has one. */
  run<T>(attempt: number, delayMs: number, work: () => T): T {
    if (this.#span === undefined) return work();
    scope.safely(() => this.#openAttempt(attempt, delayMs, this.#now?.()));
    return this.#attempt === undefined ? work() : runInSpan(this.#attempt, work);
  }

  attemptSucceeded(): void {
    scope.safely(() => this.#endAttempt());
  }

  /** From the first failure on there are spans in every mode; those of the past are dated back. */
  attemptFailed(attempt: number, error: unknown): void {
    scope.safely(() => {
      if (this.#span === undefined) this.#open();
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
    return this.#span === undefined ? this.#parent : trace.setSpan(this.#parent, this.#span);
  }

  #open(): void {
    const attributes: Record<string, string | number | boolean> = {
      ...this.#call.attributes,
      [ATTR_POLICY_NAME.name]: this.#policy,
    };
    if (this.#call.operation !== undefined) attributes[ATTR_OPERATION.name] = this.#call.operation;
    const options = { attributes, ...startingAt(this.#startedAt) };
    this.#span = scope.tracer.startSpan(`retry ${this.#policy}`, options, this.#parent);
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
