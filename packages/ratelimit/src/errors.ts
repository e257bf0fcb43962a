import { type Classification, TemperError } from '@temper/core';

/** Why a limiter refused. */
export type RejectionReason =
  /** The limit is used up, and the caller or the options allow no wait. */
  | 'limit'
  /** As many as `maxQueue` are waiting already. */
  | 'queue-full'
  /** The turn would come after the deadline or `maxWaitMs`. */
  | 'deadline'
  /** The cost is more than the limiter can ever give at once. */
  | 'cost'
  /** Every one of a keyed limiter's `maxKeys` is in use at this moment. */
  | 'keys'
  /** The backend is overloaded, and this call was the one to shed. */
  | 'shed';

/** What a {@link RateLimitExceededError} tells. */
export interface RateLimitExceeded {
  readonly reason: RejectionReason;
  /** The limit that was met: units per window, or permits. */
  readonly limit: number;
  /** Units that were left, never negative. */
  readonly remaining: number;
  /**
   * When it is worth coming back, in milliseconds. `Infinity` when it never is; `undefined` when
   * nobody can tell, as with permits that come back when their holders finish.
   */
  readonly retryAfterMs: number | undefined;
  /** Units that were asked for. */
  readonly cost: number;
}

const BECAUSE: Readonly<Record<RejectionReason, string>> = {
  limit: 'its limit is used up',
  'queue-full': 'its limit is used up and its queue is full',
  deadline: 'the turn would come too late',
  cost: 'that is more than it can ever give at once',
  keys: 'every key it has room for is in use',
  shed: 'the backend is overloaded',
};

/** The limiter refused. Says nothing about the health of anything: see {@link StoreUnavailableError}. */
export class RateLimitExceededError extends TemperError {
  readonly reason: RejectionReason;
  readonly limit: number;
  readonly remaining: number;
  readonly retryAfterMs: number | undefined;
  readonly cost: number;

  constructor(policy: string, exceeded: RateLimitExceeded) {
    const { reason, limit, remaining, retryAfterMs, cost } = exceeded;
    super(
      `'${policy}' refused ${cost === 1 ? 'a call' : `a call of cost ${cost}`}, as ${BECAUSE[reason]} (limit ${limit}, ${Math.floor(remaining)} left); ${comeBack(retryAfterMs)}.`,
      { code: 'RATE_LIMIT_EXCEEDED', policy },
    );
    this.reason = reason;
    this.limit = limit;
    this.remaining = remaining;
    this.retryAfterMs = retryAfterMs;
    this.cost = cost;
  }

  override get name(): string {
    return 'RateLimitExceededError';
  }

  override get classification(): Classification {
    return {
      category: 'resource',
      severity: 'medium',
      transient: this.retryAfterMs !== Number.POSITIVE_INFINITY,
    };
  }
}

function comeBack(retryAfterMs: number | undefined): string {
  if (retryAfterMs === undefined) return 'try again when other calls have ended';
  if (retryAfterMs === Number.POSITIVE_INFINITY) return 'it can never pass';
  return `try again in ${Math.ceil(retryAfterMs)} ms`;
}

/**
 * The shared store did not answer: slow, gone, read-only, out of memory. Nothing is known about the
 * limit. The cause is what the store's client said.
 */
export class StoreUnavailableError extends TemperError {
  constructor(policy: string, cause: unknown) {
    const said = cause instanceof Error ? cause.message : String(cause);
    super(`'${policy}' cannot reach its store: ${said}`, {
      code: 'STORE_UNAVAILABLE',
      policy,
      cause,
    });
  }

  override get name(): string {
    return 'StoreUnavailableError';
  }

  override get classification(): Classification {
    return { category: 'network', severity: 'high', transient: true };
  }
}
