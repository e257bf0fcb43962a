import {
  type CallContext,
  classify,
  DeadlineExceededError,
  isTransient,
  type Operation,
  OperationTimeoutError,
  type Outcome,
  type Policy,
  type ShouldHandle,
} from '@temper/core';
import {
  ask,
  askNumber,
  type Call,
  decide,
  discardBody,
  endedRetries,
  isCommitted,
  isUnheard,
  Listeners,
  notify,
  numberAttempt,
  PolicyBase,
  type PolicyDescription,
  rememberRetries,
  retryAfterOf,
  runWithTimeout,
  TimeoutQueue,
  tellSpentBudget,
  transientByDefault,
} from '@temper/core/policy';
import { backoffDelay } from './backoff.ts';
import { EarnedRetries } from './earned-retries.ts';
import { type ExhaustedDetails, type GiveUpReason, RetryExhaustedError } from './errors.ts';
import type { OperationOutcome } from './metrics.ts';
import {
  type GaveUp,
  type ResolvedRetryOptions,
  type RetryEvent,
  type RetryOptions,
  type RetryWait,
  resolveRetryOptions,
} from './options.ts';
import { type Observed, RetryObserver } from './telemetry.ts';

/** After this many immediate retries in a row the event loop gets a turn. */
const IMMEDIATE_RETRIES = 10;

/** At most this many errors are kept per call, so that endless retries do not grow without bound. */
const KEPT_ERRORS = 1000;

/** Without a budget, so many calls can use all their attempts before any has succeeded. */
const BURST_CALLS = 25;
/** What a retry takes from the budget after a time-out, and after any other failure. */
const COST_AFTER_TIMEOUT = 2;
const COST = 1;
/** How long retries that were earned beyond that are kept on average, in milliseconds. */
const EARNED_FOR_MS = 10_000;

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
  /** Adds a listener, as the option does; disposing of the result removes it. */
  onRetry(listener: (event: RetryWait, call: CallContext) => unknown): Disposable;
  /** Adds a listener, as the option does; disposing of the result removes it. */
  onGiveUp(listener: (event: GaveUp, call: CallContext) => unknown): Disposable;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

/** Makes one attempt. */
type Work<T> = (attempt: Call) => T | PromiseLike<T>;

/** A call whose first attempt failed. */
interface FailingCall<T> {
  readonly call: Call;
  readonly observed: Observed | undefined;
  /** Number of the first attempt; see {@link numberAttempt}. */
  readonly began: number;
  /** When the first attempt failed, on the monotonic scale in milliseconds. */
  readonly since: number;
  /** When no further attempt may begin, likewise. */
  readonly until: number;
  /** What each attempt failed with. */
  readonly errors: unknown[];
  /** The last attempt: its context, its number, and how it ended. */
  attempt: Call;
  number: number;
  outcome: Outcome<T>;
  /** The last wait, in milliseconds. */
  delayMs: number;
  /** Retries that the budget gets back if the call succeeds. */
  returnable: number;
  /** What the budget gave for the next attempt, or for the one under way, in retries. */
  taken: number;
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
  readonly #shouldHandle: ShouldHandle;
  /** The budget of a policy that was given none. */
  readonly #earned: EarnedRetries | undefined;
  // Created with the first call: an idle policy is to take less than 1 KB.
  #observer: RetryObserver | undefined;
  // Made for the first listener: most policies have none.
  #waits: Listeners<RetryWait, [CallContext]> | undefined;
  #endings: Listeners<GaveUp, [CallContext]> | undefined;
  #failedAttempts = 0;
  #retries = 0;

  constructor(options: ResolvedRetryOptions) {
    super(options.name, options.clock);
    this.#options = options;
    const { clock, attemptTimeoutMs } = options;
    this.#timeouts =
      attemptTimeoutMs === undefined ? undefined : new TimeoutQueue(clock, attemptTimeoutMs);
    this.#shouldHandle =
      options.shouldHandle ??
      (options.maxAttempts > 1
        ? transientByDefault(`Retry policy '${options.name}'`, 'retry')
        : isTransient);
    this.#earned = ownBudget(options);
    const { onRetry, onGiveUp } = options;
    if (onRetry !== undefined) this.#waits = new Listeners(options.name, 'onRetry', onRetry);
    if (onGiveUp !== undefined) this.#endings = new Listeners(options.name, 'onGiveUp', onGiveUp);
  }

