import { forecastOf } from '../rules/forecast.ts';
import { QueuedTurns, type QueueParts } from '../wait/queued-turns.ts';
import type { RateParts, RuleLimiter } from './rate-limiter.ts';

/** When calls that wait for a rate limiter get their turn follows from its rule. */
const PARTS: QueueParts<RuleLimiter<object>> = {
  foresee: (limiter) => {
    let forecast = forecastOf(limiter.rule);
    return (...call) => {
      const { rule, state, blockedUntil } = limiter;
      if (forecast.rule !== rule) forecast = forecastOf(rule);
      return Math.max(forecast.next(state, 0, ...call), blockedUntil);
    };
  },
};

/** The queue of a rate limiter. */
export const createTurns: RateParts['createTurns'] = (limiter, options, observer) =>
  new QueuedTurns(limiter, options, observer, PARTS);
