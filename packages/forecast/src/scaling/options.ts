import { type Clock, systemClock, type TelemetryScope } from '@temper/core';
import {
  checkKnown,
  checkType,
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { SeasonModel } from './holt-winters.ts';

/**
 * Where a scaling signal reads the demand. Each function is called when the signal is read. One that
 * throws, or returns something else than a number from 0 on, is logged, and its last value is kept.
 */
export interface ScalingSources {
  /**
   * Calls that arrived since the start, with those that wait and those that were rejected: a number that
   * only grows. One that falls is taken for a new start.
   */
  readonly arrivals: () => number;
  /** Calls that run now. Needed unless there is `serviceTimeMs`. */
  readonly inFlight?: () => number;
  /** Calls that wait now. */
  readonly queued?: () => number;
  /** Calls that arrived and were never served, since the start: a number that only grows. */
  readonly rejected?: () => number;
  /** Calls that one replica runs at the same time. Needed unless the option `concurrency` is given. */
  readonly concurrency?: () => number;
  /**
   * Mean time that a call runs, without its wait, in milliseconds. Without it the time is estimated by
   * Little's law from `inFlight` and the calls that arrived and neither wait nor were rejected.
   */
  readonly serviceTimeMs?: () => number;
  /** For the scope `'instance'`: replicas that share the demand now. Without it there is no season. */
  readonly replicas?: () => number;
}

/** Options of {@link scalingSignal}. */
export interface ScalingOptions {
  /** Names the signal in telemetry and messages. @defaultValue 'scaling' */
  readonly name?: string;
  /** Where it reads the demand. */
  readonly sources: ScalingSources;
  /**
   * Whose demand the sources tell. `'service'`: of all replicas, as the length of a shared queue; the
   * signal is the number of replicas. `'instance'`: of this process; the signal is its share of the
   * replicas, and the sum of all instances is the number.
   *
   * @defaultValue 'instance'
   */
  readonly scope?: 'service' | 'instance';
  /**
   * Calls that one replica runs at the same time.
   *
   * @defaultValue the source `concurrency`
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly concurrency?: number;
  /**
   * Share of the concurrency that is to be in use, from 0 to 1.
   *
   * @defaultValue 0.7
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly targetUtilization?: number;
  /**
   * How far to look ahead, in milliseconds: from the need of a replica until it serves calls, with the
   * times in which the signal is collected and the autoscaler looks at it.
   *
   * @defaultValue 120_000
   * @throws {RangeError} at construction, unless from 0 to 3_600_000
   */
  readonly leadMs?: number;
  /**
   * Time in which calls that wait are to be served, in milliseconds.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless finite and >= 1000
   */
  readonly drainMs?: number;
  /** What repeats itself: the days, the weeks, or nothing. @defaultValue 'week' */
  readonly season?: 'day' | 'week' | 'none';
  /** Whether the season changes the demand by a factor or by an amount. @defaultValue 'multiplicative' */
  readonly model?: SeasonModel;
  /**
   * Length of a slot of the season, in milliseconds: a week has 2016 of the default, of 8 bytes each.
   *
   * @defaultValue 300_000
   * @throws {RangeError} at construction, unless from 60_000 to 3_600_000 and a part of the day
   */
  readonly slotMs?: number;
  /**
   * IANA name of the time zone whose clocks the season follows.
   *
   * @defaultValue 'UTC'
   * @throws {RangeError} at construction, when there is no such time zone
   */
  readonly timeZone?: string;
  /**
   * Probability that the demand lies between the lower and the upper bound.
   *
   * @defaultValue 0.9
   * @throws {RangeError} at construction, unless from 0.5 to 0.999
   */
  readonly confidence?: number;
  /**
   * Fewest replicas, in the scope `'service'`.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless a whole number from 0
   */
  readonly minReplicas?: number;
  /**
   * Most replicas, in the scope `'service'`.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless a whole number from `minReplicas`
   */
  readonly maxReplicas?: number;
  /**
   * Relative change of the need that changes nothing, in the scope `'service'`.
   *
   * @defaultValue 0.1
   * @throws {RangeError} at construction, unless from 0 to 1
   */
  readonly tolerance?: number;
  /**
   * How long the need must have been lower before the signal falls, in milliseconds, in the scope
   * `'service'`. It rises at once.
   *
   * @defaultValue 300_000
   * @throws {RangeError} at construction, unless from 0 to 3_600_000
   */
  readonly stabilizationMs?: number;
  /**
   * What {@link ScalingSignal.dump} returned in an earlier run: it need not learn the season again. What
   * does not fit the options is reported on OpenTelemetry's `diag` and ignored.
   *
   * @defaultValue none
   */
  readonly state?: unknown;
  /**
   * Where the telemetry of the signal goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset = 'concurrency' | 'state' | 'sources' | 'telemetry';

/** The defaults, as the README's table shows them. */
export const SCALING_DEFAULTS: Defaults<ScalingOptions, Unset> = {
  name: 'scaling',
  scope: 'instance',
  targetUtilization: 0.7,
  leadMs: 120_000,
  drainMs: 30_000,
  season: 'week',
  model: 'multiplicative',
  slotMs: 300_000,
  timeZone: 'UTC',
  confidence: 0.9,
  minReplicas: 1,
  maxReplicas: 100,
  tolerance: 0.1,
  stabilizationMs: 300_000,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedScalingOptions = Resolved<ScalingOptions, Unset> & {
  readonly sources: ScalingSources;
};

const SOURCES: readonly (keyof ScalingSources)[] = [
  'arrivals',
  'inFlight',
  'queued',
  'rejected',
  'concurrency',
  'serviceTimeMs',
  'replicas',
];
const DAY_MS = 86_400_000;
/** What the autoscaler does where the signal is a share. */
const OF_SERVICE = ['minReplicas', 'maxReplicas', 'tolerance', 'stabilizationMs'] as const;

const slotRule: OptionRule = (owner, option, value) => {
  numberRule({ min: 60_000, max: 3_600_000 })(owner, option, value);
  if (DAY_MS % (value as number) !== 0) {
    throw new RangeError(`${owner}: ${option} must be a part of the day, got ${value}.`);
  }
  return undefined;
};

const anything: OptionRule = () => undefined;

/** Holds the options to their types and ranges and fills in the defaults. */
export function resolveScalingOptions(options: ScalingOptions): ResolvedScalingOptions {
  const owner = 'scalingSignal';
  const all = resolveOptions<ScalingOptions, Unset>(owner, options, SCALING_DEFAULTS, {
    name: nameRule,
    sources: typeRule('object'),
    scope: oneOfRule(['service', 'instance']),
    concurrency: numberRule({ min: 1, infinite: false }),
    targetUtilization: numberRule({ min: 0, aboveMin: true, max: 1 }),
    leadMs: numberRule({ min: 0, max: 3_600_000 }),
    drainMs: numberRule({ min: 1000, infinite: false }),
    season: oneOfRule(['day', 'week', 'none']),
    model: oneOfRule(['multiplicative', 'additive']),
    slotMs: slotRule,
    timeZone: typeRule('string'),
    confidence: numberRule({ min: 0.5, max: 0.999 }),
    minReplicas: numberRule({ min: 0, integer: true, infinite: false }),
    maxReplicas: numberRule({ min: 1, integer: true, infinite: false }),
    tolerance: numberRule({ min: 0, max: 1 }),
    stabilizationMs: numberRule({ min: 0, max: 3_600_000 }),
    state: anything,
    clock: clockRule,
    telemetry: telemetryRule,
  });
  const { sources } = all;
  if (sources === undefined) throw new TypeError(`${owner}: sources must be given.`);
  checkKnown(`${owner}: sources`, sources, SOURCES);
  for (const name of SOURCES) {
    const source = sources[name];
    if (source !== undefined) checkType(owner, `sources.${name}`, source, 'function');
  }
  const needed: [boolean, string][] = [
    [sources.arrivals !== undefined, 'sources.arrivals'],
    [
      (sources.inFlight ?? sources.serviceTimeMs) !== undefined,
      'sources.inFlight or sources.serviceTimeMs',
    ],
    [
      all.concurrency !== undefined || sources.concurrency !== undefined,
      'concurrency or sources.concurrency',
    ],
  ];
  for (const [given, what] of needed) {
    if (!given) throw new TypeError(`${owner}: ${what} must be given.`);
  }
  if (all.maxReplicas < all.minReplicas) {
    throw new RangeError(
      `${owner}: maxReplicas must be >= minReplicas (${all.minReplicas}), got ${all.maxReplicas}.`,
    );
  }
  for (const option of all.scope === 'instance' ? OF_SERVICE : []) {
    if (options[option] === undefined) continue;
    throw new TypeError(
      `${owner}: ${option} is for the scope 'service'. Of one instance, set it on the autoscaler.`,
    );
  }
  return { ...all, sources };
}
