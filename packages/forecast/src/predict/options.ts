import {
  type Clock,
  isFailure,
  type ShouldHandle,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  checkKnown,
  checkType,
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import { DEFAULT_THRESHOLD } from './calibration.ts';
import type { Prediction } from './prediction.ts';

/** Where a predictor reads what calls alone do not tell. Each is read once per step. */
export interface SignalSources {
  /** Calls that wait for capacity now, as a limiter's `stats().queued`. */
  readonly queue?: () => number;
  /** Attempts beyond the first since the start: a number that only grows. */
  readonly retries?: () => number;
  /** Attempts that timed out since the start: a number that only grows. */
  readonly timeouts?: () => number;
}

/** Options of {@link predictFailure}. */
export interface PredictorOptions {
  /**
   * Names the predictor in telemetry and messages: the dependency that it watches.
   *
   * @defaultValue 'predictor'
   */
  readonly name?: string;
  /**
   * The score at which it warns, in standard deviations above the usual. Lower warns earlier and more
   * often for nothing: docs/evaluation.md has the curve.
   *
   * @defaultValue 8.4
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly threshold?: number;
  /**
   * Length of a step, in milliseconds. The usual is learned with a half-life of 360 steps, and a
   * warning comes at the end of a step.
   *
   * @defaultValue 5_000
   * @throws {RangeError} at construction, unless from 100 to 600_000
   */
  readonly stepMs?: number;
  /**
   * Successful calls that take longer count as slow, in milliseconds.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless > 0
   */
  readonly slowCallDurationMs?: number;
  /**
   * Whether an outcome is a failure of the dependency.
   *
   * @defaultValue `isFailure`: all errors but the caller's own mistakes, no values
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Where it reads queue, retries and timeouts. What a source throws is logged, and the signal keeps
   * its last value.
   *
   * @defaultValue none
   */
  readonly sources?: SignalSources;
  /** Called when a warning begins. What it throws is logged. @defaultValue none */
  readonly onWarning?: (prediction: Prediction) => unknown;
  /**
   * Where the telemetry of the predictor goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset = 'onWarning' | 'telemetry';

/** The defaults, as the README's table shows them. */
export const PREDICTOR_DEFAULTS: Defaults<PredictorOptions, Unset> = {
  name: 'predictor',
  threshold: DEFAULT_THRESHOLD,
  stepMs: 5000,
  slowCallDurationMs: Number.POSITIVE_INFINITY,
  shouldHandle: isFailure,
  sources: {},
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedPredictorOptions = Resolved<PredictorOptions, Unset>;

/** Holds the options to their types and ranges and fills in the defaults. */
export function resolvePredictorOptions(options: PredictorOptions): ResolvedPredictorOptions {
  const owner = 'predictFailure';
  const all = resolveOptions<PredictorOptions, Unset>(owner, options, PREDICTOR_DEFAULTS, {
    name: nameRule,
    threshold: numberRule({ min: 0, aboveMin: true, infinite: false }),
    stepMs: numberRule({ min: 100, max: 600_000 }),
    slowCallDurationMs: numberRule({ min: 0, aboveMin: true, infinite: true }),
    shouldHandle: typeRule('function'),
    sources: typeRule('object'),
    onWarning: typeRule('function'),
    clock: clockRule,
    telemetry: telemetryRule,
  });
  checkKnown(`${owner}: sources`, all.sources, ['queue', 'retries', 'timeouts']);
  for (const [name, source] of Object.entries(all.sources)) {
    if (source !== undefined) checkType(owner, `sources.${name}`, source, 'function');
  }
  return all;
}
