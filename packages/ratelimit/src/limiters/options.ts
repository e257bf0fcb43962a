import { numberRule, type OptionRule, type Resolved, resolveOptions } from '@temper/core/policy';
import {
  QUEUE_DEFAULTS,
  QUEUE_RULES,
  type QueueOptions,
  type QueueUnset,
} from '../wait/options.ts';

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

/** The defaults of {@link RateOptions}, apart from the name. */
export const RATE_DEFAULTS: Omit<Required<RateOptions>, 'name' | QueueUnset> = {
  ...QUEUE_DEFAULTS,
  limit: 100,
  windowMs: 60_000,
};

/** The default depth of a bucket. */
export const DEFAULT_BURST = 10;

/** The rules of {@link RateOptions}. */
export const RATE_RULES: { readonly [K in keyof Required<RateOptions>]: OptionRule } = {
  ...QUEUE_RULES,
  limit: numberRule({ min: 1, infinite: false }),
  windowMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
};

/** Holds the options of a bucket to their ranges and fills in the defaults. */
export function resolveBurstOptions(
  owner: string,
  options: BurstOptions,
  name: string,
): Resolved<BurstOptions, QueueUnset> {
  const all = resolveOptions<BurstOptions, QueueUnset | 'burst'>(
    owner,
    options,
    { ...RATE_DEFAULTS, name },
    {
      ...RATE_RULES,
      limit: numberRule({ min: 0, aboveMin: true, infinite: false }),
      burst: numberRule({ min: 1, infinite: false }),
    },
  );
  return { ...all, burst: all.burst ?? Math.max(1, Math.min(DEFAULT_BURST, all.limit)) };
}
