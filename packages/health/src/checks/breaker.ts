import { checkOneOf, checkType } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import type { HealthStatus } from '../status.ts';
import { type BuiltInCheckOptions, builtIn } from './built-in.ts';

/** A circuit breaker, by its shape: those of `@temper/breaker`, and any like them. */
export interface BreakerLike {
  readonly name: string;
  /** `closed` is well, `half-open` is being tried; anything else is not letting calls through. */
  readonly state: string;
  stats(): object;
}

/** Options of {@link breakerCheck}. */
export interface BreakerCheckOptions extends BuiltInCheckOptions {
  /**
   * What an open or isolated circuit means. Degraded, as a service is made to live with it.
   *
   * @defaultValue 'degraded'
   */
  readonly openStatus?: Exclude<HealthStatus, 'healthy'>;
}

const OWNER = 'breakerCheck';

/**
 * Whether a circuit lets calls through. Named after the breaker, unless told otherwise.
 *
 * @throws {TypeError} when it is no breaker, or an option is unknown or wrong
 */
export function breakerCheck(watched: BreakerLike, options: BreakerCheckOptions = {}): HealthCheck {
  checkType(OWNER, 'breaker', watched, 'object');
  checkType(OWNER, 'breaker.state', watched.state, 'string');
  checkType(OWNER, 'breaker.stats', watched.stats, 'function');
  const openStatus = checkOneOf(OWNER, 'openStatus', options.openStatus ?? 'degraded', [
    'degraded',
    'unhealthy',
  ]);
  return builtIn(OWNER, options, ['openStatus'], {
    name: watched.name,
    dependency: true,
    check: () => {
      const { state } = watched;
      return {
        status: state === 'closed' ? 'healthy' : state === 'half-open' ? 'degraded' : openStatus,
        message: `the circuit is ${state}`,
        observed: { name: 'state', value: state },
        details: { ...watched.stats() },
      };
    },
  });
}