  onRetry(listener: (event: RetryWait, call: CallContext) => unknown): Disposable {
    this.#waits ??= new Listeners(this.name, 'onRetry');
    return this.#waits.add(listener);
  }

  onGiveUp(listener: (event: GaveUp, call: CallContext) => unknown): Disposable {
    this.#endings ??= new Listeners(this.name, 'onGiveUp');
    return this.#endings.add(listener);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { maxElapsedMs } = this.#options;
    this.#refuseEnded(call);
    // Reading the clock is a fifth of the cost of a call, so it is left out where it is not needed.
    const startedAt =
      maxElapsedMs === Number.POSITIVE_INFINITY ? undefined : this.clock.monotonic();
    const observed = this.#observe().begin(call);

    const timeouts = this.#timeouts;
    const work = timeouts === undefined ? operation : this.#timed(operation, timeouts);
    const began = numberAttempt();
    let attempt = call.attempt === 1 ? call : call.forAttempt(1);
    let failing: FailingCall<T> | undefined;
    for (;;) {
      let outcome: Outcome<T>;
      try {
        const value = await this.#observe().run(observed, attempt, failing?.delayMs ?? 0, work);
        if (!this.#handlesValue(value, attempt)) {
          if (failing !== undefined) attempt.noteFailure(undefined);
          this.#succeeded(attempt.attempt, observed, failing?.returnable ?? 0);
          return value;
        }
        outcome = { ok: true, value };
      } catch (error) {
        outcome = { ok: false, error };
      }
      if (failing !== undefined) failing.outcome = outcome;
      else failing = this.#failing({ call, attempt, observed, number: began, outcome }, startedAt);
      let end = this.#failed(failing);
      if (end === undefined) {
        const { delayMs } = failing;
        const since = delayMs > 0 ? this.clock.monotonic() : 0;
        try {
          await this.#pause(failing);
        } catch (error) {
          end = { outcome: 'aborted', error };
        }
        if (delayMs > 0) call.noteWait(this.clock.monotonic() - since);
        end ??= this.#recheck(failing);
      }
      if (end !== undefined) {
        this.#refund(failing); // of the attempt that is not made
        const final = this.#end(failing, end);
        if (final.ok) return final.value;
        throw final.error;
      }
      attempt = this.#next(failing);
    }
  }

