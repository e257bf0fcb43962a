import {
  type CallContext,
  classify,
  isThenable,
  notify,
  type Operation,
  OperationTimeoutError,
  type Policy,
  PolicyBase,
  type PolicyDescription,
  retryAfterOf,
  runWithTimeout,
  TimeoutQueue,
} from '@temper/core';
import { backoffDelay } from './backoff.ts';
import type { RetryBudget } from './budget.ts';
import { type GiveUpReason, RetryExhaustedError } from './errors.ts';
import {
  type AttemptOutcome,
  type ResolvedRetryOptions,
  type RetryEvent,
  type RetryOptions,
  resolveRetryOptions,
} from './options.ts';
import type { OperationOutcome } from './semconv.ts';
import {
  logExhausted,
  OperationTrace,
  onListenerError,
  type RetryMeter,
  retryMeter,
} from './telemetry.ts';

/** So many retries without a wait may follow each other before the event loop gets its turn. */
const IMMEDIATE_RETRIES = 10;

/** So many errors of one operation are kept: all of any sane one, and no leak in an endless one. */
const KEPT_ERRORS = 1000;

/** What a retry policy has done since it was made. */
export interface RetryStats {
  readonly operations: Readonly<Record<OperationOutcome, number>>;
  /** Attempts that ended, retries included. */
  readonly attempts: number;
  /** Attempts beyond the first of their operation. */
  readonly retries: number;
}

/** A retry policy. */
export interface RetryPolicy extends Policy {
  stats(): RetryStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

/** What the loop keeps of one operation that did not succeed at once. */
interface Failures {
  /** One per failed attempt, up to {@link KEPT_ERRORS}; for a failed value, the value. */
  readonly errors: unknown[];
  delayMs: number;
}

class Retry extends PolicyBase implements RetryPolicy {
  readonly #options: ResolvedRetryOptions;
  readonly #timeouts: TimeoutQueue | undefined;
  readonly #bounded: boolean;
  readonly #meter: RetryMeter;
  readonly #operations: Record<OperationOutcome, number> = {
    success: 0,
    recovered: 0,
    failure: 0,
    exhausted: 0,
    aborted: 0,
  };
  #attempts = 0;
  #retries = 0;

  constructor(options: ResolvedRetryOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#timeouts =
      options.attemptTimeoutMs === undefined
        ? undefined
        : new TimeoutQueue(options.clock, options.attemptTimeoutMs);
    this.#bounded = options.maxElapsedMs !== Number.POSITIVE_INFINITY;
    this.#meter = retryMeter(options.name);
  }

  async runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    const { budget, spans } = this.#options;
    const { live } = this.#meter;
    // Reading the clock costs a quarter of a call that succeeds at once, so it is read when needed.
    const startedAt = live.metrics || this.#bounded ? this.clock.monotonic() : undefined;
    const trace =
      live.traces && spans === 'all' ? new OperationTrace(this.name, context) : undefined;
    const begunAt = live.traces && spans === 'failures' ? this.clock.now() : undefined;
    if (budget !== undefined) notify(deposit, budget, onListenerError);

