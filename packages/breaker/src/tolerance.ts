import { checkKnown, checkNumber, checkType, show } from '@temper/core';
import type { CircuitBreakerOptions } from './options.ts';
import type { Tolerance } from './trip.ts';
import { DEFAULT_BUCKETS } from './window.ts';

/** The defaults of the options that decide when a closed circuit opens. */
export const TOLERANCE_DEFAULTS: {
  readonly failureThreshold: 5;
  readonly failureRateThreshold: 0.5;
  readonly slowCallRateThreshold: 1;
  readonly minimumThroughput: 10;
} = {
  failureThreshold: 5,
  failureRateThreshold: 0.5,
  slowCallRateThreshold: 1,
  minimumThroughput: 10,
};

const OWNER = 'circuitBreaker';
const POSITIVE = { min: 0, aboveMin: true, infinite: false };
const POSITIVE_INTEGER = { min: 1, integer: true, infinite: false };
const SHARE = { min: 0, aboveMin: true, max: 1 };

/** The part of the options that decides when a closed circuit opens. */
export type ToleranceOptions = Pick<
  CircuitBreakerOptions,
  keyof typeof TOLERANCE_DEFAULTS | 'window' | 'slowCallDurationMs'
>;

/**
 * Holds these options to their ranges and to each other: what is said about rates needs a window, and
 * what is said about failures in a row must not have one.
 */
export function resolveTolerance(given: ToleranceOptions): Tolerance {
  const { window, slowCallDurationMs } = given;
  if (window === undefined) {
    for (const option of [
      'failureRateThreshold',
      'slowCallDurationMs',
      'slowCallRateThreshold',
      'minimumThroughput',
    ] as const) {
      if (given[option] !== undefined) {
        throw new TypeError(
          `${OWNER}: ${option} needs a window, got ${show(given[option])} without one.`,
        );
      }
    }
    const { failureThreshold = TOLERANCE_DEFAULTS.failureThreshold } = given;
    checkNumber(OWNER, 'failureThreshold', failureThreshold, POSITIVE_INTEGER);
    return { kind: 'consecutive', failureThreshold };
  }

  if (given.failureThreshold !== undefined) {
    throw new TypeError(
      `${OWNER}: failureThreshold counts failures in a row and does not go with a window; use failureRateThreshold.`,
    );
  }
  const size = checkWindow(window);
  const {
    failureRateThreshold = TOLERANCE_DEFAULTS.failureRateThreshold,
    slowCallRateThreshold = TOLERANCE_DEFAULTS.slowCallRateThreshold,
    minimumThroughput = Math.min(TOLERANCE_DEFAULTS.minimumThroughput, size),
  } = given;
  checkNumber(OWNER, 'failureRateThreshold', failureRateThreshold, SHARE);
  checkNumber(OWNER, 'slowCallRateThreshold', slowCallRateThreshold, SHARE);
  checkNumber(
    OWNER,
    'minimumThroughput',
    minimumThroughput,
    size === Number.POSITIVE_INFINITY ? POSITIVE_INTEGER : { min: 1, max: size, integer: true },
  );
  if (slowCallDurationMs !== undefined) {
    checkNumber(OWNER, 'slowCallDurationMs', slowCallDurationMs, POSITIVE);
  } else if (given.slowCallRateThreshold !== undefined) {
    throw new TypeError(`${OWNER}: slowCallRateThreshold needs slowCallDurationMs.`);
  }
  return { kind: 'rate', failureRateThreshold, slowCallRateThreshold, minimumThroughput };
}

/** @returns how many calls it can hold */
function checkWindow(window: unknown): number {
  checkType(OWNER, 'window', window, 'object');
  if ('calls' in (window as object)) {
    checkKnown(`${OWNER}: window`, window, ['calls']);
    const { calls } = window as { calls: unknown };
    return checkNumber(OWNER, 'window.calls', calls, { min: 1, max: 1_000_000, integer: true });
  }
  checkKnown(`${OWNER}: window`, window, ['durationMs', 'buckets']);
  const { durationMs, buckets = DEFAULT_BUCKETS } = window as Record<string, unknown>;
  checkNumber(OWNER, 'window.durationMs', durationMs, { min: 10, infinite: false });
  checkNumber(OWNER, 'window.buckets', buckets, { min: 2, max: 1000, integer: true });
  return Number.POSITIVE_INFINITY;
}
