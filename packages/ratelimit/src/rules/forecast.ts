import { type Forecast, type Rule, wholeMs } from './rule.ts';

/** The forecast of a rule; for one whose units come back evenly, by what waits altogether. */
export function forecastOf(rule: Rule): Forecast {
  return rule.createForecast?.() ?? { rule, next: evenly };
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
