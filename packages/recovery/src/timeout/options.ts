import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  systemClock,
} from '@temper/core';
import { ObservedDuration, type ObservedDurationOptions } from '../latency/observed-duration.ts';
import { EVENT_SPANS, type EventSpans } from '../telemetry.ts';

/** What {@link TimeoutOptions.onTimeout} hears. */
export interface TimeoutEvent {
  readonly policy: string;
  /** What the call was given, in milliseconds. */
  readonly timeoutMs: number;
  /** {@link ExecuteOptions.operation} of the call. */
  readonly operation: string | undefined;
}

/** Options of {@link timeout}. */
export interface TimeoutOptions {
  /**
   * Names the policy in errors, spans and metrics.
   *
   * @defaultValue 'timeout'
   */
  readonly name?: string;
  /**
   * Longest time for what is inside, in milliseconds. It then aborts, and the call rejects at once
   * with `OperationTimeoutError`, whether or not the operation listens.
   *
   * Or a duration that follows the latencies of the calls that ended in time:
   * `{ quantile: 0.99, factor: 3, minMs: 100, maxMs: 10_000 }`.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number | ObservedDurationOptions;
  /** Called when a call is given up on. What it throws is reported, no more. */
  readonly onTimeout?: (event: TimeoutEvent) => void;
  /**
   * Whether a call that is given up on gets a span.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: EventSpans;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** The defaults, as the README's table shows them. */
export const TIMEOUT_DEFAULTS: {
  readonly name: 'timeout';
  readonly timeoutMs: 5000;
  readonly spans: 'failures';
} = { name: 'timeout', timeoutMs: 5000, spans: 'failures' };

/** Checked options. */
export interface ResolvedTimeoutOptions {
  readonly name: string;
  readonly timeoutMs: number | ObservedDuration;
  readonly onTimeout: ((event: TimeoutEvent) => void) | undefined;
  readonly spans: EventSpans;
  readonly clock: Clock;
}

export function resolveTimeoutOptions(options: TimeoutOptions): ResolvedTimeoutOptions {
  const owner = 'timeout';
  checkKnown(owner, options, ['name', 'timeoutMs', 'onTimeout', 'spans', 'clock']);
  const clock = checkClock(owner, options.clock ?? systemClock);
  const given = options.timeoutMs ?? TIMEOUT_DEFAULTS.timeoutMs;
  if (options.onTimeout !== undefined) checkType(owner, 'onTimeout', options.onTimeout, 'function');
  return {
    name: checkName(owner, options.name ?? TIMEOUT_DEFAULTS.name),
    timeoutMs:
      typeof given === 'object' && given !== null
        ? new ObservedDuration(`${owner}: timeoutMs`, given, clock)
        : checkNumber(owner, 'timeoutMs', given, { min: 0, aboveMin: true, infinite: false }),
    onTimeout: options.onTimeout,
    spans: checkOneOf(owner, 'spans', options.spans ?? TIMEOUT_DEFAULTS.spans, EVENT_SPANS),
    clock,
  };
}