    const first = context.attempt === 1 ? context : context.forAttempt(1);
    let outcome: AttemptOutcome;
    try {
      const value = await (trace === undefined
        ? this.#try(operation, first)
        : this.#tryTraced(operation, first, trace, 0));
      if (!this.#isFailure(value)) {
        this.#succeeded(1, startedAt, trace);
        return value;
      }
      outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    const traced =
      begunAt === undefined
        ? trace
        : new OperationTrace(this.name, context, begunAt, this.clock.now);
    return this.#again(operation, context, outcome, startedAt ?? this.clock.monotonic(), traced);
  }

  /**
   * What follows a first attempt that failed. A function of its own, so that a call that succeeds at
   * once has no room to make for it.
   */
  async #again<T>(
    operation: Operation<T>,
    context: CallContext,
    first: AttemptOutcome,
    startedAt: number,
    trace: OperationTrace | undefined,
  ): Promise<T> {
    const failures: Failures = { errors: [], delayMs: 0 };
    let outcome = first;
    for (let attempt = 1; ; attempt++) {
      const failure = outcome.ok ? outcome.value : outcome.error;
      if (failures.errors.length === KEPT_ERRORS) failures.errors.splice(1, 1);
      failures.errors.push(failure);
      this.#attempts++;
      this.#meter.attemptFailure.of(failure).value++;
      trace?.attemptFailed(attempt, failure);

      const verdict = this.#next(attempt, outcome, context, failures, startedAt);
      if (verdict !== undefined) {
        const { error, reason } = verdict;
        this.#failed(attempt, verdict.outcome, error, reason, startedAt, trace);
        this.#notifyGiveUp(attempt, outcome, context, error);
        // A value that means failure is still the operation's answer, and goes back as it is.
        if (outcome.ok && verdict.outcome === 'exhausted') return outcome.value as T;
        throw error;
      }
      try {
        if (failures.delayMs > 0 || attempt % IMMEDIATE_RETRIES === 0) {
          await this.clock.sleep(failures.delayMs, context.abortable);
        } else {
          context.abortable?.throwIfAborted();
        }
      } catch (error) {
        this.#failed(attempt, 'aborted', error, undefined, startedAt, trace);
        this.#notifyGiveUp(attempt, outcome, context, error);
        throw error;
      }

      this.#retries++;
      const current = context.forAttempt(attempt + 1);
      try {
        const value = await (trace === undefined
          ? this.#try(operation, current)
          : this.#tryTraced(operation, current, trace, failures.delayMs));
        if (!this.#isFailure(value)) {
          this.#succeeded(attempt + 1, startedAt, trace);
          return value;
        }
        outcome = { ok: true, value };
      } catch (error) {
        outcome = { ok: false, error };
      }
    }
  }

  #isFailure(value: unknown): boolean {
    const { isFailure } = this.#options;
    return isFailure !== undefined && ask(isFailure, value);
  }

