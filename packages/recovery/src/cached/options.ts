import {
  type CallContext,
  type Clock,
  type Outcome,
  type ShouldHandle,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  checkNumber,
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  nameRule,
  numberRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';

/** A stale answer that is served, as {@link CachedOptions.onStale} sees it. */
export interface StaleEvent {
  readonly policy: string;
  readonly key: string;
  /** Age of the answer, in milliseconds. */
  readonly ageMs: number;
  /** What the operation failed with: an error, or a value that counts as a failure. */
  readonly outcome: Outcome<unknown>;
  /** `operation` of the call's options. */
  readonly operation: string | undefined;
}

/** Options of {@link cached}. */
export interface CachedOptions {
  /**
   * Names the policy in errors, spans and metrics.
   *
   * @defaultValue 'cached'
   */
  readonly name?: string;
  /**
   * An answer younger than this is served without calling the operation, in milliseconds. With 0 the
   * operation is always called, and the cache only helps when it fails.
   *
   * @defaultValue 0
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly freshMs?: number;
  /**
   * Oldest answer that is served when the operation fails, in milliseconds.
   *
   * @defaultValue 300_000
   * @throws {RangeError} at construction, unless >= `freshMs`
   */
  readonly maxAgeMs?: number;
  /**
   * What an answer belongs to: an answer is served to every call with the same key, and to no other.
   * It must return a non-empty string; a call without a key is refused with a `TypeError`.
   *
   * @defaultValue `key` of the call's options
   */
  readonly key?: (call: CallContext) => string | undefined;
  /**
   * Most answers kept. The one used longest ago is removed first.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly maxKeys?: number;
  /**
   * Whether concurrent calls with one key share one run of the operation. It is aborted when all of its
   * callers have left. Each caller is held to its own deadline; the run itself has none.
   *
   * @defaultValue false
   */
  readonly singleFlight?: boolean;
  /**
   * Whether an outcome of the operation counts as a failure: an old answer is served in its place,
   * where there is one. A value that counts as a failure is not kept. Not asked about an error of a
   * call that has ended.
   *
   * @defaultValue `isFailure`: all errors but the caller's own mistakes, no values
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Where there is an old answer, it is served this long before the deadline of the call (its
   * `timeoutMs`, or a timeout around this policy), in milliseconds, and the operation is ended. By default
   * the deadline ends the call.
   *
   * @defaultValue none
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly reserveMs?: number;
  /**
   * Whether to keep an answer. Do not keep one that can be read only once, such as a `Response`. What
   * it throws is logged; then the answer is not kept.
   *
   * @defaultValue every answer is kept
   */
  readonly isCacheable?: (value: unknown) => boolean;
  /**
   * Called when a stale answer is served. What it throws is logged.
   *
   * @defaultValue none
   */
  readonly onStale?: (event: StaleEvent, call: CallContext) => void;
  /**
   * Which calls get spans: all, those that get a stale answer, or none.
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

type Unset = 'telemetry' | 'key' | 'shouldHandle' | 'reserveMs' | 'isCacheable' | 'onStale';

/** The defaults, as the README's table shows them. */
export const CACHED_DEFAULTS: Defaults<CachedOptions, Unset> = {
  name: 'cached',
  freshMs: 0,
  maxAgeMs: 300_000,
  maxKeys: 1000,
  singleFlight: false,
  spans: DEFAULT_SPANS,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedCachedOptions = Resolved<CachedOptions, Unset>;

/** Holds the options to their ranges and fills in the defaults. */
export function resolveCachedOptions(options: CachedOptions): ResolvedCachedOptions {
  const callback = typeRule('function');
  const all = resolveOptions<CachedOptions, Unset>('cached', options, CACHED_DEFAULTS, {
    name: nameRule,
    freshMs: numberRule({ min: 0 }),
    maxAgeMs: numberRule({ min: 0 }),
    key: callback,
    maxKeys: numberRule({ min: 1, integer: true }),
    singleFlight: typeRule('boolean'),
    shouldHandle: callback,
    reserveMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
    isCacheable: callback,
    onStale: callback,
    spans: oneOfRule(SPAN_MODES),
    telemetry: telemetryRule,
    clock: clockRule,
  });
  const { freshMs, maxAgeMs } = all;
  if (options.maxAgeMs !== undefined) checkNumber('cached', 'maxAgeMs', maxAgeMs, { min: freshMs });
  // A freshMs above the default raises it: the user did not set a maxAgeMs.
  return { ...all, maxAgeMs: Math.max(maxAgeMs, freshMs) };
}
