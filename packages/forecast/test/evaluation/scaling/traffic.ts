import { seededRandom } from '@temper/testkit';

/** Length of a tick of the simulation, in seconds. */
export const TICK_S = 5;
const DAY_S = 86_400;
const WEEK_S = 7 * DAY_S;
/** Weeks before the one that is measured. */
const WEEKS_BEFORE = 2;

/** What the demand of the measured week is like. */
export const KINDS = ['usual', 'opening', 'events', 'no-season'] as const;
export type Kind = (typeof KINDS)[number];

export interface Traffic {
  readonly kind: Kind;
  readonly seed: number;
  /** Calls that arrive in each tick of all weeks. */
  readonly arrivals: Float64Array;
  /** First tick of the week that is measured. */
  readonly from: number;
  /** Time that a replica needs before it serves calls, in seconds. */
  readonly startS: number;
}

/**
 * Three weeks of calls, Monday first. `usual`: days and weeks, noise, a little growth. `opening`: as usual,
 * and at nine o'clock of each working day everybody comes within a minute. `events`: as usual; in the
 * measured week a Monday that fails until noon, a holiday, and a crowd that nobody expected. `no-season`:
 * a random walk.
 */
export function simulateTraffic(kind: Kind, seed: number): Traffic {
  const chance = seededRandom(seed * 7919 + KINDS.indexOf(kind) * 104_729);
  const between = (low: number, high: number): number => low + (high - low) * chance();
  const peak = between(1500, 6000);
  const night = between(0.12, 0.3);
  const weekend = between(0.4, 0.75);
  const growth = between(-0.03, 0.06);
  const noon = between(10.5, 12);
  const second = between(15, 20);
  const opening = between(1.5, 2.2);
  const startS = between(60, 180);
  const crowd = {
    at: between(3.3, 3.7) * DAY_S,
    factor: between(2, 3),
    lasts: between(1200, 4800),
  };
  const ticks = ((WEEKS_BEFORE + 1) * WEEK_S) / TICK_S;
  const from = (WEEKS_BEFORE * WEEK_S) / TICK_S;
  const arrivals = new Float64Array(ticks);
  let slow = 0;
  let walk = 0;
  for (let tick = 0; tick < ticks; tick++) {
    const at = tick * TICK_S;
    const normal = gauss(chance);
    // Slow noise: 4 % with a time constant of 20 minutes.
    slow += (-slow * TICK_S) / 1200 + 0.04 * Math.sqrt((2 * TICK_S) / 1200) * normal;
    walk = walk * (1 - TICK_S / 40_000) + 0.5 * Math.sqrt((2 * TICK_S) / 40_000) * normal;
    const day = Math.floor(at / DAY_S) % 7;
    const hour = (at % DAY_S) / 3600;
    let level = peak * (1 + (growth * at) / WEEK_S);
    if (kind === 'no-season') {
      level *= 0.5 * Math.exp(walk);
    } else {
      level *= shape(hour, night, noon, second) * (day >= 5 ? weekend : 1) * Math.exp(slow);
      if (kind === 'opening' && day < 5) level *= 1 + (opening - 1) * burst(at % DAY_S, 9 * 3600);
      if (kind === 'events' && tick >= from) level *= event(at - WEEKS_BEFORE * WEEK_S, crowd);
    }
    const mean = Math.max(0, level * TICK_S);
    arrivals[tick] = Math.max(0, Math.round(mean + Math.sqrt(mean) * gauss(chance)));
  }
  return { kind, seed, arrivals, from, startS };
}

/** A working day: low at night, two humps. From `night` to about 1. */
function shape(hour: number, night: number, noon: number, second: number): number {
  const hump = (at: number, width: number): number => {
    const off = Math.min(Math.abs(hour - at), 24 - Math.abs(hour - at));
    return Math.exp(-((off / width) ** 2));
  };
  return night + (1 - night) * Math.min(1, hump(noon, 2.5) + 0.9 * hump(second, 3));
}

/** Rises to 1 within a minute, and falls over twenty. */
function burst(second: number, at: number): number {
  const since = second - at;
  if (since < -30) return 0;
  return since < 30 ? (since + 30) / 60 : Math.exp(-(since - 30) / 1200);
}

function event(at: number, crowd: { at: number; factor: number; lasts: number }): number {
  if (at < 12 * 3600) return at < 7 * 3600 ? 1 : 0.15;
  if (at < 14 * 3600 && at < DAY_S) return 1.3;
  if (at >= 2 * DAY_S && at < 3 * DAY_S) return 0.5;
  const since = at - crowd.at;
  if (since < 0 || since > crowd.lasts) return 1;
  return 1 + (crowd.factor - 1) * Math.min(1, since / 180);
}

/** A number of the standard normal distribution. */
function gauss(chance: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}
