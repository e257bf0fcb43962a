import { checkCallOptions, checkKnown, checkNumber } from '@temper/core/policy';
import type { AcquireOptions } from '../limiter.ts';

/** Longest time for which a key can be blocked, in milliseconds: seven days. */
export const MAX_BLOCK_MS: number = 7 * 24 * 3_600_000;

/** Whose limit is changed. Without a key, that of calls without one. */
export type KeyOptions = Pick<AcquireOptions, 'key'>;

/**
 * Changes of a rate limit that are not calls, with the same words for one process and for many: `void` is
 * returned by limiters of one process, a promise of it by shared ones. Calls that wait are served as the
 * change allows. Arguments are refused with a `TypeError` or `RangeError`.
 */
export interface RateControls<Result = void> {
  /** Forgets everything about a key: nothing is used, and nothing is blocked. */
  reset(options?: KeyOptions): Result;
  /**
   * Refuses every call of a key for some time. 0 ends it.
   *
   * @param durationMs - in milliseconds, from 0 to 7 days
   */
  block(durationMs: number, options?: KeyOptions): Result;
  /**
   * Uses units without a call, at most all that are left.
   *
   * @param units - finite and > 0
   */
  penalty(units: number, options?: KeyOptions): Result;
  /**
   * Gives units back, whoever has used them. Never more than the whole limit is available.
   *
   * @param units - finite and > 0
   */
  reward(units: number, options?: KeyOptions): Result;
}

/** @throws {TypeError | RangeError} unless it is a time for which a key can be blocked */
export function blockTime(owner: string, durationMs: number): number {
  return checkNumber(owner, 'durationMs', durationMs, { min: 0, max: MAX_BLOCK_MS });
}

/** @throws {TypeError | RangeError} unless it is a number of units */
export function unitsOf(owner: string, units: number): number {
  return checkNumber(owner, 'units', units, { min: 0, aboveMin: true, infinite: false });
}

/** Reads the options of calls that take nothing. @returns the key */
export function readKey(owner: string, options: KeyOptions): string | undefined {
  checkKnown(owner, options, ['key']);
  const { key } = options;
  if (key !== undefined) checkCallOptions(owner, { key });
  return key;
}
