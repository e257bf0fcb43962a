import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type Random,
  SPAN_MODES,
  type SpanMode,
  show,
  systemClock,
  systemRandom,
} from '@temper/core';
import type { RetryBudget } from './budget.ts';

/**
 * How the wait is spread, so that clients that failed together do not come back together:
 * `none` keeps it; `full` takes anything from 0 to it; `equal` anything from half of it to it;
 * `decorrelated` anything from `initialDelayMs` to three times the previous wait; `{ ratio: 0.2 }`
 * anything within 20 % to either side.
 *
 * Source of `full`, `equal` and `decorrelated`: M. Brooker, "Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015.
 */
export type Jitter = 'none' | 'full' | 'equal' | 'decorrelated' | { readonly ratio: number };

/** How the wait grows from try to try. */
export type Backoff = 'constant' | 'linear' | 'exponential';

/** What came of one attempt. */
export type AttemptOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** What a failed attempt tells to hooks and to a custom delay. */
export interface RetryEvent {
  readonly policy: string;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  /** {@link ExecuteOptions.operation} of the call. */
  readonly operation: string | undefined;
}

/** Options of {@link retry}. */
export interface RetryOptions {
  /**
   * Names the policy in errors, spans and metrics. Policies of one name share their series.
   *
   * @defaultValue 'retry'
   */
  readonly name?: string;
  /**
   * Most times the operation is called, the first included.
   *
   * @defaultValue 3
   * @throws {RangeError} at construction, unless an integer >= 1 (`Infinity` allowed)
   */
  readonly maxAttempts?: number;
  /**
   * How the wait grows: the same each time, by `initialDelayMs` each time, or by `multiplier`.
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
   * How the wait is spread. A ratio lies between 0 and 1.
   *
   * @defaultValue { ratio: 0.2 }
   */
  readonly jitter?: Jitter;
  /**
   * Your own wait in milliseconds, in place of backoff and jitter; `undefined` falls back to them.
   * The cap holds for it too. One that throws, or says NaN or less than 0, counts as `undefined`.
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
   * Whether an error is worth another attempt. Not asked about an abort of the call. A predicate
   * that throws, or returns a promise, is reported, and has said no.
   *
   * @defaultValue transient errors, as core's `classify` sees them
   */
  readonly isRetryable?: (error: unknown, event: RetryEvent) => boolean;
  /**
   * Whether a returned value means failure, and is worth another attempt. When attempts run out the
   * last value is returned as it is.
   *
   * @defaultValue no value does
   */
  readonly isFailure?: (value: unknown) => boolean;
  /**
   * Longest time for one attempt, in milliseconds. It then aborts, and counts as failed with
   * `OperationTimeoutError`.
   *
   * @defaultValue none
   * @throws {RangeError} at construction, unless > 0
   */
  readonly attemptTimeoutMs?: number;
  /**
   * No further attempt begins when it would begin later than this after the call did, in
   * milliseconds. Running attempts are not cut short; use a deadline for that.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly maxElapsedMs?: number;
  /**
   * Bounds the retries of many calls together, so that an outage is not multiplied. Share one among
   * retries and hedges; see {@link retryBudget}.
   *
   * @defaultValue none
   */
  readonly budget?: RetryBudget;
  /** Called before each wait, with its length in milliseconds. What it throws is reported, no more. */
  readonly onRetry?: (event: RetryEvent & { readonly delayMs: number }) => void;
  /** Called when a call fails for good, with what it fails with. What it throws is reported, no more. */
  readonly onGiveUp?: (event: RetryEvent & { readonly error: unknown }) => void;
  /**
   * Which calls get spans.
   *
   * @defaultValue 'all'
   */
  readonly spans?: SpanMode;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The defaults, as the README's table shows them. */
export const RETRY_DEFAULTS: {
  readonly name: 'retry';
  readonly maxAttempts: 3;
  readonly backoff: 'exponential';
  readonly initialDelayMs: 100;
  readonly maxDelayMs: 30_000;
  readonly multiplier: 2;
  readonly jitter: { readonly ratio: 0.2 };
  readonly respectRetryAfter: true;
  readonly maxRetryAfterMs: 30_000;
  readonly maxElapsedMs: number;
  readonly spans: 'all';
} = {
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
  spans: 'all',
};

/** What is left of the options when they have been checked: nothing optional but the hooks. */
export type ResolvedRetryOptions = Required<
  Omit<
    RetryOptions,
    'delay' | 'isRetryable' | 'isFailure' | 'attemptTimeoutMs' | 'budget' | 'onRetry' | 'onGiveUp'
  >
> &
  Pick<
    RetryOptions,
    'delay' | 'isRetryable' | 'isFailure' | 'attemptTimeoutMs' | 'budget' | 'onRetry' | 'onGiveUp'
  >;

const HOOKS = ['delay', 'isRetryable', 'isFailure', 'onRetry', 'onGiveUp'] as const;
const KNOWN = [
  ...Object.keys(RETRY_DEFAULTS),
  ...HOOKS,
  'attemptTimeoutMs',
  'budget',
  'clock',
  'random',
];

/** Holds the options to their ranges and fills in the defaults. */
export function resolveRetryOptions(options: RetryOptions): ResolvedRetryOptions {
  checkKnown('retry', options, KNOWN);
  const all = {
    ...RETRY_DEFAULTS,
    clock: systemClock,
    random: systemRandom,
    ...withoutUndefined(options),
  };
  const owner = 'retry';
  checkName(owner, all.name);
  checkNumber(owner, 'maxAttempts', all.maxAttempts, { min: 1, integer: true });
  checkOneOf(owner, 'backoff', all.backoff, ['constant', 'linear', 'exponential']);
  checkNumber(owner, 'initialDelayMs', all.initialDelayMs, { min: 0, infinite: false });
  // Below the default cap, an initial delay above it would be refused for an option nobody gave.
  const maxDelayMs = options.maxDelayMs ?? Math.max(all.maxDelayMs, all.initialDelayMs);
  checkNumber(owner, 'maxDelayMs', maxDelayMs, { min: all.initialDelayMs, infinite: false });
  checkNumber(owner, 'multiplier', all.multiplier, { min: 1, infinite: false });
  checkJitter(all.jitter);
  checkType(owner, 'respectRetryAfter', all.respectRetryAfter, 'boolean');
  checkNumber(owner, 'maxRetryAfterMs', all.maxRetryAfterMs, { min: 0 });
  checkNumber(owner, 'maxElapsedMs', all.maxElapsedMs, { min: 0 });
  if (all.attemptTimeoutMs !== undefined) {
    checkNumber(owner, 'attemptTimeoutMs', all.attemptTimeoutMs, {
      min: 0,
      aboveMin: true,
      infinite: false,
    });
  }
  for (const hook of HOOKS) {
    if (all[hook] !== undefined) checkType(owner, hook, all[hook], 'function');
  }
  if (all.budget !== undefined) {
    checkType(owner, 'budget', all.budget, 'object');
    checkType(owner, 'budget.deposit', all.budget.deposit, 'function');
    checkType(owner, 'budget.withdraw', all.budget.withdraw, 'function');
  }
  checkOneOf(owner, 'spans', all.spans, SPAN_MODES);
  checkClock(owner, all.clock);
  checkType(owner, 'random', all.random, 'function');
  return { ...all, maxDelayMs };
}

function checkJitter(jitter: unknown): void {
  if (typeof jitter === 'object' && jitter !== null) {
    checkKnown('retry: jitter', jitter, ['ratio']);
    checkNumber('retry', 'jitter.ratio', (jitter as { ratio?: unknown }).ratio, { min: 0, max: 1 });
    return;
  }
  const words: readonly unknown[] = ['none', 'full', 'equal', 'decorrelated'];
  if (!words.includes(jitter)) {
    throw new TypeError(
      `retry: jitter must be one of ${words.map(show).join(', ')} or { ratio: 0..1 }, got ${show(jitter)}.`,
    );
  }
}

function withoutUndefined(options: RetryOptions): RetryOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as RetryOptions;
}
