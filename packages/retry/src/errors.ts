import { type Classification, classify, messageOf, TemperError } from '@temper/core';

/** Why there was no further attempt. */
export type GiveUpReason =
  /** `maxAttempts` were made. */
  | 'attempts'
  /** The next attempt would begin after the call's deadline. */
  | 'deadline'
  /** The next attempt would begin after `maxElapsedMs`. */
  | 'elapsed'
  /** The shared budget had no retry left. */
  | 'budget'
  /** The failure asked to stay away for longer than `maxRetryAfterMs`. */
  | 'retry-after';

const BECAUSE: Readonly<Record<GiveUpReason, string>> = {
  attempts: 'no attempt is left',
  deadline: 'the deadline leaves no time for another',
  elapsed: 'maxElapsedMs leaves no time for another',
  budget: 'the retry budget is spent',
  'retry-after': 'it was asked to stay away for longer than maxRetryAfterMs',
};

/** Every attempt failed with something worth retrying, and there will be no other. */
export class RetryExhaustedError extends TemperError {
  readonly reason: GiveUpReason;
  /** How many attempts were made. */
  readonly attempts: number;
  /**
   * Time since the first attempt began, in milliseconds, where the call was timed (a meter provider
   * is registered, or `maxElapsedMs` is set); otherwise since the first attempt failed.
   */
  readonly elapsedMs: number;
  /**
   * What each attempt failed with, in order. The last is also the `cause`. Of more than a thousand,
   * the first and the last ones.
   */
  readonly errors: readonly unknown[];
  /** How long the last failure asked to stay away, in milliseconds, if it did. */
  readonly retryAfterMs: number | undefined;

  constructor(
    policy: string,
    reason: GiveUpReason,
    errors: readonly unknown[],
    elapsedMs: number,
    retryAfterMs?: number,
    attempts: number = errors.length,
  ) {
    const last = errors.at(-1);
    const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
    super(
      `'${policy}' gave up after ${tries} in ${Math.round(elapsedMs)} ms, as ${BECAUSE[reason]}: ${messageOf(last)}`,
      { code: 'RETRY_EXHAUSTED', policy, cause: last },
    );
    this.reason = reason;
    this.attempts = attempts;
    this.elapsedMs = elapsedMs;
    this.errors = errors;
    this.retryAfterMs = retryAfterMs;
  }

  override get name(): string {
    return 'RetryExhaustedError';
  }

  /** As its cause, but never transient: an outer retry must not multiply the attempts. */
  override get classification(): Classification {
    return { ...classify(this.cause), transient: false };
  }
}