  #try<T>(operation: Operation<T>, context: CallContext): T | PromiseLike<T> {
    const timeouts = this.#timeouts;
    if (timeouts === undefined) return operation(context);
    return runWithTimeout(
      operation,
      context,
      timeouts,
      () => new OperationTimeoutError(this.name, timeouts.durationMs),
    );
  }

  /** Apart from {@link #try}, so that its closure costs only calls that are traced. */
  #tryTraced<T>(
    operation: Operation<T>,
    context: CallContext,
    trace: OperationTrace,
    delayMs: number,
  ): T | PromiseLike<T> {
    return trace.run(context.attempt, delayMs, () => this.#try(operation, context));
  }

  /** What follows a failed attempt: nothing (there will be another, after `delayMs`), or the end. */
  #next(
    attempt: number,
    outcome: AttemptOutcome,
    context: CallContext,
    failures: Failures,
    startedAt: number,
  ): { outcome: OperationOutcome; error: unknown; reason?: GiveUpReason } | undefined {
    if (context.aborted) return { outcome: 'aborted', error: context.reason };
    const options = this.#options;
    const event: RetryEvent = {
      policy: this.name,
      attempt,
      outcome,
      operation: context.operation,
    };
    if (!outcome.ok) {
      const retryable =
        options.isRetryable === undefined
          ? classify(outcome.error).transient
          : ask(options.isRetryable, outcome.error, event);
      if (!retryable) return { outcome: 'failure', error: outcome.error };
    }

    const giveUp = (
      reason: GiveUpReason,
      retryAfterMs?: number,
    ): { outcome: OperationOutcome; error: unknown; reason: GiveUpReason } => ({
      outcome: 'exhausted',
      reason,
      error: new RetryExhaustedError(
        this.name,
        reason,
        failures.errors,
        this.clock.monotonic() - startedAt,
        retryAfterMs,
        attempt,
      ),
    });
    const failure = outcome.ok ? outcome.value : outcome.error;
    const askedMs = options.respectRetryAfter ? retryAfterOf(failure, this.clock.now()) : undefined;
    if (attempt >= options.maxAttempts) return giveUp('attempts', askedMs);
    if (askedMs !== undefined && askedMs > options.maxRetryAfterMs) {
      return giveUp('retry-after', askedMs);
    }
    const delayMs = Math.max(this.#delay(event, failures.delayMs), askedMs ?? 0);
    if (delayMs >= context.remainingMs(this.clock)) return giveUp('deadline', askedMs);
    if (this.clock.monotonic() - startedAt + delayMs > options.maxElapsedMs) {
      return giveUp('elapsed', askedMs);
    }
    if (options.budget !== undefined && !ask(withdraw, options.budget)) {
      return giveUp('budget', askedMs);
    }
    failures.delayMs = delayMs;
    if (this.#meter.live.metrics) this.#meter.delay(delayMs);
    notify(options.onRetry, { ...event, delayMs }, onListenerError);
    return undefined;
  }

  #delay(event: RetryEvent, previousMs: number): number {
    const options = this.#options;
    if (options.delay !== undefined) {
      try {
        const own = options.delay(event);
        if (own !== undefined && own >= 0) return Math.min(own, options.maxDelayMs);
      } catch (error) {
        onListenerError(error);
      }
    }
    return backoffDelay(options, event.attempt, previousMs, options.random);
  }

  #succeeded(
    attempt: number,
    startedAt: number | undefined,
    trace: OperationTrace | undefined,
  ): void {
    const outcome = attempt === 1 ? 'success' : 'recovered';
    this.#attempts++;
    this.#operations[outcome]++;
    this.#meter.attemptSuccess.value++;
    this.#meter.operations[outcome].value++;
    if (startedAt !== undefined) this.#recordDuration(outcome, startedAt);
    if (trace !== undefined) {
      trace.attemptSucceeded();
      trace.end(outcome, attempt);
    }
  }

  #failed(
    attempt: number,
    outcome: OperationOutcome,
    error: unknown,
    reason: GiveUpReason | undefined,
    startedAt: number | undefined,
    trace: OperationTrace | undefined,
  ): void {
    this.#operations[outcome]++;
    this.#meter.operations[outcome].value++;
    if (startedAt !== undefined) this.#recordDuration(outcome, startedAt);
    trace?.end(outcome, attempt, error, reason);
    if (outcome === 'exhausted') logExhausted(this.name, error as Error, attempt, trace);
  }

  #recordDuration(outcome: OperationOutcome, startedAt: number): void {
    this.#meter.duration(outcome, this.clock.monotonic() - startedAt);
  }

  #notifyGiveUp(
    attempt: number,
    outcome: AttemptOutcome,
    context: CallContext,
    error: unknown,
  ): void {
    if (this.#options.onGiveUp === undefined) return;
    const { operation } = context;
    notify(
      this.#options.onGiveUp,
      { policy: this.name, attempt, outcome, operation, error },
      onListenerError,
    );
  }

  override describe(): PolicyDescription {
    const { maxAttempts, delay, attemptTimeoutMs } = this.#options;
    // With chance at its lowest, the first wait is the least there can be.
    const least = backoffDelay(this.#options, 1, 0, () => 0);
    return {
      kind: 'retry',
      repeats: maxAttempts > 1,
      firstDelayMs: delay === undefined ? least : undefined,
      attemptTimeoutMs,
    };
  }

  stats(): RetryStats {
    return {
      operations: { ...this.#operations },
      attempts: this.#attempts,
      retries: this.#retries,
    };
  }

  [Symbol.dispose](): void {
    // Nothing to take back: a retry policy has no levels, and its totals stay.
  }
}

const deposit = (budget: RetryBudget): void => budget.deposit();
const withdraw = (budget: RetryBudget): boolean => budget.withdraw();

/** Asks a user's predicate. One that throws, or does not answer at once, is reported, and has said no. */
function ask<Args extends readonly unknown[]>(
  predicate: (...args: Args) => boolean,
  ...args: Args
): boolean {
  try {
    const answer: unknown = predicate(...args);
    if (!isThenable(answer)) return Boolean(answer);
    answer.then(undefined, onListenerError);
    throw new TypeError(`retry: a predicate must answer at once, but returned a promise.`);
  } catch (error) {
    onListenerError(error);
    return false;
  }
}

/**
 * Makes a policy that calls an operation again when it fails with something transient.
 *
 * ```ts
 * const registry = retry({ name: 'registry' });
 * const body = await registry.execute(({ signal }) => fetch(url, { signal }).then((r) => r.json()));
 * ```
 *
 * @throws {TypeError | RangeError} at construction, when an option is unknown or out of range; the
 * message names the option, the range and the value
 */
export function retry(options: RetryOptions = {}): RetryPolicy {
  return new Retry(resolveRetryOptions(options));
}
