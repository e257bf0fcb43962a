import type { Rule } from './rule.ts';

/** A queue, as far as a forecast needs to know it. */
export interface Queued {
  /** How many calls wait. */
  readonly size: number;
  /** The costs of the waiting calls together. */
  readonly cost: number;
  /** Grows with each event that no forecast includes: a call leaves, or is served late. */
  readonly deviations: number;
  /** The costs of the waiting calls, in order. */
  costs(): Iterable<number>;
}

/** Computes when a call that joins a queue gets its turn. Asked once for each such call, in order. */
export interface Forecast {
  readonly rule: Rule;
  /**
   * @param state - of the limiter, from `at` on
   * @param deadline - of the call; it is refused when its turn comes later
   * @returns when `cost` could be taken after all calls in the queue, on the scale of `now`
   */
  next(
    state: Float64Array,
    at: number,
    queue: Queued,
    cost: number,
    deadline: number,
    now: number,
  ): number;
}

/** A rule whose units do not come back evenly, so that a forecast takes more than `delay`. */
export interface ForecastRule extends Rule {
  /** Creates the forecast of a queue. */
  createForecast(): Forecast;
}

/** A wait in whole milliseconds: timers drop fractions, and would fire too early. */
export function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms - 1e-6));
}

/** The forecast of a rule; for one whose units come back evenly, by what waits altogether. */
export function forecastOf(rule: Rule): Forecast {
  return (rule as Partial<ForecastRule>).createForecast?.() ?? { rule, next: evenly };
}

function evenly(
  this: Forecast,
  ...[state, at, queue, cost, deadline, now]: Parameters<Forecast['next']>
): number {
  // A call without a deadline needs no forecast.
  if (queue.size > 0 && deadline === Number.POSITIVE_INFINITY) return now;
  const delay = this.rule.delay(state, at, now, queue.cost + cost);
  return delay === 0 ? now : now + wholeMs(delay);
}
