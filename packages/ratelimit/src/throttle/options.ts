import {
  type Clock,
  isOverload,
  type Random,
  type ShouldHandle,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  nameRule,
  numberRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  systemRandom,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { RateLimitExceededError } from '../errors.ts';

/** Options of {@link throttle}. */
export interface ThrottleOptions {
  /**
   * Names the throttle in errors, spans and metrics.
   *
   * @defaultValue 'throttle'
   */
  readonly name?: string;
  /**
   * The backend is sent this many times what it accepts. A lower value spares the backend more, a
   * higher one notices its recovery sooner.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless finite and > 1
   */
  readonly multiplier?: number;
  /**
   * Largest share of its calls that the throttle sheds. The others show when the backend is back: during a
   * total outage it receives `1 - maxRejectionRatio` of the calls, the most important ones. With 1, as in
   * the book, about one call per window passes, and a recovery takes many windows.
   *
   * @defaultValue 0.9
   * @throws {RangeError} at construction, unless >= 0 and <= 1
   */
  readonly maxRejectionRatio?: number;
  /**
   * How long a call is counted, in milliseconds. After a total outage, with the other defaults, 90 % of the
   * calls pass again within about two windows; at one call a second, within four.
   *
   * @defaultValue 20_000
   * @throws {RangeError} at construction, unless finite and >= 24
   */
  readonly windowMs?: number;
  /**
   * An answer that takes longer does not count as accepted, in milliseconds. A backend that refuses what is too
   * much says so at once. One that queues it shows nothing but longer answers, until calls are given up, which is
   * too late: give a quarter of the time that calls have, if that is well above what answers usually take. What a
   * call waits inside for other policies is not counted.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless > 0
   */
  readonly slowCallDurationMs?: number;
  /**
   * Whether an outcome says that the backend did not accept the call. Not asked about a call that was
   * cancelled, nor about a refusal by a Temper policy inside: those do not count at all.
   *
   * @defaultValue `isOverload`: timeouts, and transient errors of resources and the network
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Called with the error of each call under the policy that is shed. What it throws is logged.
   *
   * @defaultValue none
   */
  readonly onReject?: (error: RateLimitExceededError) => void;
  /**
   * Which shed calls get spans: all (also with `failures`, as each is one), or none. Calls that pass
   * have none.
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
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** Options that were checked, with their defaults filled in. */
export type ResolvedThrottleOptions = Resolved<ThrottleOptions, 'onReject' | 'telemetry'>;

/** The defaults, as the README's table shows them. */
export const THROTTLE_DEFAULTS: Defaults<ThrottleOptions, 'onReject' | 'telemetry'> = {
  name: 'throttle',
  multiplier: 2,
  maxRejectionRatio: 0.9,
  windowMs: 20_000,
  slowCallDurationMs: Number.POSITIVE_INFINITY,
  shouldHandle: isOverload,
  spans: DEFAULT_SPANS,
  clock: systemClock,
  random: systemRandom,
};

/** Holds the options to their ranges and fills in the defaults. */
export function resolveThrottleOptions(options: ThrottleOptions): ResolvedThrottleOptions {
  const callback = typeRule('function');
  return resolveOptions<ThrottleOptions, 'onReject' | 'telemetry'>(
    'throttle',
    options,
    THROTTLE_DEFAULTS,
    {
      name: nameRule,
      multiplier: numberRule({ min: 1, aboveMin: true, infinite: false }),
      maxRejectionRatio: numberRule({ min: 0, max: 1 }),
      windowMs: numberRule({ min: 24, infinite: false }),
      slowCallDurationMs: numberRule({ min: 0, aboveMin: true }),
      shouldHandle: callback,
      onReject: callback,
      spans: oneOfRule(SPAN_MODES),
      telemetry: telemetryRule,
      clock: clockRule,
      random: callback,
    },
  );
}
