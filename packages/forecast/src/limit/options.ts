import {
  type Clock,
  type Policy,
  type Priority,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  checkNumber,
  clockRule,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';

/** How a call by hand asks a limiter, as in `@temper/ratelimit`. */
export interface LimiterCallOptions {
  /** Units to take. @defaultValue 1 */
  readonly cost?: number | undefined;
  readonly key?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Longest wait of `acquire`, in milliseconds. @defaultValue Infinity */
  readonly maxWaitMs?: number | undefined;
}

/**
 * A limiter whose limit can be changed: `tokenBucket`, `gcra`, `slidingWindow` and `fixedWindow` of
 * `@temper/ratelimit`.
 */
export interface ChangeableLimiter extends Policy {
  setLimit(limit: number): void;
  peek(): { readonly limit: number; readonly windowMs: number | undefined };
  tryAcquire(options?: LimiterCallOptions): unknown;
  acquire(options?: LimiterCallOptions): Promise<unknown>;
  take(options?: LimiterCallOptions): unknown;
}

/** Options of {@link predictiveLimit}. */
export interface PredictiveLimitOptions<L extends ChangeableLimiter = ChangeableLimiter> {
  /** Names the limit in telemetry and messages. @defaultValue the name of the limiter */
  readonly name?: string;
  /**
   * The limiter whose limit follows the forecast. The limit that it has now is the ceiling, and the plain
   * limit.
   *
   * @throws {TypeError} at construction, unless it has `setLimit`, `peek`, `tryAcquire`, `acquire`, `take`,
   * `execute` and `stats`
   * @throws {RangeError} at construction, when its window is longer than `slotMs`
   */
  readonly limiter: L;
  /** What repeats itself: the days or the weeks. @defaultValue 'week' */
  readonly season?: 'day' | 'week';
  /**
   * IANA name of the time zone whose clocks the season follows.
   *
   * @defaultValue 'UTC'
   * @throws {RangeError} at construction, when there is no such time zone
   */
  readonly timeZone?: string;
  /**
   * Factor from the upper bound of the forecast to the limit.
   *
   * @defaultValue 1.5
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly headroom?: number;
  /**
   * The lowest limit, in units per window. Differences of the demand below it count as none.
   *
   * @defaultValue a tenth of the ceiling; for a ceiling below 10, 1 or the ceiling when that is less
   * @throws {RangeError} at construction, unless > 0 and at most the ceiling
   */
  readonly floor?: number;
  /**
   * Mean relative error of the forecast above which the plain limit is in force, from 0 to 1. At two
   * thirds of it the forecast is used again.
   *
   * @defaultValue 0.3
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly maxError?: number;
  /**
   * Half of what is known of the error is forgotten after this time, in milliseconds. It decides for how
   * long an unusual demand is cut before it has its way: at the defaults two to three hours where the ceiling is four times the usual.
   *
   * @defaultValue 14_400_000
   * @throws {RangeError} at construction, unless from `slotMs` to 604_800_000
   */
  readonly errorHalfLifeMs?: number;
  /**
   * Length of a slot of the season, in milliseconds: a week has 2016 of the default, of 8 bytes each. The
   * limit changes once per slot.
   *
   * @defaultValue 300_000
   * @throws {RangeError} at construction, unless from 60_000 to 3_600_000 and a part of the day
   */
  readonly slotMs?: number;
  /**
   * What {@link PredictiveLimit.dump} returned in an earlier run: it need not learn the season again. What
   * does not fit the options is reported on OpenTelemetry's `diag` and ignored.
   *
   * @defaultValue none
   */
  readonly state?: unknown;
  /**
   * Where the telemetry of the limit goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** Of the limiter, where that has another one than the system's. @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset = 'name' | 'limiter' | 'floor' | 'state' | 'telemetry';

/** The defaults, as the README's table shows them. */
export const LIMIT_DEFAULTS: Defaults<PredictiveLimitOptions, Unset> = {
  season: 'week',
  timeZone: 'UTC',
  headroom: 1.5,
  maxError: 0.3,
  errorHalfLifeMs: 14_400_000,
  slotMs: 300_000,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. Limits are in units per window. */
export interface ResolvedLimitOptions
  extends Defaults<PredictiveLimitOptions, 'limiter' | 'state' | 'telemetry'> {
  readonly limiter: ChangeableLimiter;
  readonly state?: unknown;
  readonly telemetry?: TelemetryScope | undefined;
  readonly ceiling: number;
  readonly windowMs: number;
}

const OWNER = 'predictiveLimit';
const DAY_MS = 86_400_000;
const METHODS = ['setLimit', 'peek', 'tryAcquire', 'acquire', 'take', 'execute', 'stats'];
const changeable = methodsRule(...METHODS);
const anything: OptionRule = () => undefined;

const slotRule: OptionRule = (owner, option, value) => {
  numberRule({ min: 60_000, max: 3_600_000 })(owner, option, value);
  if (DAY_MS % (value as number) !== 0) {
    throw new RangeError(`${owner}: ${option} must be a part of the day, got ${value}.`);
  }
  return undefined;
};

/** Holds the options to their types and ranges and fills in the defaults. */
export function resolveLimitOptions(options: PredictiveLimitOptions): ResolvedLimitOptions {
  const all: Resolved<PredictiveLimitOptions, Unset> = resolveOptions<
    PredictiveLimitOptions,
    Unset
  >(OWNER, options, LIMIT_DEFAULTS, {
    name: nameRule,
    limiter: changeable,
    season: oneOfRule(['day', 'week']),
    timeZone: typeRule('string'),
    headroom: numberRule({ min: 1, infinite: false }),
    floor: numberRule({ min: 0, aboveMin: true, infinite: false }),
    maxError: numberRule({ min: 0, aboveMin: true, max: 1 }),
    errorHalfLifeMs: numberRule({ min: 60_000, max: 7 * DAY_MS }),
    slotMs: slotRule,
    state: anything,
    clock: clockRule,
    telemetry: telemetryRule,
  });
  changeable(OWNER, 'limiter', all.limiter);
  const limiter = all.limiter as ChangeableLimiter;
  const { limit: ceiling, windowMs } = limiter.peek();
  if (windowMs === undefined) throw new TypeError(`${OWNER}: limiter must be one of a rate.`);
  if (!(windowMs <= all.slotMs)) {
    throw new RangeError(
      `${OWNER}: the window of the limiter must be at most slotMs (${all.slotMs}), got ${windowMs}.`,
    );
  }
  const floor = all.floor ?? Math.min(ceiling, Math.max(1, ceiling / 10));
  checkNumber(OWNER, 'floor', floor, { min: 0, aboveMin: true, max: ceiling });
  checkNumber(OWNER, 'errorHalfLifeMs', all.errorHalfLifeMs, { min: all.slotMs, max: 7 * DAY_MS });
  return { ...all, name: all.name ?? limiter.name, limiter, floor, ceiling, windowMs };
}
