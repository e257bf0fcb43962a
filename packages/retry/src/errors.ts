import { type Classification, classify, TemperError } from '@temper/core';
import { messageOf, type RetryDetails } from '@temper/core/policy';

/**
 * Why there was no further attempt: `maxAttempts` were made; the next would begin after the call's
 * deadline, or after `maxElapsedMs`; the budget had no retry left; or the failure asked its caller to
 * stay away for longer than `maxRetryAfterMs`.
 */
export type GiveUpReason = 'attempts' | 'deadline' | 'elapsed' | 'budget' | 'retry-after';

const BECAUSE: Readonly<Record<GiveUpReason, string>> = {
  attempts: '',
  deadline: ' (the deadline leaves no time for another)',
  elapsed: ' (maxElapsedMs leaves no time for another)',
  budget: ' (the retry budget is spent)',
  'retry-after': ' (the wait that was asked for exceeds maxRetryAfterMs)',
};

/** {@link RetryDetails} with a reason of this package. */
export type ExhaustedDetails = RetryDetails & { readonly reason: GiveUpReason };

/**
 * Thrown after the last attempt when the option `wrapExhausted` is set; by default the last error is
 * thrown unchanged, and `retryDetails(error)` returns what is in here.
 */
export class RetryExhaustedError extends TemperError implements RetryDetails {
  readonly reason: GiveUpReason;
  readonly attempts: number;
  readonly elapsedMs: number;
  readonly errors: readonly unknown[];
  readonly retryAfterMs: number | undefined;

  constructor(details: ExhaustedDetails) {
    super(describeExhausted(details), {
      code: 'RETRY_EXHAUSTED',
      policy: details.policy,
      cause: details.errors.at(-1),
    });
    this.reason = details.reason;
    this.attempts = details.attempts;
    this.elapsedMs = details.elapsedMs;
    this.errors = details.errors;
    this.retryAfterMs = details.retryAfterMs;
  }

  override get name(): string {
    return 'RetryExhaustedError';
  }

  /** As its cause, but never transient: an outer retry must not multiply the attempts. */
  override get classification(): Classification {
    const verdict = classify(this.cause);
    // The object itself tells more than its copy: whose mistake it was.
    return verdict.transient ? { ...verdict, transient: false } : verdict;
  }
}

/** Which policy gave up, after what, and what the last attempt failed with. */
export function describeExhausted(details: ExhaustedDetails): string {
  const { policy, attempts, elapsedMs, reason, errors } = details;
  const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  const took = attempts === 1 ? '' : ` and ${Math.round(elapsedMs)} ms of retries`;
  return `Retry policy '${policy}' failed after ${tries}${took}${BECAUSE[reason]}: ${messageOf(errors.at(-1))}`;
}
