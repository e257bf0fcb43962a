import { checkType } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';

/** A limiter, by its shape: those of `@temper/ratelimit`, and any like them. */
export interface LimiterLike {
  readonly name: string;
  /** Must tell `availableTokens` and `maxTokens`, or `inFlight` and `limit`. */
  stats(): object;
}

/** Options of {@link limiterCheck}. */
export interface LimiterCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of the limit in use from which on the service is degraded. By default when none is left.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Share from which on it is unhealthy. By default never: a limiter that refuses does its work.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
}

const OWNER = 'limiterCheck';

/**
 * How much of a limit is in use. Named after the limiter, unless told otherwise.
 *
 * @throws {TypeError | RangeError} when it is no limiter, or an option is unknown or out of range
 */
export function limiterCheck(watched: LimiterLike, options: LimiterCheckOptions = {}): HealthCheck {
  checkType(OWNER, 'limiter', watched, 'object');
  checkType(OWNER, 'limiter.stats', watched.stats, 'function');
  levelOf(watched);
  const { degraded, unhealthy } = checkLimits(
    OWNER,
    { degraded: 'degraded', unhealthy: 'unhealthy' },
    { degraded: options.degraded ?? 1, unhealthy: options.unhealthy ?? Number.POSITIVE_INFINITY },
  );
  return builtIn(OWNER, options, ['degraded', 'unhealthy'], {
    name: watched.name,
    check: () => {
      const { limit, remaining } = levelOf(watched);
      const ratio = limit === 0 ? 1 : 1 - remaining / limit;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `${remaining} of ${limit} are left`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { ...watched.stats() },
      };
    },
  });
}

type Levels = Partial<
  Record<'maxTokens' | 'availableTokens' | 'limit' | 'inFlight', number | undefined>
>;

function levelOf(watched: LimiterLike): { readonly limit: number; readonly remaining: number } {
  const { maxTokens, availableTokens, limit, inFlight } = watched.stats() as Levels;
  if (typeof maxTokens === 'number' && typeof availableTokens === 'number') {
    // Part of a token lets nobody through.
    return { limit: maxTokens, remaining: Math.max(0, Math.floor(availableTokens)) };
  }
  if (typeof limit === 'number' && typeof inFlight === 'number') {
    return { limit, remaining: Math.max(0, limit - inFlight) };
  }
  throw new TypeError(
    `${OWNER}: '${watched.name}' must tell availableTokens and maxTokens, or inFlight and limit, in its stats().`,
  );
}
