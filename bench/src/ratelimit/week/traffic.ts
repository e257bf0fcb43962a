import { exponential, seeded } from '../simulation/events.ts';

export const HOUR_MS: number = 3_600_000;
export const DAY_MS: number = 24 * HOUR_MS;
export const WEEK_MS: number = 7 * DAY_MS;
/** Rates are constant for so long. */
const STEP_MS = 300_000;

/** Who calls: users, a client that has gone wild, and the jobs that use the capacity of the night. */
export const CALLERS = ['search', 'runaway', 'batch'] as const;
export type Caller = (typeof CALLERS)[number];

/** Hours of the week, from Monday at midnight. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

/** A week of traffic. */
export interface Week {
  /** The runaway client makes twelve calls per second in these hours. */
  readonly runaway?: readonly Hours[];
  /** Factor of the number of users in these hours. */
  readonly crowd?: Hours & { readonly factor: number };
  /** Factor from one day to the next. */
  readonly growth?: number;
  /** Hours by which everything is earlier. */
  readonly earlier?: number;
}

const within = (hour: number, hours: Hours | undefined): boolean =>
  hours !== undefined && hour >= hours.from && hour < hours.to;

/**
 * Calls per second of a caller at an hour of the week. Users: half a call per second at two at night, four
 * at two in the afternoon, at the weekend three fifths of that. Jobs: three from midnight to five.
 */
function rateOf(caller: Caller, hour: number, week: Week): number {
  if (caller === 'runaway') return week.runaway?.some((one) => within(hour, one)) ? 12 : 0;
  if (caller === 'batch') return hour % 24 < 5 ? 3 : 0;
  const moved = hour + (week.earlier ?? 0);
  const day = Math.floor(moved / 24) % 7;
  const wave = ((1 - Math.cos((2 * Math.PI * (moved - 2)) / 24)) / 2) ** 1.5;
  const crowd = within(hour, week.crowd) ? week.crowd!.factor : 1;
  return (
    (0.5 + 3.5 * wave) * (day < 5 ? 1 : 0.6) * (week.growth ?? 1) ** Math.floor(hour / 24) * crowd
  );
}

/**
 * The calls of one caller in the order of time: a Poisson process. The rate of users has a noise of 8 %
 * with a time constant of half an hour.
 */
export class Arrivals {
  readonly #caller: Caller;
  readonly #week: Week;
  readonly #random: () => number;
  #noise = 0;
  #step = -1;
  #rate = 0;

  constructor(caller: Caller, week: Week, seed: number) {
    this.#caller = caller;
    this.#week = week;
    this.#random = seeded(seed * 31 + CALLERS.indexOf(caller));
  }

  /** When the next call comes, in milliseconds from Monday at midnight; `Infinity` after the week. */
  after(now: number): number {
    let at = now;
    for (;;) {
      const step = Math.floor(at / STEP_MS);
      if (step * STEP_MS >= WEEK_MS) return Number.POSITIVE_INFINITY;
      this.#advance(step);
      const next = at + exponential(1000 / this.#rate, this.#random);
      const end = (step + 1) * STEP_MS;
      if (next < end) return next;
      at = end;
    }
  }

  #advance(step: number): void {
    for (; this.#step < step; this.#step++) {
      const keep = Math.exp(-STEP_MS / (HOUR_MS / 2));
      const gauss =
        Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
      this.#noise = keep * this.#noise + 0.08 * Math.sqrt(1 - keep ** 2) * gauss;
    }
    const hour = ((step + 0.5) * STEP_MS) / HOUR_MS;
    const noise = this.#caller === 'search' ? Math.exp(this.#noise) : 1;
    this.#rate = rateOf(this.#caller, hour, this.#week) * noise;
  }
}
