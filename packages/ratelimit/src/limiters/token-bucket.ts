import { TokenBucketRule } from '../rules/token-bucket.ts';
import { type BurstOptions, resolveBurstOptions } from './options.ts';
import { type RateLimiter, RuleLimiter, type TokenBucketStats } from './rate-limiter.ts';
import { REPORTED_RATE } from './rate-parts.ts';

/**
 * Creates a token bucket: `burst` units deep, refilled evenly with `limit` units per window.
 *
 * ```ts
 * const limiter = tokenBucket({ name: 'mail', limit: 100, windowMs: 60_000, burst: 10 });
 * if (limiter.tryAcquire()) send();
 * await limiter.execute(() => send());   // waits for its turn
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function tokenBucket(options: BurstOptions = {}): RateLimiter<TokenBucketStats> {
  const all = resolveBurstOptions('tokenBucket', options, 'token-bucket');
  return new RuleLimiter(
    new TokenBucketRule(all.limit, all.windowMs, all.burst),
    all,
    REPORTED_RATE,
  );
}
