import type { Outcome } from '@temper/core';
import {
  ATTR_ERROR_TYPE,
  ATTR_POLICY_NAME,
  byOutcome,
  type Call,
  type CallObservation,
  CallObserver,
  type Counts,
  type Emit,
  type ErrorTypeCells,
  errorType,
  type GuardedSpan,
  Instrumentation,
  policyAttributes,
} from '@temper/core/policy';
import { describeExhausted, type ExhaustedDetails } from './errors.ts';
import type { ResolvedRetryOptions } from './options.ts';
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

const telemetry = new Instrumentation({
  name: '@temper/retry',
  version: VERSION,
  metrics: RETRY_METRICS,
});

const OUTCOMES = byOutcome(OPERATION_OUTCOMES);
const ATTEMPT_OUTCOMES = byOutcome(['success']);
const [FAILED_ATTEMPT] = Object.values(byOutcome(['failure']));

/** What a retry policy reports to OpenTelemetry. */
export class RetryObserver {
  readonly operations: Counts<OperationOutcome>;
  readonly attempts: Counts<'success'>;
  readonly failedAttempts: ErrorTypeCells;
  readonly #name: string;
  readonly #calls: CallObserver<OperationOutcome>;

  constructor(policy: { readonly name: string }, { name, spans, clock }: ResolvedRetryOptions) {
    this.#name = name;
    this.operations = telemetry.counts(policy, METRIC_OPERATIONS, OUTCOMES);
    this.attempts = telemetry.counts(policy, METRIC_ATTEMPTS, ATTEMPT_OUTCOMES);
    this.failedAttempts = telemetry.errorTypes(METRIC_ATTEMPTS, name, FAILED_ATTEMPT);
    this.#calls = new CallObserver({
      telemetry,
      policy: name,
      kind: 'retry',
      spans,
      clock,
      duration: METRIC_OPERATION_DURATION,
      outcomes: OUTCOMES,
    });
  }

  /** @returns `undefined` while nobody watches */
  begin(call: Call): RetryTrace | undefined {
    const observed = this.#calls.begin(call);
    return observed === undefined ? undefined : new RetryTrace(this.#name, observed);
  }

  /** @param ms - a wait before an attempt, as planned */
  delayed(ms: number): void {
    if (telemetry.live.metrics) telemetry.histogram(METRIC_DELAY, this.#name).record(ms / 1000);
  }

  /** Writes the log record of a call whose last attempt failed. */
  exhausted(details: ExhaustedDetails, error: unknown, trace: RetryTrace | undefined): void {
    telemetry.log({
      event: EVENT_EXHAUSTED,
      severity: 'WARN',
      body: () => describeExhausted(details),
      attributes: {
        [ATTR_POLICY_NAME.name]: this.#name,
        [ATTR_ATTEMPTS.name]: details.attempts,
        [ATTR_ERROR_TYPE.name]: errorType(error),
      },
      context: trace?.observed.context,
    });
  }
}

/** The spans of one call: an operation, and its attempts below it. Nothing in here throws. */
export class RetryTrace {
  readonly observed: CallObservation<OperationOutcome>;
  readonly #policy: string;
  #attempt: GuardedSpan | undefined;

  constructor(policy: string, observed: CallObservation<OperationOutcome>) {
    this.#policy = policy;
    this.observed = observed;
  }

  /**
   * Runs one attempt, in a span of its own if the operation's span is recorded. In a trace that was
   * not sampled, the operation's span stands for all its attempts.
   */
  run<T>(attempt: number, delayMs: number, work: () => T): T {
    const operation = this.observed.current;
    if (operation === undefined) return work();
    if (!operation.recording) return operation.run(work);
    this.#attempt = this.#child(operation, attempt, delayMs, this.observed.now);
    return this.#attempt.run(work);
  }

  attemptFailed(attempt: number, outcome: Outcome<unknown>): void {
    const operation = this.observed.span();
    if (operation?.recording !== true) return;
    // In mode `failures` the first attempt gets its span now, dated back to the operation's start.
    this.#attempt ??= this.#child(operation, attempt, 0, this.observed.began);
    this.#attempt.fail(outcome);
    this.#endAttempt();
  }

  end(
    outcome: OperationOutcome,
    attempts: number,
    failure?: Outcome<unknown>,
    reason?: string,
  ): void {
    this.#endAttempt();
    const attributes: Record<string, string | number> = { [ATTR_ATTEMPTS.name]: attempts };
    if (reason !== undefined) attributes[ATTR_REASON.name] = reason;
    this.observed.end(outcome, failure, attributes);
  }

  #child(
    operation: GuardedSpan,
    attempt: number,
    delayMs: number,
    startTime?: number,
  ): GuardedSpan {
    const attributes: Record<string, string | number> = {
      [ATTR_POLICY_NAME.name]: this.#policy,
      [ATTR_ATTEMPT.name]: attempt,
    };
    if (attempt > 1) attributes[ATTR_DELAY.name] = delayMs / 1000;
    return operation.child('attempt', attributes, startTime);
  }

  #endAttempt(): void {
    this.#attempt?.end(this.observed.now);
    this.#attempt = undefined;
  }
}

/** Reads a budget's level at each collection. */
export function observeBudget(budget: BudgetLevel): Disposable {
  return telemetry.observe(budget, readBudget);
}

interface BudgetLevel {
  readonly name: string;
  available(): number;
}

function readBudget(budget: BudgetLevel, emit: Emit): void {
  emit(METRIC_BUDGET_AVAILABLE, policyAttributes(budget.name), budget.available());
}
