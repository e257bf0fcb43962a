import {
  type Clock,
  isTransient,
  type ShouldHandle,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  clockRule,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { TuningAuditLog, TuningChange } from './change.ts';
import { checkSettings, type TuningBounds, type TuningSettings } from './settings.ts';

/** Options of {@link autotune}. */
export interface AutotuneOptions {
  /**
   * Names the tuner in telemetry, messages and audit events.
   *
   * @defaultValue 'autotune'
   */
  readonly name?: string;
  /**
   * The settings in force.
   *
   * @throws {TypeError | RangeError} at construction, when one is unknown or out of its range
   */
  readonly settings: TuningSettings;
  /**
   * The lowest and highest value of each setting that may be tuned: `{ maxAttempts: [1, 4] }`. Settings
   * without bounds are left alone.
   *
   * @throws {TypeError | RangeError} at construction, when one has no setting in force, or does not hold it
   */
  readonly bounds: TuningBounds;
  /**
   * Puts settings into force, as `reloadPipeline` does. When it returns a promise, they are in force once
   * it resolves. Without it, changes are proposed and never made.
   *
   * @defaultValue none
   */
  readonly apply?: (settings: TuningSettings, change: TuningChange) => unknown;
  /**
   * Which outcomes are retried; as in the retry policy.
   *
   * @defaultValue `isTransient`: errors that are transient, no values
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Share of its extra tries that must bring an answer to be worth the load.
   *
   * @defaultValue 0.1
   * @throws {RangeError} at construction, unless > 0 and < 1
   */
  readonly minBenefit?: number;
  /**
   * Tries beyond the first per call that the dependency may get.
   *
   * @defaultValue 0.1
   * @throws {RangeError} at construction, unless from 0 to 10
   */
  readonly maxExtraLoad?: number;
  /**
   * Whether an incident is under way, as `() => outlook.prediction().status === 'warning'` says. Nothing
   * is learned or changed then, and a change on trial is undone.
   *
   * @defaultValue none
   */
  readonly incident?: () => boolean;
  /**
   * A metric of the user's own that no change may make worse, read once per step; lower is better.
   *
   * @defaultValue none: failures, latency and load of the calls
   */
  readonly guard?: () => number;
  /** Gets each change. A log of `@temper/audit` fits. @defaultValue none */
  readonly audit?: TuningAuditLog;
  /**
   * How often proposals are looked at, in milliseconds.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless from 1000 to 3_600_000
   */
  readonly stepMs?: number;
  /**
   * How long a change that was undone is not tried again, in milliseconds; doubled each time. A change
   * that was kept is not taken back for as long.
   *
   * @defaultValue 3_600_000
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly coolDownMs?: number;
  /** Called with each change. What it throws is logged. @defaultValue none */
  readonly onChange?: (change: TuningChange) => unknown;
  /**
   * Where the telemetry of the tuner goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset =
  | 'settings'
  | 'bounds'
  | 'apply'
  | 'incident'
  | 'guard'
  | 'audit'
  | 'onChange'
  | 'telemetry';

/** The defaults, as the README's table shows them. */
export const AUTOTUNE_DEFAULTS: Defaults<AutotuneOptions, Unset> = {
  name: 'autotune',
  shouldHandle: isTransient,
  minBenefit: 0.1,
  maxExtraLoad: 0.1,
  stepMs: 60_000,
  coolDownMs: 3_600_000,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedAutotuneOptions = Resolved<AutotuneOptions, Unset> & {
  readonly settings: TuningSettings;
  readonly bounds: TuningBounds;
};

/** Holds the options to their types and ranges and fills in the defaults. */
export function resolveAutotuneOptions(options: AutotuneOptions): ResolvedAutotuneOptions {
  const owner = 'autotune';
  const callback = typeRule('function');
  const all = resolveOptions<AutotuneOptions, Unset>(owner, options, AUTOTUNE_DEFAULTS, {
    name: nameRule,
    settings: typeRule('object'),
    bounds: typeRule('object'),
    apply: callback,
    shouldHandle: callback,
    minBenefit: numberRule({ min: 0, aboveMin: true, max: 0.999 }),
    maxExtraLoad: numberRule({ min: 0, max: 10 }),
    incident: callback,
    guard: callback,
    audit: methodsRule('record'),
    stepMs: numberRule({ min: 1000, max: 3_600_000 }),
    coolDownMs: numberRule({ min: 0, infinite: false }),
    onChange: callback,
    clock: clockRule,
    telemetry: telemetryRule,
  });
  // Required, so that `undefined` is as wrong as any other value.
  const { settings = undefined, bounds = undefined } = all;
  const bound = bounds as TuningBounds;
  return {
    ...all,
    settings: checkSettings(owner, settings as TuningSettings, bound),
    bounds: { ...bound },
  };
}
