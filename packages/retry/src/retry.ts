import {
  classify,
  isTransient,
  type Operation,
  OperationTimeoutError,
  type Outcome,
  type Policy,
} from '@temper/core';
import {
  ask,
  askNumber,
  type Call,
  decide,
  discardBody,
  exhaustedSince,
  exhaustedSoFar,
  messageOf,
  notify,
  PolicyBase,
  type PolicyDescription,
  rememberRetries,
  retryAfterOf,
  runWithTimeout,
  TimeoutQueue,
  warn,
} from '@temper/core/policy';
import { backoffDelay } from './backoff.ts';
import { type GiveUpReason, RetryExhaustedError } from './errors.ts';
import {
  type ResolvedRetryOptions,
  type RetryEvent,
  type RetryOptions,
  resolveRetryOptions,
} from './options.ts';
import type { OperationOutcome } from './semconv.ts';
import { RetryObserver, type RetryTrace } from './telemetry.ts';

/** After this many immediate retries in a row the event loop gets a turn. */
const IMMEDIATE_RETRIES = 10;

/** At most this many errors are kept per call, so that endless retries do not grow without bound. */
const KEPT_ERRORS = 1000;

/** What a retry policy has done since it was created. */
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

/** A call whose first attempt failed. */
interface FailingCall<T> {
  readonly operation: Operation<T>;
  readonly call: Call;
  readonly trace: RetryTrace | undefined;
  /** What each attempt failed with. */
  readonly errors: unknown[];
  /** When the first attempt failed, on the monotonic scale in milliseconds. */
  readonly since: number;
  /** When no further attempt may begin, likewise. */
  readonly until: number;
  /** The context of the last attempt. */
  attempt: Call;
  outcome: Outcome<T>;
  /** The last wait, in milliseconds. */
  delayMs: number;
}

/** Why there is no further attempt, and what the call rejects with. */
interface End {
  readonly outcome: OperationOutcome;
  readonly error: unknown;
  readonly reason?: GiveUpReason;
}

class Retry extends PolicyBase implements RetryPolicy {
  readonly #options: ResolvedRetryOptions;
  readonly #timeouts: TimeoutQueue | undefined;
  readonly #observer: RetryObserver;
  #failedAttempts = 0;
  #retries = 0;
  #warned = false;