  /** A call of which the first attempt has failed now. */
  #failing<T>(
    first: Pick<FailingCall<T>, 'call' | 'attempt' | 'observed' | 'number' | 'outcome'>,
    startedAt: number | undefined,
  ): FailingCall<T> {
    const { call, attempt, observed, number, outcome } = first;
    const since = this.clock.monotonic();
    const until = (startedAt ?? since) + this.#options.maxElapsedMs;
    const errors: unknown[] = [];
    return {
      call,
      observed,
      began: number,
      since,
      until,
      errors,
      attempt,
      number,
      outcome,
      delayMs: 0,
      returnable: 0,
      taken: 0,
    };
  }

  /** Begins the next attempt. */
  #next(failing: FailingCall<unknown>): Call {
    this.#retries++;
    failing.attempt = failing.call.forAttempt(failing.attempt.attempt + 1);
    failing.number = numberAttempt();
    return failing.attempt;
  }

  /** A wait in a policy around this one may have outlasted the call. */
  #refuseEnded(call: Call): void {
    if (!call.aborted && (call.deadline === undefined || call.remainingMs(this.clock) > 0)) return;
    this.#observe().operations.aborted++;
    throw call.aborted ? call.reason : new DeadlineExceededError(call.operation);
  }

  /** The operation with a timeout for each attempt. */
  #timed<T>(operation: Operation<T>, timeouts: TimeoutQueue): Work<T> {
    const error = (): Error => new OperationTimeoutError(this.name, timeouts.durationMs);
    return (attempt) => runWithTimeout(operation, attempt, timeouts, error);
  }

  #observe(): RetryObserver {
    this.#observer ??= new RetryObserver(this, this.#options);
    return this.#observer;
  }

  #deposit(returned: number): void {
    const { budget } = this.#options;
    if (budget === undefined) this.#earned?.deposit(returned);
    else notify(this.name, 'budget.deposit', () => budget.deposit(returned));
  }

  /** Takes a retry from the budget. @returns `false` when not enough is left */
  #withdraw(failing: FailingCall<unknown>): boolean {
    const { budget } = this.#options;
    const { outcome } = failing;
    const timedOut = !outcome.ok && classify(outcome.error).category === 'timeout';
    const cost = timedOut ? COST_AFTER_TIMEOUT : COST;
    const granted =
      budget === undefined
        ? this.#earned?.withdraw(cost) !== false
        : ask(this.name, 'budget.withdraw', () => budget.withdraw(cost));
    if (granted) failing.taken = cost;
    else tellSpentBudget(`Retry policy '${this.name}'`, budget !== undefined);
    if (!timedOut) failing.returnable += cost;
    return granted;
  }

  /** The attempt that the last retry was taken for is not made, or has not reached the dependency. */
  #refund(failing: FailingCall<unknown>): void {
    const { taken } = failing;
    if (taken === 0) return;
    failing.taken = 0;
    if (taken === COST) failing.returnable -= taken; // after a time-out it would not have come back
    const { budget } = this.#options;
    if (budget === undefined) this.#earned?.refund(taken);
    else notify(this.name, 'budget.refund', () => budget.refund?.(taken));
  }

  /** By default values are not failures; only a predicate of the user's can say otherwise. */
  #handlesValue(value: unknown, attempt: Call): boolean {
    return (
      this.#options.shouldHandle !== undefined &&
      decide(this.name, this.#shouldHandle, { ok: true, value }, attempt)
    );
  }

  #succeeded(attempt: number, observed: Observed | undefined, returned: number): void {
    const { operations, attempts } = this.#observe();
    const outcome = attempt === 1 ? 'success' : 'recovered';
    attempts.success++;
    operations[outcome]++;
    this.#deposit(returned);
    this.#observe().end(observed, outcome, attempt);
  }

  /** An attempt failed. @returns why there is no other; `undefined` when there is one */
  #failed(failing: FailingCall<unknown>): End | undefined {
    const { attempt, outcome, errors, delayMs, observed } = failing;
    if (isUnheard(attempt)) this.#refund(failing);
    failing.taken = 0;
    if (!outcome.ok) attempt.noteFailure(outcome.error);
    if (errors.length === KEPT_ERRORS) errors.splice(1, 1);
    errors.push(failureOf(outcome));
    this.#failedAttempts++;
    this.#observe().attemptFailed(observed, attempt, delayMs, outcome);
    return this.#plan(failing);
  }

  /**
   * Plans the next attempt, after `delayMs`.
   *
   * @returns why there is none; `undefined` when there is one
   */
  #plan(failing: FailingCall<unknown>): End | undefined {
    const { call, attempt, number, outcome } = failing;
    if (call.aborted) return { outcome: 'aborted', error: call.reason };
    const error = failureOf(outcome);
    // Another attempt would repeat items that the caller has seen, or multiply the attempts of a retry
    // inside.
    if (
      isCommitted(attempt) ||
      endedRetries(error, attempt, number) ||
      (!outcome.ok && !decide(this.name, this.#shouldHandle, outcome, attempt))
    ) {
      // The predicate may have ended the call.
      return call.aborted
        ? { outcome: 'aborted', error: call.reason }
        : { outcome: 'failure', error };
    }
    const giveUp = (reason: GiveUpReason): End => ({ outcome: 'exhausted', error, reason });
    const { maxAttempts, maxRetryAfterMs } = this.#options;
    if (attempt.attempt >= maxAttempts) return giveUp('attempts');
    const askedMs = this.#retryAfter(error) ?? 0;
    if (askedMs > maxRetryAfterMs) return giveUp('retry-after');
    const delayMs = Math.max(this.#delay(failing), askedMs);
    if (delayMs >= call.remainingMs(this.clock)) return giveUp('deadline');
    if (this.clock.monotonic() + delayMs > failing.until) return giveUp('elapsed');
    if (!this.#withdraw(failing)) return giveUp('budget');
    failing.delayMs = delayMs;
    this.#observe().delayed(delayMs);
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

  /** How long a failure asks its caller to stay away, in milliseconds. */
  #retryAfter(failure: unknown): number | undefined {
    return this.#options.respectRetryAfter ? retryAfterOf(failure, this.clock.now()) : undefined;
  }

  /** Waits before the next attempt. @throws the reason (as a rejection) when the call is aborted */
  #pause(failing: FailingCall<unknown>): Promise<void> | undefined {
    const { call, attempt, delayMs, outcome } = failing;
    const pause = delayMs > 0 || attempt.attempt % IMMEDIATE_RETRIES === 0;
    const wait = pause ? this.clock.sleep(delayMs, call.abortable) : undefined;
    // After the timer is armed, so that the hook can advance a manual clock.
    if (this.#waits?.empty === false) this.#waits.emit({ ...this.#event(failing), delayMs }, call);
    discardBody(failureOf(outcome));
    return wait;
  }

  /** What a wait may have changed: the call was ended, or the event loop was blocked for too long. */
  #recheck({ call, outcome, until }: FailingCall<unknown>): End | undefined {
    if (call.aborted) return { outcome: 'aborted', error: call.reason };
    const exhausted = { outcome: 'exhausted', error: failureOf(outcome) } as const;
    if (call.remainingMs(this.clock) <= 0) return { ...exhausted, reason: 'deadline' };
    return this.clock.monotonic() > until ? { ...exhausted, reason: 'elapsed' } : undefined;
  }

  /** Ends a failed call. A value that counts as a failure is still returned. */
  #end<T>(failing: FailingCall<T>, { outcome: ended, error: last, reason }: End): Outcome<T> {
    const { call, attempt, outcome, observed } = failing;
    const error = reason === undefined ? last : this.#exhausted(failing, reason);
    const final = outcome.ok && ended !== 'aborted' ? outcome : { ok: false as const, error };
    this.#observe().operations[ended]++;
    this.#observe().end(observed, ended, attempt.attempt, final, reason);
    if (this.#endings?.empty === false) {
      this.#endings.emit({ ...this.#event(failing), error }, call);
    }
    if (ended === 'aborted') discardBody(failureOf(outcome));
    return final;
  }

  /** @returns what the call ends with: the last error or value, or the error around it */
  #exhausted(failing: FailingCall<unknown>, reason: GiveUpReason): unknown {
    const { call, began, since, attempt, outcome, errors, observed } = failing;
    const failure = failureOf(outcome);
    const details: ExhaustedDetails = {
      policy: this.name,
      reason,
      attempts: attempt.attempt,
      elapsedMs: this.clock.monotonic() - since,
      errors,
      retryAfterMs: this.#retryAfter(failure),
    };
    this.#observe().exhausted(observed, details, outcome);
    rememberRetries(failure, call, began, outcome.ok ? undefined : details);
    if (outcome.ok || !this.#options.wrapExhausted) return failure;
    const error = new RetryExhaustedError(details);
    rememberRetries(error, call, began, details);
    return error;
  }

  #event({ attempt, outcome, call }: FailingCall<unknown>): RetryEvent {
    return { policy: this.name, attempt: attempt.attempt, outcome, operation: call.operation };
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
    const { operations, attempts } = this.#observe();
    return {
      operations: { ...operations },
      attempts: attempts.success + this.#failedAttempts,
      retries: this.#retries,
    };
  }

  [Symbol.dispose](): void {
    this.#observe()[Symbol.dispose]();
  }
}

function ownBudget(options: ResolvedRetryOptions): EarnedRetries | undefined {
  const { budget, maxExtraLoad, maxAttempts, clock } = options;
  const burst = BURST_CALLS * (maxAttempts - 1);
  if (budget !== undefined || burst === 0) return undefined;
  if (burst === Number.POSITIVE_INFINITY || maxExtraLoad === Number.POSITIVE_INFINITY) {
    return undefined;
  }
  return new EarnedRetries({ ratio: maxExtraLoad, burst, windowMs: EARNED_FOR_MS, clock });
}

/** What an attempt failed with: an error, or a value that counts as a failure. */
function failureOf(outcome: Outcome<unknown>): unknown {
  return outcome.ok ? outcome.value : outcome.error;
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
  const resolved = resolveRetryOptions(options);
  const policy = new Retry(resolved);
  const { repeats, firstDelayMs: least = 0 } = policy.describe();
  if (repeats && resolved.maxElapsedMs < least) {
    throw new RangeError(
      `retry: maxElapsedMs must leave time for the first wait, which is ${least} ms at least, got ${resolved.maxElapsedMs}.`,
    );
  }
  return policy;
}
