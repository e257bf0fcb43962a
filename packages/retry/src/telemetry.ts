import type { Attributes, Outcome } from '@temper/core';
import {
  ATTR_ERROR_TYPE,
  ATTR_POLICY_NAME,
  byOutcome,
  type Call,
  type CallObservation,
  CallObserver,
  type Counts,
  type ErrorTypeCells,
  failureType,
  type HistogramSeries,
  Instrumentation,
} from '@temper/core/policy';
import { describeExhausted, type ExhaustedDetails } from './errors.ts';
import {
  ATTR_ATTEMPT,
  ATTR_ATTEMPTS,
  ATTR_DELAY,
  ATTR_REASON,
  EVENT_EXHAUSTED,
  METRIC_ATTEMPTS,
  METRIC_DELAY,
  METRIC_OPERATION_DURATION,
  METRIC_OPERATIONS,
  OPERATION_OUTCOMES,
  type OperationOutcome,
} from './metrics.ts';
import type { ResolvedRetryOptions } from './options.ts';
import { VERSION } from './version.ts';

const telemetry = new Instrumentation({
  name: '@temper/retry',
  version: VERSION,
  metrics: [METRIC_OPERATIONS, METRIC_ATTEMPTS, METRIC_OPERATION_DURATION, METRIC_DELAY],
});

const OUTCOMES = byOutcome(OPERATION_OUTCOMES);
const ATTEMPTS = byOutcome(['success', 'aborted']);
const FAILED = byOutcome(['failure']).failure;

/** A call that somebody watches. */
export type Observed = CallObservation<OperationOutcome>;

/** What a retry policy reports to OpenTelemetry. Nothing in here throws. */
export class RetryObserver implements Disposable {
  readonly operations: Counts<OperationOutcome>;
  readonly attempts: Counts<'success' | 'aborted'>;
  readonly #owner: { readonly name: string };
  readonly #telemetry: Instrumentation;
  readonly #failedAttempts: ErrorTypeCells;
  readonly #options: ResolvedRetryOptions;
  /** Created when somebody watches. */
  #calls: CallObserver<OperationOutcome> | undefined;
  #delays: HistogramSeries | undefined;

  constructor(policy: { readonly name: string }, options: ResolvedRetryOptions) {
    this.#options = options;
    this.#owner = policy;
    this.#telemetry = telemetry.of(options.telemetry);
    this.operations = this.#telemetry.counts(policy, METRIC_OPERATIONS, OUTCOMES);
    this.attempts = this.#telemetry.counts(policy, METRIC_ATTEMPTS, ATTEMPTS);
    this.#failedAttempts = this.#telemetry.errorTypes(METRIC_ATTEMPTS, options.name, FAILED);
  }

  [Symbol.dispose](): void {
    this.#telemetry.release(this.#owner);
  }

  /** @returns `undefined` while nobody watches */
  begin(call: Call): Observed | undefined {
    const { live } = this.#telemetry;
    if (!live.metrics && !live.traces) return undefined;
    this.#calls ??= new CallObserver({
      telemetry: this.#telemetry,
      policy: this.#owner.name,
      kind: 'retry',
      spans: this.#options.spans,
      clock: this.#options.clock,
      duration: METRIC_OPERATION_DURATION,
      outcomes: OUTCOMES,
    });
    return this.#calls.begin(call);
  }

  /** Runs one attempt, in a span of its own where its call has one. */
  run<T>(
    observed: Observed | undefined,
    attempt: Call,
    delayMs: number,
    work: (attempt: Call) => T,
  ): T {
    return observed?.traced === true
      ? this.#watch(observed, attempt, delayMs, work)
      : work(attempt);
  }

  /** Apart, where the closures would cost every call a context. */
  #watch<T>(observed: Observed, attempt: Call, delayMs: number, work: (attempt: Call) => T): T {
    const attributes = (): Attributes => this.#attributes(attempt.attempt, delayMs);
    return observed.runPart('attempt', attributes, () => work(attempt));
  }

  attemptFailed(
    observed: Observed | undefined,
    attempt: Call,
    delayMs: number,
    outcome: Outcome<unknown>,
  ): void {
    if (attempt.cancelled) this.attempts.aborted++;
    else this.#failedAttempts.ofOutcome(outcome).value++;
    observed?.partFailed('attempt', () => this.#attributes(attempt.attempt, delayMs), outcome);
  }

  /** @param ms - a wait before an attempt, as planned */
  delayed(ms: number): void {
    if (!this.#telemetry.live.metrics) return;
    this.#delays ??= this.#telemetry.histogram(METRIC_DELAY, this.#owner.name);
    this.#delays.record(ms / 1000);
  }

  /** Writes the log record of a call whose last attempt failed. */
  exhausted(
    observed: Observed | undefined,
    details: ExhaustedDetails,
    outcome: Outcome<unknown>,
  ): void {
    this.#telemetry.log({
      event: EVENT_EXHAUSTED,
      severity: 'WARN',
      body: () => describeExhausted(details),
      attributes: () => ({
        [ATTR_POLICY_NAME.name]: this.#owner.name,
        [ATTR_ATTEMPTS.name]: details.attempts,
        [ATTR_ERROR_TYPE.name]: failureType(outcome),
      }),
      context: observed?.context,
    });
  }

  /** @param failure - what makes the call a failed one */
  end(
    observed: Observed | undefined,
    outcome: OperationOutcome,
    attempts: number,
    failure?: Outcome<unknown>,
    reason?: string,
  ): void {
    observed?.end(outcome, failure, {
      [ATTR_ATTEMPTS.name]: attempts,
      ...(reason === undefined ? undefined : { [ATTR_REASON.name]: reason }),
    });
  }

  #attributes(attempt: number, delayMs: number): Attributes {
    return {
      [ATTR_POLICY_NAME.name]: this.#owner.name,
      [ATTR_ATTEMPT.name]: attempt,
      ...(attempt === 1 ? undefined : { [ATTR_DELAY.name]: delayMs / 1000 }),
    };
  }
}
