import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  SPAN_MODES,
  type SpanMode,
  systemClock,
} from '@temper/core';
import { RateLimitExceededError } from './errors.ts';
import { TOLERANCE } from './rules.ts';

/** Options that every limiter has. */
export interface QueueOptions {
  /**
   * Names the limiter in errors, spans and metrics. Limiters of one name share their series.
   *
   * @defaultValue the kind of limiter, such as `token-bucket`
   */
  readonly name?: string;
  /**
   * Most calls that wait at a time; one more is refused at once. 0 turns waiting off.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 0 (`Infinity` allowed)
   */
  readonly maxQueue?: number;
  /**
   * Longest wait for a turn, in milliseconds. A call whose turn cannot come by then is refused at
   * once. A call's own deadline counts besides.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly maxWaitMs?: number;
  /**
   * Called with each refusal of `acquire`, `execute` and wrapped functions. What it throws is
   * reported, no more.
   *
   * @defaultValue none
   */
  readonly onReject?: (error: RateLimitExceededError) => void;
  /**
   * Which waits and refusals get spans. Calls that pass at once never do.
   *
   * @defaultValue 'all'
   */
  readonly spans?: SpanMode;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** Options of the limiters that count units in time. */
export interface RateOptions extends QueueOptions {
  /**
   * Units per window.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless finite and > 0 (for windows: >= 1)
   */
  readonly limit?: number;
  /**
   * Length of the window, in milliseconds.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly windowMs?: number;
}

/** Options of {@link tokenBucket} and {@link gcra}. */
export interface BurstOptions extends RateOptions {
  /**
   * Units that can be taken at once after a rest: the depth of the bucket.
   *
   * @defaultValue 10, or `limit` when that is less
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly burst?: number;
}

/** Options of {@link slidingWindow}. */
export interface SlidingWindowOptions extends RateOptions {
  /**
   * In how many parts the window is counted. More parts come closer to the limit under constant
   * pressure (`segments / (segments + 1)` of it) and take 8 bytes of state each.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer from 1 to 10_000
   */
  readonly segments?: number;
}

/** Options of {@link concurrency}. */
export interface ConcurrencyOptions extends QueueOptions {
  /**
   * Most units in use at a time.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly limit?: number;
}

/** The defaults, as the README's tables show them. */
export const RATELIMIT_DEFAULTS: {
  readonly limit: 100;
  readonly windowMs: 60_000;
  readonly burst: 10;
  readonly segments: 10;
  readonly maxQueue: 1000;
  readonly maxWaitMs: number;
  readonly spans: 'all';
} = {
  limit: 100,
  windowMs: 60_000,
  burst: 10,
  segments: 10,
  maxQueue: 1000,
  maxWaitMs: Number.POSITIVE_INFINITY,
  spans: 'all',
};

/** The defaults of {@link concurrency}. */
export const CONCURRENCY_DEFAULTS: { readonly limit: 10 } = { limit: 10 };

/** {@link QueueOptions} when they have been checked. */
export type ResolvedQueueOptions = Required<Omit<QueueOptions, 'onReject'>> & {
  readonly onReject: QueueOptions['onReject'] | undefined;
};

const QUEUE_OPTIONS = ['name', 'maxQueue', 'maxWaitMs', 'onReject', 'spans', 'clock'] as const;

/** Holds the common options to their ranges and fills in the defaults. */
export function resolveQueueOptions(
  owner: string,
  name: string,
  options: QueueOptions,
  own: readonly string[],
): ResolvedQueueOptions {
  checkKnown(owner, options, [...own, ...QUEUE_OPTIONS]);
  const {
    maxQueue = RATELIMIT_DEFAULTS.maxQueue,
    maxWaitMs = RATELIMIT_DEFAULTS.maxWaitMs,
    spans = RATELIMIT_DEFAULTS.spans,
    onReject,
  } = options;
  checkNumber(owner, 'maxQueue', maxQueue, { min: 0, integer: true });
  checkNumber(owner, 'maxWaitMs', maxWaitMs, { min: 0 });
  checkOneOf(owner, 'spans', spans, SPAN_MODES);
  if (onReject !== undefined) checkType(owner, 'onReject', onReject, 'function');
  return {
    name: checkName(owner, options.name ?? name),
    maxQueue,
    maxWaitMs,
    spans,
    clock: options.clock === undefined ? systemClock : checkClock(owner, options.clock),
    onReject,
  };
}

/** `limit` and `windowMs`, checked. */
export function resolveRate(
  owner: string,
  options: RateOptions,
  least: 'above 0' | 'at least 1',
): { readonly limit: number; readonly windowMs: number } {
  const { limit = RATELIMIT_DEFAULTS.limit, windowMs = RATELIMIT_DEFAULTS.windowMs } = options;
  checkNumber(owner, 'limit', limit, {
    min: least === 'above 0' ? 0 : 1,
    aboveMin: least === 'above 0',
    infinite: false,
  });
  checkNumber(owner, 'windowMs', windowMs, { min: 0, aboveMin: true, infinite: false });
  return { limit, windowMs };
}

/** `burst`, checked. Without one, a limit below the default depth is not exceeded by it. */
export function resolveBurst(owner: string, options: BurstOptions, limit: number): number {
  const burst = options.burst ?? Math.max(1, Math.min(RATELIMIT_DEFAULTS.burst, limit));
  return checkNumber(owner, 'burst', burst, { min: 1, infinite: false });
}

/**
 * Holds the cost of a call to what is possible.
 *
 * @throws {TypeError | RangeError} unless a finite number > 0
 * @throws {RateLimitExceededError} when it is more than `capacity`, and so can never pass
 */
export function checkCost(policy: string, cost: number, capacity: number): void {
  if (!(typeof cost === 'number' && cost > 0 && cost < Number.POSITIVE_INFINITY)) {
    checkNumber(policy, 'cost', cost, { min: 0, aboveMin: true, infinite: false });
  }
  if (cost > capacity + TOLERANCE) {
    throw new RateLimitExceededError(policy, {
      reason: 'cost',
      limit: capacity,
      remaining: capacity,
      retryAfterMs: Number.POSITIVE_INFINITY,
      cost,
    });
  }
}
