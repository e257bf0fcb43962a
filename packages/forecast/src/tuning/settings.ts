import { checkKnown, checkNumber, checkType, show } from '@temper/core/policy';
import { TUNING_SETTINGS, type TuningSetting } from './setting-names.ts';

/** Settings of retry, timeout, hedge and circuit breaker. Durations are in milliseconds. */
export type TuningSettings = { readonly [S in TuningSetting]?: number };

/** The lowest and the highest value that a setting may get. Only settings that have bounds are tuned. */
export type TuningBounds = { readonly [S in TuningSetting]?: readonly [low: number, high: number] };

/** How a setting is counted, and the least that it can be. */
const KINDS: Readonly<Record<TuningSetting, 'duration' | 'attempts' | 'calls' | 'share'>> = {
  attemptTimeoutMs: 'duration',
  maxAttempts: 'attempts',
  minimumThroughput: 'calls',
  failureRateThreshold: 'share',
  openDurationMs: 'duration',
  hedgeDelayMs: 'duration',
  initialDelayMs: 'duration',
};

/** A duration and a number of calls change by at most this factor in a step. */
const FACTOR = 2;
/** A share changes by at most this much. */
const SHARE_STEP = 0.1;
/** And by this much at least. */
const LEAST_SHARE = 0.01;
/** Changes that are smaller than this part of the value are not worth one, and would swing to and fro. */
const DEAD_BAND = 0.2;

/**
 * The next value on the way from one to another: one attempt, a factor of 2, or a tenth of a share, and
 * within the bounds.
 *
 * @returns `undefined` when it would be no change, or too small a one: less than a fifth of a duration or a number
 * of calls, or 0.01 of a share
 */
export function stepTowards(
  setting: TuningSetting,
  from: number,
  target: number,
  [low, high]: readonly [number, number],
): number | undefined {
  const kind = KINDS[setting];
  const wanted = Math.min(high, Math.max(low, target));
  let to: number;
  if (kind === 'attempts') to = from + Math.sign(Math.round(wanted) - from);
  else if (kind === 'share') {
    const step = Math.min(SHARE_STEP, Math.max(-SHARE_STEP, wanted - from));
    if (Math.abs(step) < LEAST_SHARE) return undefined;
    to = Math.round((from + step) * 100) / 100;
  } else {
    to = Math.round(Math.min(from * FACTOR, Math.max(from / FACTOR, wanted)));
    if (from === 0 && wanted > 0) to = Math.round(wanted); // a factor of nothing leads nowhere
    if (Math.abs(to - from) < DEAD_BAND * from) return undefined;
  }
  // Rounding may have left the bounds.
  to = Math.min(high, Math.max(low, to));
  return to === from ? undefined : to;
}

/** Holds settings and bounds to their ranges, and to each other. */
export function checkSettings(
  owner: string,
  settings: TuningSettings,
  bounds: TuningBounds,
): TuningSettings {
  checkType(owner, 'settings', settings, 'object');
  checkType(owner, 'bounds', bounds, 'object');
  checkKnown(`${owner}: settings`, settings, TUNING_SETTINGS);
  checkKnown(`${owner}: bounds`, bounds, TUNING_SETTINGS);
  const checked: Partial<Record<TuningSetting, number>> = {};
  for (const setting of TUNING_SETTINGS) {
    const value = settings[setting];
    const bound: unknown = bounds[setting];
    if (value !== undefined) {
      checked[setting] = checkNumber(owner, `settings.${setting}`, value, RANGES[setting]);
    }
    if (bound === undefined) continue;
    if (value === undefined) {
      throw new TypeError(
        `${owner}: bounds.${setting} needs settings.${setting}, the value in force.`,
      );
    }
    if (!Array.isArray(bound) || bound.length !== 2) {
      throw new TypeError(`${owner}: bounds.${setting} must be [low, high], got ${show(bound)}.`);
    }
    const low = checkNumber(owner, `bounds.${setting}[0]`, bound[0], RANGES[setting]);
    const high = checkNumber(owner, `bounds.${setting}[1]`, bound[1], {
      ...RANGES[setting],
      min: low,
      aboveMin: false,
    });
    checkNumber(owner, `settings.${setting}`, value, { min: low, max: high });
  }
  return checked;
}

const DURATION = { min: 0, infinite: false };
const COUNT = { min: 1, integer: true, infinite: false };
const RANGES = {
  attemptTimeoutMs: { ...DURATION, aboveMin: true },
  maxAttempts: COUNT,
  minimumThroughput: COUNT,
  failureRateThreshold: { min: 0, aboveMin: true, max: 1 },
  openDurationMs: DURATION,
  hedgeDelayMs: DURATION,
  initialDelayMs: DURATION,
};
