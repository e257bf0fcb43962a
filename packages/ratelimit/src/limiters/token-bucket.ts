import { checkNumber } from '@temper/core';
import { FixedWindowRules } from './fixed-window.ts';
import { GcraRules } from './gcra.ts';
import {
  type BurstOptions,
  RATELIMIT_DEFAULTS,
  type RateOptions,
  resolveBurst,
  resolveQueueOptions,
  resolveRate,
  type SlidingWindowOptions,
} from './options.ts';
import { type RateLimiter, RuledLimiter } from './rate-limiter.ts';
import { SlidingWindowRules } from './sliding-window.ts';
import { TokenBucketRules } from './token-bucket.ts';

/**
 * Makes a token bucket: `burst` units deep, refilled evenly with `limit` units per window.
 *
 * ```ts
 * const limiter = tokenBucket({ name: 'mail', limit: 100, windowMs: 60_000, burst: 10 });
 * if (limiter.tryAcquire()) send();
 * await limiter.execute(() => send());   // waits for its turn
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function tokenBucket(options: BurstOptions = {}): RateLimiter {
  const owner = 'tokenBucket';
  const common = resolveQueueOptions(owner, 'token-bucket', options, [
    'limit',
    'windowMs',
    'burst',
  ]);
  const { limit, windowMs } = resolveRate(owner, options, 'above 0');
  return new RuledLimiter(
    new TokenBucketRules(limit, windowMs, resolveBurst(owner, options, limit)),
    common,
  );
}

/**
 * Makes a limiter by the generic cell rate algorithm. Decides as {@link tokenBucket} does, with half
 * the state; with `burst: 1` it spaces calls evenly.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function gcra(options: BurstOptions = {}): RateLimiter {
  const owner = 'gcra';
  const common = resolveQueueOptions(owner, 'gcra', options, ['limit', 'windowMs', 'burst']);
  const { limit, windowMs } = resolveRate(owner, options, 'above 0');
  return new RuledLimiter(
    new GcraRules(limit, windowMs, resolveBurst(owner, options, limit)),
    common,
  );
}

/**
 * Makes a sliding window: never more than `limit` units in any span of `windowMs`.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function slidingWindow(options: SlidingWindowOptions = {}): RateLimiter {
  const owner = 'slidingWindow';
  const own = ['limit', 'windowMs', 'segments'];
  const common = resolveQueueOptions(owner, 'sliding-window', options, own);
  const { limit, windowMs } = resolveRate(owner, options, 'at least 1');
  const { segments = RATELIMIT_DEFAULTS.segments } = options;
  checkNumber(owner, 'segments', segments, { min: 1, max: 10_000, integer: true });
  return new RuledLimiter(new SlidingWindowRules(limit, windowMs, segments), common);
}

/**
 * Makes a fixed window: at most `limit` units in each of the windows that follow one another.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function fixedWindow(options: RateOptions = {}): RateLimiter {
  const owner = 'fixedWindow';
  const common = resolveQueueOptions(owner, 'fixed-window', options, ['limit', 'windowMs']);
  const { limit, windowMs } = resolveRate(owner, options, 'at least 1');
  return new RuledLimiter(new FixedWindowRules(limit, windowMs), common);
}
