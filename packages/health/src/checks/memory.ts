import { totalmem } from 'node:os';
import { type CgroupPaths, cgroupMemory, cgroupRule } from '../cgroup.ts';
import type { HealthCheck } from '../check-options.ts';
import { judge, worst } from '../status.ts';
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
  /**
   * Share of the last ten seconds, 0 to 1, in which every process of the cgroup waited for memory, from
   * which the check is degraded. Linux tells it with cgroup version 2 and pressure stall information.
   *
   * @defaultValue 0.1
   * @throws {RangeError} at construction, unless >= 0; `Infinity` ignores it
   */
  readonly degradedPressure?: number;
  /** Files that describe the cgroup. @defaultValue those of the kernel */
  readonly cgroup?: CgroupPaths;
}

const OWNER = 'memoryCheck';

/**
 * Checks the memory of the cgroup (version 1 or 2) against its limit, at which the kernel kills one of its
 * processes. All processes of the cgroup count, file pages that the kernel can drop do not. Of nested
 * cgroups the one nearest to its limit decides. Without a limit the resident memory of this process is
 * compared with the memory of the machine.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function memoryCheck(options: MemoryCheckOptions = {}): HealthCheck {
  const { degraded, unhealthy, degradedPressure, cgroup, ...common } =
    resolveCheckOptions<MemoryCheckOptions>(
      OWNER,
      options,
      { degraded: 0.85, unhealthy: 0.95, degradedPressure: 0.1, cgroup: {} },
      {
        degraded: thresholdRule,
        unhealthy: thresholdRule,
        degradedPressure: thresholdRule,
        cgroup: cgroupRule,
      },
    );
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  return {
    name: 'memory',
    componentType: 'system',
    check: async () => {
      const { limitBytes, usedBytes, source, pressure } =
        (await cgroupMemory(cgroup)) ?? machineMemory();
      const ratio = usedBytes / limitBytes;
      const isUnderPressure = pressure !== undefined && pressure >= degradedPressure;
      const share = Math.round((pressure ?? 0) * 100);
      const waits = isUnderPressure
        ? `; all processes waited for memory ${share} % of the time`
        : '';
      return {
        status: worst([
          judge(ratio, degraded, unhealthy),
          isUnderPressure ? 'degraded' : 'healthy',
        ]),
        message: `${mebibytes(usedBytes)} of ${mebibytes(limitBytes)} are used (${source})${waits}`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { usedBytes, limitBytes, source, ...(pressure === undefined ? {} : { pressure }) },
      };
    },
    ...common,
  };
}

function machineMemory() {
  return {
    limitBytes: totalmem(),
    usedBytes: process.memoryUsage.rss(),
    source: 'machine',
    pressure: undefined,
  };
}
