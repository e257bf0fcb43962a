import { totalmem } from 'node:os';
import { checkKnown } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';
import { mebibytes } from './bytes.ts';
import { type CgroupPaths, cgroupMemoryLimit } from './cgroup.ts';

/** Options of {@link memoryCheck}. */
export interface MemoryCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of the limit from which on the service is degraded.
   *
   * @defaultValue 0.85
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Share from which on it is unhealthy.
   *
   * @defaultValue 0.95
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
  /** Where the limit is read. @defaultValue the kernel's own files */
  readonly cgroup?: CgroupPaths;
}

const OWNER = 'memoryCheck';

/**
 * The process's resident memory against the limit of its cgroup (version 1 or 2), at which the kernel
 * kills it. Where no limit is set, against the memory of the machine.
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
        message: `${mebibytes(usedBytes)} of ${mebibytes(limitBytes)} (${source}) are resident`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { usedBytes, limitBytes, source },
      };
    },
  });
}
