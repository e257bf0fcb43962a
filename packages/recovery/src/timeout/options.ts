import {
  type CallContext,
  type Clock,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  nameRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import {
  durationRule,
  ObservedDuration,
  type ObservedDurationOptions,
} from '../latency/observed-duration.ts';

/** A call that timed out, as {@link TimeoutOptions.onTimeout} sees it. */
export interface TimeoutEvent {
  readonly policy: string;
  /** The timeout of the call, in milliseconds. */
  readonly timeoutMs: number;
  /** `operation` of the call's options. */
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
   * Longest time for the operation, in milliseconds. Then its signal aborts, and the call rejects with
   * `OperationTimeoutError` at once, whether or not the operation reacts.
   *
   * Or a duration that follows the latencies of the calls that succeeded in time:
   * `{ quantile: 0.99, factor: 3, minMs: 100, maxMs: 10_000 }`.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number | ObservedDurationOptions;
  /**
   * Called when a call times out, in the asynchronous context of that call. What it throws is logged.
   *
   * @defaultValue none
   */
  readonly onTimeout?: (event: TimeoutEvent, call: CallContext) => void;
  /**
   * Which calls get spans: all, those that time out, or none.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: SpanMode;
  /**
   * Where the telemetry of the policy goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** The defaults, as the README's table shows them. */
export const TIMEOUT_DEFAULTS: Defaults<TimeoutOptions, 'onTimeout' | 'telemetry'> = {
  name: 'timeout',
  timeoutMs: 5000,
  spans: DEFAULT_SPANS,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedTimeoutOptions = Omit<
  Resolved<TimeoutOptions, 'onTimeout' | 'telemetry'>,
  'timeoutMs'
> & {
  readonly timeoutMs: number | ObservedDuration;
};

const RULES = {
  name: nameRule,
  timeoutMs: durationRule({ min: 0, aboveMin: true, infinite: false }),
  onTimeout: typeRule('function'),
  spans: oneOfRule(SPAN_MODES),
  telemetry: telemetryRule,
  clock: clockRule,
};

/** Holds the options to their ranges and fills in the defaults. */
export function resolveTimeoutOptions(options: TimeoutOptions): ResolvedTimeoutOptions {
  const all = resolveOptions<TimeoutOptions, 'onTimeout' | 'telemetry'>(
    'timeout',
    options,
    TIMEOUT_DEFAULTS,
    RULES,
  );
  const { timeoutMs, clock } = all;
  if (typeof timeoutMs === 'number') return { ...all, timeoutMs };
  return { ...all, timeoutMs: new ObservedDuration('timeout: timeoutMs', timeoutMs, clock) };
}
