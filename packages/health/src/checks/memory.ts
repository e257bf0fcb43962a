import { totalmem } from 'node:os';
import { type CgroupPaths, cgroupMemoryLimit, cgroupRule } from '../cgroup.ts';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  thresholdRule,
} from './built-in.ts';
import { mebibytes } from './bytes.ts';

/** Options of {@link memoryCheck}. */
export interface MemoryCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of the limit, 0 to 1, from which the check is degraded.
   *
   * @defaultValue 0.85
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Share from which the check is unhealthy.
   *
   * @defaultValue 0.95
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
  /** Files that describe the cgroup. @defaultValue those of the kernel */
  readonly cgroup?: CgroupPaths;
}

const OWNER = 'memoryCheck';

/**
 * Checks the resident memory of the process against the limit of its cgroup (version 1 or 2), at which
 * the kernel kills it. Without a limit it is compared with the memory of the machine.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function memoryCheck(options: MemoryCheckOptions = {}): HealthCheck {
  const { degraded, unhealthy, cgroup, ...common } = resolveCheckOptions<MemoryCheckOptions>(
    OWNER,
    options,
    { degraded: 0.85, unhealthy: 0.95, cgroup: {} },
    { degraded: thresholdRule, unhealthy: thresholdRule, cgroup: cgroupRule },
  );
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  return {
    name: 'memory',
    componentType: 'system',
    check: async () => {
      const { limitBytes, source } = (await cgroupMemoryLimit(cgroup)) ?? {
        limitBytes: totalmem(),
        source: 'machine',
      };
      const usedBytes = process.memoryUsage.rss();
      const ratio = usedBytes / limitBytes;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `resident memory is ${mebibytes(usedBytes)} of ${mebibytes(limitBytes)} (${source})`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { usedBytes, limitBytes, source },
      };
    },
    ...common,
  };
}
