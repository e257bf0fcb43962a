import { statfs } from 'node:fs/promises';
import type { HealthCheck } from '../check-options.ts';
import { judge, worst } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  textRule,
  thresholdRule,
} from './built-in.ts';
import { mebibytes } from './bytes.ts';

/** Options of {@link diskSpaceCheck}. */
export interface DiskSpaceCheckOptions extends BuiltInCheckOptions {
  /** Any path on the file system. */
  readonly path: string;
  /**
   * Used share, 0 to 1, from which the check is degraded.
   *
   * @defaultValue 0.85
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Used share from which the check is unhealthy.
   *
   * @defaultValue 0.95
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
}

const OWNER = 'diskSpaceCheck';

/**
 * Checks the free space of a file system, and its free inodes if it has any, with `statfs`. Space
 * reserved for root counts as used.
 *
 * @throws {TypeError | RangeError} when an option is missing, unknown or out of range
 */
export function diskSpaceCheck(options: DiskSpaceCheckOptions): HealthCheck {
  const { degraded, unhealthy, path, ...common } = resolveCheckOptions<
    DiskSpaceCheckOptions,
    'path'
  >(
    OWNER,
    options,
    { degraded: 0.85, unhealthy: 0.95 },
    { degraded: thresholdRule, unhealthy: thresholdRule, path: textRule },
  );
  textRule(OWNER, 'path', path);
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  return {
    name: 'disk_space',
    componentType: 'system',
    check: async () => {
      const { bsize, blocks, bavail, files, ffree } = await statfs(path);
      // Virtual file systems report no blocks, and some file systems report no inodes.
      const space = blocks === 0 ? 0 : 1 - bavail / blocks;
      const inodes = files === 0 ? 0 : 1 - ffree / files;
      return {
        status: worst([judge(space, degraded, unhealthy), judge(inodes, degraded, unhealthy)]),
        message:
          `${mebibytes(bavail * bsize)} of ${mebibytes(blocks * bsize)} and ` +
          `${((1 - inodes) * 100).toFixed(0)} % of the inodes are free at ${path}`,
        observed: { name: 'utilization', value: Math.max(space, inodes), unit: '1' },
        details: { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize, inodes },
      };
    },
    ...common,
  };
}
