import { resolveOptions } from '@temper/core/policy';
import { FixedWindowRule } from '../rules/fixed-window.ts';
import type { WindowLevels } from '../rules/window.ts';
import type { QueueUnset } from '../wait/options.ts';
import { RATE_DEFAULTS, RATE_RULES, type RateOptions } from './options.ts';
import { type RateCounts, type RateLimiter, RuleLimiter } from './rate-limiter.ts';
import { REPORTED_RATE } from './rate-parts.ts';

/** A snapshot of a sliding or fixed window. */
export type WindowStats = RateCounts & WindowLevels;

/**
 * Creates a fixed window: at most `limit` units in each of a sequence of windows.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function fixedWindow(options: RateOptions = {}): RateLimiter<WindowStats> {
  const defaults = { ...RATE_DEFAULTS, name: 'fixed-window' };
  const all = resolveOptions<RateOptions, QueueUnset>('fixedWindow', options, defaults, RATE_RULES);
  return new RuleLimiter(new FixedWindowRule(all.limit, all.windowMs), all, REPORTED_RATE);
}
