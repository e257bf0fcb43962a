import { numberRule, resolveOptions } from '@temper/core/policy';
import { SlidingWindowRule } from '../rules/sliding-window.ts';
import type { QueueUnset } from '../wait/options.ts';
import type { WindowStats } from './fixed-window.ts';
import { RATE_DEFAULTS, RATE_RULES, type RateOptions } from './options.ts';
import { type RateLimiter, RuleLimiter } from './rate-limiter.ts';
import { REPORTED_RATE } from './rate-parts.ts';

/** Options of {@link slidingWindow}. */
export interface SlidingWindowOptions extends RateOptions {
  /**
   * In how many segments the window is counted. With more segments, more of the limit is reached under
   * constant demand (`segments / (segments + 1)` of it). Each takes 8 bytes of state.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer from 1 to 10_000
   */
  readonly segments?: number;
}

/** The default number of segments. */
export const DEFAULT_SEGMENTS = 10;

/**
 * Creates a sliding window: never more than `limit` units in any span of `windowMs`.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function slidingWindow(options: SlidingWindowOptions = {}): RateLimiter<WindowStats> {
  const all = resolveOptions<SlidingWindowOptions, QueueUnset>(
    'slidingWindow',
    options,
    { ...RATE_DEFAULTS, name: 'sliding-window', segments: DEFAULT_SEGMENTS },
    { ...RATE_RULES, segments: numberRule({ min: 1, max: 10_000, integer: true }) },
  );
  return new RuleLimiter(
    new SlidingWindowRule(all.limit, all.windowMs, all.segments),
    all,
    REPORTED_RATE,
  );
}
