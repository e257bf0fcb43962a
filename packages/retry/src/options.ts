import {
  type CallContext,
  type Clock,
  type Outcome,
  type Random,
  type ShouldHandle,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  checkKnown,
  checkNumber,
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  show,
  systemRandom,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';

/**
 * How a wait is randomised, so that clients that failed together do not retry together. `none` does
 * not change it, `full` draws from 0 to the wait, `equal` from half of it to all of it,
 * `decorrelated` from `initialDelayMs` to three times the previous wait, and `{ ratio: 0.2 }` within
 * 20 % on either side.
 *
 * Source of `full`, `equal` and `decorrelated`: M. Brooker, "Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015.
 */
export type Jitter = 'none' | 'full' | 'equal' | 'decorrelated' | { readonly ratio: number };

/** How the wait grows from attempt to attempt. */
export type Backoff = 'constant' | 'linear' | 'exponential';

/** What retries and hedges ask before they add load. Any object of this shape will do. */
export interface RetryBudget {
  /**
   * A call has succeeded: it adds its share of a retry to the budget.
   *
   * @param returned - retries that it gives back: those that it took after failures other than time-outs
   */
  deposit(returned: number): void;
  /**
   * Takes a retry from the budget; `false` when not enough is left.
   *
   * @param cost - 1, or 2 after a time-out: the attempt that is over has left work behind
   */
  withdraw(cost: number): boolean;
  /**
   * A retry that was granted was not made: its call was ended before, or it was refused or held back by a Temper
   * policy inside, so that the dependency heard nothing of it. Without this method, what it took stays spent.
   *
   * @param cost - what was withdrawn for it
   */
  refund?(cost: number): void;
}

/** A failed attempt, as hooks and a custom delay see it. */
export interface RetryEvent {
  readonly policy: string;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly outcome: Outcome<unknown>;
  /** `operation` of the call's options. */
  readonly operation: string | undefined;
}

/** A wait that begins: its length in milliseconds, and the failed attempt before it. */
export type RetryWait = RetryEvent & { readonly delayMs: number };

/** A call that failed for good, with the error or value that it ends with. */
export type GaveUp = RetryEvent & { readonly error: unknown };

/** Options of {@link retry}. */
export interface RetryOptions {
  /**
   * Names the policy in errors, spans and metrics. Policies of one name share their series.
   *
   * @defaultValue 'retry'
   */
  readonly name?: string;
  /**
   * Most attempts per call, the first included.
   *
   * @defaultValue 3
   * @throws {RangeError} at construction, unless an integer >= 1 (`Infinity` allowed)
   */
  readonly maxAttempts?: number;
  /**
   * How the wait grows: not at all, by `initialDelayMs` each time, or by the factor `multiplier`.
   *
   * @defaultValue 'exponential'
   */
  readonly backoff?: Backoff;
  /**
   * Wait before the second attempt, in milliseconds, before jitter.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly initialDelayMs?: number;
  /**
   * Longest wait between two attempts, in milliseconds, after jitter. A `Retry-After` may ask for
   * more, up to {@link maxRetryAfterMs}.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless finite and >= `initialDelayMs`
   */
  readonly maxDelayMs?: number;
  /**
   * Factor between two waits of the exponential backoff.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly multiplier?: number;
  /**
   * How waits are randomised. A ratio lies between 0 and 1.
   *
   * @defaultValue { ratio: 0.2 }
   */
  readonly jitter?: Jitter;
  /**
   * Computes the wait in milliseconds in place of backoff and jitter; `undefined` falls back to them.
   * {@link maxDelayMs} applies to it too. An error, `NaN` and a negative number are logged and count as
   * `undefined`.
   *
   * @defaultValue none
   */
  readonly delay?: (event: RetryEvent) => number | undefined;
  /**
   * Whether to wait at least as long as the failure asks for, by `retryAfterMs` or a `Retry-After`
   * field on the error or result (seconds or HTTP date).
   *
   * @defaultValue true
   */
  readonly respectRetryAfter?: boolean;
  /**
   * Longest time that a `Retry-After` is waited for, in milliseconds. A longer one ends the retries,
   * as coming back early would only be refused again.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly maxRetryAfterMs?: number;
  /**
   * Whether an outcome is retried: an error, or a value that counts as a failure. Not asked about an
   * error of a call that has ended, which is never retried. When attempts run out, the last error is
   * thrown and the last value returned.
   *
   * @defaultValue `isTransient`: errors that are transient, no values
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Longest time for one attempt, in milliseconds. The attempt is then aborted, and fails with
   * `OperationTimeoutError`.
   *
   * @defaultValue none
   * @throws {RangeError} at construction, unless > 0
   */
  readonly attemptTimeoutMs?: number;
  /**
   * No attempt begins later than this after the beginning of the call, in milliseconds. A running
   * attempt is not cut short; that is what the call option `timeoutMs` is for.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 0, and where it is less than the shortest first wait, so that
   * no attempt could follow the first
   */
  readonly maxElapsedMs?: number;
  /**
   * Retries that each call earns that succeeds. So many more are there at first as 25 calls can make; only
   * successes bring them back. A retry after a time-out costs two, any other is given back when its call succeeds.
   * What was earned beyond the first ones is kept for ten seconds on average. A dependency that answers nothing in
   * time is thus soon sent no more than the calls. `Infinity` sets no bound, and there is none with endless
   * {@link maxAttempts}. Not used when there is a {@link budget}.
   *
   * @defaultValue 0.2
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly maxExtraLoad?: number;
  /**
   * Bounds the retries of many policies together, in place of {@link maxExtraLoad}. Share one among the retries
   * and hedges that call the same dependency; see {@link retryBudget}.
   *
   * @defaultValue none
   */
  readonly budget?: RetryBudget;
  /**
   * Whether to throw a `RetryExhaustedError` after the last attempt, with the last error as its cause.
   * By default the last error is thrown unchanged, and `retryDetails(error)` returns the attempts.
   *
   * @defaultValue false
   */
  readonly wrapExhausted?: boolean;
  /** Called when a wait begins and its timer is armed. What it throws is logged. */
  readonly onRetry?: (event: RetryWait, call: CallContext) => void;
  /** Called when a call fails for good. What it throws is logged. */
  readonly onGiveUp?: (event: GaveUp, call: CallContext) => void;
  /**
   * Which calls get spans: all, those with a failed attempt, or none.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: SpanMode;
  /**
   * Where the telemetry of the policy goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The options that may stay unset. */
type Unset =
  | 'telemetry'
  | 'delay'
  | 'shouldHandle'
  | 'attemptTimeoutMs'
  | 'budget'
  | 'onRetry'
  | 'onGiveUp';

/** Options that were checked, with their defaults filled in. */
export type ResolvedRetryOptions = Resolved<RetryOptions, Unset>;

/** The defaults, as the README's table shows them. */
export const RETRY_DEFAULTS: Defaults<RetryOptions, Unset> = {
  name: 'retry',
  maxAttempts: 3,
  backoff: 'exponential',
  initialDelayMs: 100,
  maxDelayMs: 30_000,
  multiplier: 2,
  jitter: { ratio: 0.2 },
  respectRetryAfter: true,
  maxRetryAfterMs: 30_000,
  maxElapsedMs: Number.POSITIVE_INFINITY,
  maxExtraLoad: 0.2,
  wrapExhausted: false,
  spans: DEFAULT_SPANS,
  clock: systemClock,
  random: systemRandom,
};

const CALLBACK = typeRule('function');
const RULES: { readonly [K in keyof RetryOptions]-?: OptionRule } = {
  name: nameRule,
  maxAttempts: numberRule({ min: 1, integer: true }),
  backoff: oneOfRule(['constant', 'linear', 'exponential']),
  initialDelayMs: numberRule({ min: 0, infinite: false }),
  maxDelayMs: numberRule({ min: 0, infinite: false }),
  multiplier: numberRule({ min: 1, infinite: false }),
  jitter: checkJitter,
  delay: CALLBACK,
  respectRetryAfter: typeRule('boolean'),
  maxRetryAfterMs: numberRule({ min: 0 }),
  shouldHandle: CALLBACK,
  attemptTimeoutMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
  maxElapsedMs: numberRule({ min: 0 }),
  maxExtraLoad: numberRule({ min: 0 }),
  budget: methodsRule('deposit', 'withdraw'),
  wrapExhausted: typeRule('boolean'),
  onRetry: CALLBACK,
  onGiveUp: CALLBACK,
  spans: oneOfRule(SPAN_MODES),
  telemetry: telemetryRule,
  clock: clockRule,
  random: CALLBACK,
};

/** Holds the options to their ranges and fills in the defaults. */
export function resolveRetryOptions(options: RetryOptions): ResolvedRetryOptions {
  const all = resolveOptions<RetryOptions, Unset>('retry', options, RETRY_DEFAULTS, RULES);
  if (options.maxDelayMs !== undefined) {
    checkNumber('retry', 'maxDelayMs', all.maxDelayMs, { min: all.initialDelayMs });
  }
  // An initial delay above the default cap raises the cap: the user did not set one.
  return Object.assign(all, { maxDelayMs: Math.max(all.maxDelayMs, all.initialDelayMs) });
}

function checkJitter(owner: string, option: string, jitter: unknown): void {
  if (typeof jitter === 'object' && jitter !== null) {
    checkKnown(`${owner}: ${option}`, jitter, ['ratio']);
    const { ratio } = jitter as { ratio?: unknown };
    checkNumber(owner, `${option}.ratio`, ratio, { min: 0, max: 1 });
    return;
  }
  const words: readonly unknown[] = ['none', 'full', 'equal', 'decorrelated'];
  if (!words.includes(jitter)) {
    throw new TypeError(
      `${owner}: ${option} must be one of ${words.map(show).join(', ')} or { ratio: 0..1 }, got ${show(jitter)}.`,
    );
  }
}
