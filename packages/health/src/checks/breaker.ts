import { checkName, checkType, oneOfRule } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import type { HealthStatus } from '../status.ts';
import { type BuiltInCheckOptions, resolveCheckOptions } from './built-in.ts';
import { snapshotOf } from './snapshot.ts';

/** Anything with the shape of a circuit breaker of `@temper/breaker`. */
export interface BreakerLike {
  readonly name: string;
  /** `closed` is healthy, `half-open` degraded; any other value means that calls are rejected. */
  readonly state: string;
  stats(): object;
}

/** Options of {@link breakerCheck}. */
export interface BreakerCheckOptions extends BuiltInCheckOptions {
  /**
   * Status of an open or isolated circuit. Degraded by default, because the service has a fallback.
   *
   * @defaultValue 'degraded'
   */
  readonly openStatus?: Exclude<HealthStatus, 'healthy'>;
}

const OWNER = 'breakerCheck';

/**
 * Checks whether a circuit breaker lets calls through. Its name is that of the breaker by default.
 *
 * @throws {TypeError} when `watched` is no breaker, or an option is unknown or invalid
 */
export function breakerCheck(watched: BreakerLike, options: BreakerCheckOptions = {}): HealthCheck {
  checkType(OWNER, 'breaker', watched, 'object');
  checkType(OWNER, 'breaker.state', watched.state, 'string');
  checkType(OWNER, 'breaker.stats', watched.stats, 'function');
  const { openStatus, ...common } = resolveCheckOptions<BreakerCheckOptions>(
    OWNER,
    options,
    { openStatus: 'degraded' },
    { openStatus: oneOfRule(['degraded', 'unhealthy']) },
  );
  return {
    name: common.name ?? checkName(OWNER, watched.name),
    dependency: true,
    check: () => {
      const { state } = watched;
      return {
        status: state === 'closed' ? 'healthy' : state === 'half-open' ? 'degraded' : openStatus,
        message: `circuit is ${state}`,
        observed: { name: 'state', value: state },
        details: { ...snapshotOf(OWNER, watched) },
      };
    },
    ...common,
  };
}
