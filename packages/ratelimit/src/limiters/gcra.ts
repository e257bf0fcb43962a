import { GcraRule } from '../rules/gcra.ts';
import { type BurstOptions, resolveBurstOptions } from './options.ts';
import { type RateLimiter, RuleLimiter, type TokenBucketStats } from './rate-limiter.ts';
import { REPORTED_RATE } from './rate-parts.ts';

/**
 * Creates a limiter by the generic cell rate algorithm. Decides as {@link tokenBucket} does, with half
 * the state; with `burst: 1` it spaces calls evenly.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function gcra(options: BurstOptions = {}): RateLimiter<TokenBucketStats> {
  const all = resolveBurstOptions('gcra', options, 'gcra');
  return new RuleLimiter(new GcraRule(all.limit, all.windowMs, all.burst), all, REPORTED_RATE);
}
