import { checkName, checkType } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  thresholdRule,
} from './built-in.ts';
import { snapshotOf } from './snapshot.ts';

/** Anything with the shape of a limiter of `@temper/ratelimit`. */
export interface LimiterLike {
  readonly name: string;
  /** Must contain `availableTokens` and `maxTokens`, `remaining` and `limit`, or `inFlight` and `limit`. */
  stats(): object;
}

/** Options of {@link limiterCheck}. */
export interface LimiterCheckOptions extends BuiltInCheckOptions {
  /**
   * Used share of the limit, 0 to 1, from which the check is degraded.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Used share from which the check is unhealthy. Disabled by default, because a limiter that rejects
   * calls works as intended.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
}

const OWNER = 'limiterCheck';

/**
 * Checks how much of a limit is used. Its name is that of the limiter by default.
 *
 * @throws {TypeError | RangeError} when `watched` is no limiter, or an option is unknown or out of range
 */
export function limiterCheck(watched: LimiterLike, options: LimiterCheckOptions = {}): HealthCheck {
  checkType(OWNER, 'limiter', watched, 'object');
  checkType(OWNER, 'limiter.stats', watched.stats, 'function');
  levelOf(watched);
  const { degraded, unhealthy, ...common } = resolveCheckOptions<LimiterCheckOptions>(
    OWNER,
    options,
    { degraded: 1, unhealthy: Number.POSITIVE_INFINITY },
    { degraded: thresholdRule, unhealthy: thresholdRule },
  );
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  return {
    name: common.name ?? checkName(OWNER, watched.name),
    check: () => {
      const { limit, remaining } = levelOf(watched);
      const ratio = limit === 0 ? 1 : 1 - remaining / limit;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `${remaining} of ${limit} are left`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { ...snapshotOf(OWNER, watched) },
      };
    },
    ...common,
  };
}

type Levels = Partial<
  Record<'maxTokens' | 'availableTokens' | 'limit' | 'remaining' | 'inFlight', number | undefined>
>;

function levelOf(watched: LimiterLike): { readonly limit: number; readonly remaining: number } {
  const stats: Levels = snapshotOf(OWNER, watched);
  const { maxTokens, availableTokens, limit, remaining, inFlight } = stats;
  if (typeof maxTokens === 'number' && typeof availableTokens === 'number') {
    // A fraction of a token admits no call.
    return { limit: maxTokens, remaining: Math.max(0, Math.floor(availableTokens)) };
  }
  if (typeof limit === 'number' && typeof remaining === 'number') {
    return { limit, remaining: Math.max(0, Math.floor(remaining)) };
  }
  if (typeof limit === 'number' && typeof inFlight === 'number') {
    return { limit, remaining: Math.max(0, limit - inFlight) };
  }
  throw new TypeError(
    `${OWNER}: '${watched.name}' must return availableTokens and maxTokens, remaining and limit, or inFlight and limit, from stats().`,
  );
}
