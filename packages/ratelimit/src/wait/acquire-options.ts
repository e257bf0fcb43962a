import { checkCallOptions, checkKnown, checkNumber } from '@temper/core/policy';
import { RateLimitExceededError } from '../errors.ts';
import type { AcquireOptions } from '../limiter.ts';
import { TOLERANCE } from '../rules/rule.ts';

const KNOWN: readonly (keyof AcquireOptions)[] = ['cost', 'key', 'priority', 'signal', 'maxWaitMs'];

/**
 * Holds the options of a call by hand to {@link AcquireOptions}.
 *
 * @returns the cost
 * @throws {TypeError} on anything but an object, on unknown keys, `null` and wrong types
 * @throws {RangeError} on numbers out of range
 */
export function costOf(owner: string, options: AcquireOptions): number {
  if (typeof options !== 'object' || options === null) checkKnown(owner, options, KNOWN);
  for (const option in options) {
    const value = options[option as keyof AcquireOptions];
    if (isFine(option, value)) continue;
    if (!KNOWN.includes(option as keyof AcquireOptions)) checkKnown(owner, options, KNOWN);
    if (value === undefined) continue;
    if (option === 'maxWaitMs') checkNumber(owner, option, value, { min: 0 });
    else checkCallOptions(owner, { [option]: value });
  }
  return options.cost ?? 1;
}

/** Passes the usual values of the usual options quickly; the full check decides about all others. */
function isFine(option: string, value: unknown): boolean {
  return option === 'key'
    ? typeof value === 'string' && value !== ''
    : option === 'cost' &&
        typeof value === 'number' &&
        value > 0 &&
        value < Number.POSITIVE_INFINITY;
}

/** Holds the options of `peek` to `{ key }`. */
export function checkPeek(owner: string, options: Pick<AcquireOptions, 'key'>): void {
  checkKnown(owner, options, ['key']);
  if (options.key !== undefined) checkCallOptions(owner, { key: options.key });
}

/** @throws {RateLimitExceededError} when a cost is more than can ever be had at once */
export function checkCapacity(owner: string, capacity: number, cost: number): void {
  if (cost <= capacity + TOLERANCE) return;
  throw new RateLimitExceededError(owner, {
    reason: 'cost',
    limit: capacity,
    remaining: capacity,
    retryAfterMs: Number.POSITIVE_INFINITY,
    cost,
  });
}
