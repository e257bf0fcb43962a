import { checkCallOptions, checkKnown, checkNumber, show } from '@temper/core/policy';
import { RateLimitExceededError } from '../errors.ts';
import type { AcquireOptions } from '../limiter.ts';
import { TOLERANCE } from '../rules/rule.ts';

const KNOWN: readonly (keyof AcquireOptions)[] = ['cost', 'key', 'priority', 'signal', 'maxWaitMs'];

/** The options of a call by hand, each read once and checked. */
export interface CheckedOptions extends AcquireOptions {
  readonly cost: number;
}

/**
 * Reads the options of a call by hand, and holds them to {@link AcquireOptions}. Each is read by name
 * and once: accessors of a class are checked too, and cannot return another value later.
 *
 * @throws {TypeError} on anything but an object of named values, on unknown keys, `null` and wrong types
 * @throws {RangeError} on numbers out of range
 */
export function readOptions(owner: string, options: AcquireOptions): CheckedOptions {
  checkShape(owner, options);
  const { cost = 1, key, priority, signal, maxWaitMs } = options;
  // The usual values pass quickly; the full check decides about all others.
  if (!(typeof cost === 'number' && cost > 0 && cost < Number.POSITIVE_INFINITY)) {
    checkCallOptions(owner, { cost });
  }
  if (key !== undefined && (typeof key !== 'string' || key === '')) {
    checkCallOptions(owner, { key });
  }
  if (priority !== undefined || signal !== undefined) checkCallOptions(owner, { priority, signal });
  if (maxWaitMs !== undefined) checkNumber(owner, 'maxWaitMs', maxWaitMs, { min: 0 });
  return { cost, key, priority, signal, maxWaitMs };
}

function checkShape(owner: string, options: AcquireOptions): void {
  // No literal is anything else than an object of named values.
  if (
    typeof options !== 'object' ||
    options === null ||
    Object.getPrototypeOf(options) !== Object.prototype
  ) {
    checkKnown(owner, options, KNOWN);
  }
  for (const name in options) {
    if (KNOWN.includes(name as keyof AcquireOptions)) continue;
    // What somebody has added to Object.prototype is not meant for us.
    if (!Object.hasOwn(options, name) && name in Object.prototype) continue;
    const known = KNOWN.join(', ');
    throw new TypeError(`${owner}: unknown option ${show(name)}; known are ${known}.`);
  }
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
