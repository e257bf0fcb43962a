import { type Classification, TemperError } from '@temper/core';

/** Why a limiter refused a call. */
export type RejectionReason =
  /** The limit is used up, and the caller or the options allow no wait. */
  | 'limit'
  /** `maxQueue` calls are waiting already. */
  | 'queue-full'
  /** The turn would come after the call's deadline or `maxWaitMs`. */
  | 'deadline'
  /** The cost is more than can ever be had at once. */
  | 'cost'
  /** The call is a part, by its `parent`, of calls that hold the permits, and would wait for itself. */
  | 'calls-itself'
  /** Each of a keyed limiter's `maxKeys` keys is in use. */
  | 'keys'
  /** The dependency is overloaded, and a throttle shed this call. */
  | 'shed';

/** The facts of a {@link RateLimitExceededError}. */
export interface RateLimitExceeded {
  readonly reason: RejectionReason;
  /** The limit that was met: units per window, or permits. */
  readonly limit: number;
  /** Units that were left, never negative. */
  readonly remaining: number;
  /**
   * When to try again, in milliseconds. `Infinity` when the call can never pass; `undefined` when
   * unknown, as with permits that come back when their holders finish.
   */
  readonly retryAfterMs: number | undefined;
  /** Units that the call asked for. */
  readonly cost: number;
}

const BECAUSE: Readonly<Record<RejectionReason, string>> = {
  limit: 'its limit is used up',
  'queue-full': 'its limit is used up and its queue is full',
  deadline: 'the turn would come too late',
  cost: 'the cost is more than can ever be available at once',
  'calls-itself': 'it is a part of the calls that hold the limit, and would wait for itself',
  keys: 'all keys that it has room for are in use',
  shed: 'the dependency is overloaded',
};

/** A limiter refused the call: the operation was not called. */
export class RateLimitExceededError extends TemperError implements RateLimitExceeded {
  readonly reason: RejectionReason;
  readonly limit: number;
  readonly remaining: number;
  readonly retryAfterMs: number | undefined;
  readonly cost: number;

  constructor(policy: string, exceeded: RateLimitExceeded) {
    const { reason, limit, remaining, retryAfterMs, cost } = exceeded;
    const call = cost === 1 ? 'a call' : `a call of cost ${cost}`;
    super(
      `Limiter '${policy}' refused ${call}: ${BECAUSE[reason]} (limit ${limit}, ${Math.floor(remaining)} left). ${adviceFor(retryAfterMs)}.`,
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

  override get refused(): boolean {
    return true;
  }

  override get classification(): Classification {
    const transient = this.retryAfterMs !== Number.POSITIVE_INFINITY;
    return { category: 'resource', severity: 'medium', transient };
  }
}

function adviceFor(retryAfterMs: number | undefined): string {
  if (retryAfterMs === undefined) return 'Try again when other calls have ended';
  if (retryAfterMs === Number.POSITIVE_INFINITY) return 'It can never pass';
  return `Try again in ${Math.ceil(retryAfterMs)} ms`;
}