  constructor(options: ResolvedRetryOptions) {
    super(options.name, options.clock);
    this.#options = options;
    const { clock, attemptTimeoutMs } = options;
    this.#timeouts =
      attemptTimeoutMs === undefined ? undefined : new TimeoutQueue(clock, attemptTimeoutMs);
    this.#observer = new RetryObserver(this, options);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { budget, maxElapsedMs } = this.#options;
    // Reading the clock is a fifth of the cost of a call, so it is left out where it is not needed.
    const startedAt =
      maxElapsedMs === Number.POSITIVE_INFINITY ? undefined : this.clock.monotonic();
    const trace = this.#observer.begin(call);
    if (budget !== undefined) notify(this.name, 'budget.deposit', () => budget.deposit());

    const exhausted = exhaustedSoFar();
    const first = call.attempt === 1 ? call : call.forAttempt(1);
    let outcome: Outcome<T>;
    try {
      const value = await (trace === undefined
        ? this.#attempt(operation, first)
        : trace.run(1, 0, () => this.#attempt(operation, first)));
      if (!this.#handlesValue(value, first)) {
        this.#succeeded(1, trace);
        return value;
      }
      outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    const since = this.clock.monotonic();
    const until = (startedAt ?? since) + maxElapsedMs;
    return this.#retry(
      { operation, call, trace, errors: [], since, until, attempt: first, outcome, delayMs: 0 },
      exhausted,
    );
  }

  /** What follows a failed first attempt, apart so that a call that succeeds at once stays cheap. */
  async #retry<T>(failing: FailingCall<T>, exhaustedBefore: number): Promise<T> {
    const { operation, call, trace } = failing;
    let exhausted = exhaustedBefore;
    for (;;) {
      this.#attemptFailed(failing);
      const end = this.#plan(failing, exhausted) ?? (await this.#wait(failing));
      if (end !== undefined) return this.#end(failing, end);

      this.#retries++;
      const attempt = failing.attempt.attempt + 1;
      const current = call.forAttempt(attempt);
      if (failing.outcome.ok) discardBody(failing.outcome.value);
      failing.attempt = current;
      exhausted = exhaustedSoFar();
      try {
        const value = await (trace === undefined
          ? this.#attempt(operation, current)
          : trace.run(attempt, failing.delayMs, () => this.#attempt(operation, current)));
        if (!this.#handlesValue(value, current)) {
          this.#succeeded(attempt, trace);
          return value;
        }
        failing.outcome = { ok: true, value };
      } catch (error) {
        failing.outcome = { ok: false, error };
      }
    }
  }

  #attempt<T>(operation: Operation<T>, call: Call): T | PromiseLike<T> {
    const timeouts = this.#timeouts;
    if (timeouts === undefined) return operation(call);
    const timeoutError = (): Error => new OperationTimeoutError(this.name, timeouts.durationMs);
    return runWithTimeout(operation, call, timeouts, timeoutError);
  }

  /** By default values are not failures; only a predicate of the user's can say otherwise. */
  #handlesValue(value: unknown, call: Call): boolean {
    const { shouldHandle } = this.#options;
    return shouldHandle !== undefined && decide(this.name, shouldHandle, { ok: true, value }, call);
  }

  #handlesError(outcome: Outcome<unknown>, call: Call): boolean {
    const { shouldHandle } = this.#options;
    if (shouldHandle !== undefined) return decide(this.name, shouldHandle, outcome, call);
    const handles = isTransient(outcome);
    if (!handles && !this.#warned) this.#warnIfUnknown(outcome);
    return handles;
  }

  /**
   * Plans the next attempt, after `delayMs`.
   *
   * @returns why there is none; `undefined` when there is one
   */
  #plan(failing: FailingCall<unknown>, exhausted: number): End | undefined {
    const { call, outcome, attempt } = failing;
    if (call.aborted) return { outcome: 'aborted', error: call.reason };
    const { maxAttempts, respectRetryAfter, maxRetryAfterMs, budget } = this.#options;
    const error = outcome.ok ? outcome.value : outcome.error;
    // A retry inside has made its attempts already: retrying it would multiply them.
    const repeated = !outcome.ok && exhaustedSince(error, exhausted);
    if (!outcome.ok && (repeated || !this.#handlesError(outcome, attempt))) {
      return { outcome: 'failure', error };
    }
    const giveUp = (reason: GiveUpReason): End => ({ outcome: 'exhausted', error, reason });
    const askedMs = respectRetryAfter ? retryAfterOf(error, this.clock.now()) : undefined;
    if (attempt.attempt >= maxAttempts) return giveUp('attempts');
    if (askedMs !== undefined && askedMs > maxRetryAfterMs) return giveUp('retry-after');
    const delayMs = Math.max(this.#delay(failing), askedMs ?? 0);
    if (delayMs >= call.remainingMs(this.clock)) return giveUp('deadline');
    if (this.clock.monotonic() + delayMs > failing.until) return giveUp('elapsed');
    if (budget !== undefined && !ask(this.name, 'budget.withdraw', () => budget.withdraw())) {
      return giveUp('budget');
    }
    failing.delayMs = delayMs;
    this.#observer.delayed(delayMs);
    return undefined;
  }

  #delay(failing: FailingCall<unknown>): number {
    const { delay, maxDelayMs, random } = this.#options;
    const own =
      delay === undefined ? undefined : askNumber(this.name, 'delay', delay, this.#event(failing));
    return own === undefined
      ? backoffDelay(this.#options, failing.attempt.attempt, failing.delayMs, random)
      : Math.min(own, maxDelayMs);
  }

  /** Waits before the next attempt; an abort ends the wait, and with it the call. */
  async #wait(failing: FailingCall<unknown>): Promise<End | undefined> {
    const { call, attempt, delayMs } = failing;
    const { onRetry } = this.#options;
    try {
      const pause = delayMs > 0 || attempt.attempt % IMMEDIATE_RETRIES === 0;
      const wait = pause ? this.clock.sleep(delayMs, call.abortable) : undefined;
      // After the timer is armed, so that the hook can advance a manual clock.
      if (onRetry !== undefined) {
        notify(this.name, 'onRetry', onRetry, { ...this.#event(failing), delayMs }, call);
      }
      await wait;
      return call.aborted ? { outcome: 'aborted', error: call.reason } : undefined;
    } catch (error) {
      return { outcome: 'aborted', error };
    }
  }

  #succeeded(attempt: number, trace: RetryTrace | undefined): void {
    const { operations, attempts } = this.#observer;
    attempts.success++;
    if (attempt === 1) operations.success++;
    else operations.recovered++;
    trace?.end(attempt === 1 ? 'success' : 'recovered', attempt);
  }

  #attemptFailed({ attempt, outcome, errors, trace }: FailingCall<unknown>): void {
    const failure = outcome.ok ? outcome.value : outcome.error;
    if (errors.length === KEPT_ERRORS) errors.splice(1, 1);
    errors.push(failure);
    this.#failedAttempts++;
    this.#observer.failedAttempts.of(failure).value++;
    trace?.attemptFailed(attempt.attempt, outcome);
  }

  /** Ends a failed call: throws, or returns the value that counts as a failure. */
  #end<T>(failing: FailingCall<T>, end: End): T {
    const { call, outcome, attempt, errors, since, trace } = failing;
    const { respectRetryAfter, wrapExhausted, onGiveUp } = this.#options;
    let { error } = end;
    this.#observer.operations[end.outcome]++;
    if (end.reason !== undefined) {
      const details = {
        policy: this.name,
        reason: end.reason,
        attempts: attempt.attempt,
        elapsedMs: this.clock.monotonic() - since,
        errors,
        retryAfterMs: respectRetryAfter ? retryAfterOf(error, this.clock.now()) : undefined,
      };
      this.#observer.exhausted(details, error, trace);
      if (!outcome.ok && wrapExhausted) error = new RetryExhaustedError(details);
      if (!outcome.ok) rememberRetries(error, details);
    }
    trace?.end(
      end.outcome,
      attempt.attempt,
      outcome.ok ? outcome : { ok: false, error },
      end.reason,
    );
    if (onGiveUp !== undefined) {
      notify(this.name, 'onGiveUp', onGiveUp, { ...this.#event(failing), error }, call);
    }
    if (outcome.ok && end.outcome === 'exhausted') return outcome.value;
    throw error;
  }

  #event({ attempt, outcome, call }: FailingCall<unknown>): RetryEvent {
    return { policy: this.name, attempt: attempt.attempt, outcome, operation: call.operation };
  }

  /** The first thing that surprises a user of other libraries is said once per policy. */
  #warnIfUnknown(outcome: Outcome<unknown>): void {
    if (outcome.ok || classify(outcome.error).category !== 'unknown') return;
    this.#warned = true;
    warn(
      `Retry policy '${this.name}' does not retry an error that it cannot classify: ${messageOf(outcome.error)}. ` +
        'Set shouldHandle, or give the error a code, a status or a classification.',
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
    const { operations, attempts } = this.#observer;
    return {
      operations: { ...operations },
      attempts: attempts.success + this.#failedAttempts,
      retries: this.#retries,
    };
  }

  [Symbol.dispose](): void {
    // A retry policy has no levels, and its totals stay.
  }
}

/**
 * Creates a policy that retries an operation when it fails with a transient error.
 *
 * ```ts
 * const registry = retry({ name: 'registry' });
 * const body = await registry.execute(({ signal }) => fetch(url, { signal }).then((r) => r.json()));
 * ```
 *
 * After the last attempt `execute` rejects with the last error, unchanged; `retryDetails(error)` has
 * the attempts.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range; the message names the
 * option, the range and the value
 */
export function retry(options: RetryOptions = {}): RetryPolicy {
  return new Retry(resolveRetryOptions(options));
}
