import { checkType } from '@temper/core/policy';
import type { ScalingSources } from './options.ts';

/** What a limit of concurrency of `@temper/ratelimit` counts. */
interface LimiterCounts {
  readonly allowed: number;
  readonly delayed: number;
  readonly rejected: number;
  readonly aborted: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly limit: number;
}

/**
 * Sources of a scaling signal from a `concurrency` or `adaptiveConcurrency` of `@temper/ratelimit` that all calls of this process pass. Arrivals are all calls, those that were
 * rejected included; the concurrency is the present limit.
 *
 * @param more - further sources, such as `replicas`
 * @throws {TypeError} when `limiter` has no method `stats`
 */
export function limiterSources(
  limiter: { stats(): LimiterCounts },
  more: Partial<ScalingSources> = {},
): ScalingSources {
  checkType('limiterSources', 'limiter', limiter, 'object');
  checkType('limiterSources', 'limiter.stats', limiter.stats, 'function');
  return {
    arrivals: () => {
      const { allowed, delayed, rejected, aborted, queued } = limiter.stats();
      return allowed + delayed + rejected + aborted + queued;
    },
    inFlight: () => limiter.stats().inFlight,
    queued: () => limiter.stats().queued,
    rejected: () => {
      const { rejected, aborted } = limiter.stats();
      return rejected + aborted;
    },
    concurrency: () => limiter.stats().limit,
    ...more,
  };
}
