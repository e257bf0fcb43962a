import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  thresholdRule,
} from './built-in.ts';

/** Options of {@link eventLoopUtilizationCheck}. */
export interface EventLoopUtilizationCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of time, 0 to 1, that the event loop is busy, from which the check is degraded.
   *
   * @defaultValue 0.9
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Share from which the check is unhealthy. A value above 1 disables it.
   *
   * @defaultValue 0.98
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
}

const OWNER = 'eventLoopUtilizationCheck';

/**
 * Checks how busy the event loop was since the previous probe, with `performance.eventLoopUtilization`
 * (https://nodesource.com/blog/event-loop-utilization-nodejs).
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function eventLoopUtilizationCheck(
  options: EventLoopUtilizationCheckOptions = {},
): HealthCheck {
  const { degraded, unhealthy, ...common } = resolveCheckOptions<EventLoopUtilizationCheckOptions>(
    OWNER,
    options,
    { degraded: 0.9, unhealthy: 0.98 },
    { degraded: thresholdRule, unhealthy: thresholdRule },
  );
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  let before: EventLoopUtilization | undefined;
  return {
    name: 'event_loop_utilization',
    componentType: 'system',
    check: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } =
        before === undefined ? now : performance.eventLoopUtilization(now, before);
      before = now;
      return {
        status: judge(utilization, degraded, unhealthy),
        message: `event loop was busy ${(utilization * 100).toFixed(1)} % of the time`,
        observed: { name: 'utilization', value: utilization, unit: '1' },
      };
    },
    ...common,
  };
}
