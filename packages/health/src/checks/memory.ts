import { totalmem } from 'node:os';
import { checkKnown } from '@temper/core';
import { type CgroupPaths, cgroupMemoryLimit } from '../cgroup.ts';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';
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
  const { degraded, unhealthy } = checkLimits(
    OWNER,
    { degraded: 'degraded', unhealthy: 'unhealthy' },
    { degraded: options.degraded ?? 0.85, unhealthy: options.unhealthy ?? 0.95 },
  );
  const cgroup = options.cgroup ?? {};
  checkKnown(`${OWNER}: cgroup`, cgroup, ['root', 'membership']);
  return builtIn(OWNER, options, ['degraded', 'unhealthy', 'cgroup'], {
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
  });
}
