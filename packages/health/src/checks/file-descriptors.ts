import { readdir, readFile } from 'node:fs/promises';
import { checkKnown } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';

/** Options of {@link fileDescriptorsCheck}. */
export interface FileDescriptorsCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of the limit, 0 to 1, from which the check is degraded.
   *
   * @defaultValue 0.8
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
   * Files that list the open descriptors and the limit.
   *
   * @defaultValue `/proc/self/fd` and `/proc/self/limits`
   */
  readonly proc?: { readonly fd?: string; readonly limits?: string };
}

const OWNER = 'fileDescriptorsCheck';

/**
 * Checks the number of open file descriptors against the soft limit of the process, beyond which
 * `open`, `accept` and `connect` fail with EMFILE. Needs `/proc` of Linux. On other platforms the check
 * passes with a message that nothing was measured.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function fileDescriptorsCheck(options: FileDescriptorsCheckOptions = {}): HealthCheck {
  const { degraded, unhealthy } = checkLimits(
    OWNER,
    { degraded: 'degraded', unhealthy: 'unhealthy' },
    { degraded: options.degraded ?? 0.8, unhealthy: options.unhealthy ?? 0.95 },
  );
  const proc = options.proc ?? {};
  checkKnown(`${OWNER}: proc`, proc, ['fd', 'limits']);
  const measurable = process.platform === 'linux' || options.proc !== undefined;
  return builtIn(OWNER, options, ['degraded', 'unhealthy', 'proc'], {
    name: 'file_descriptors',
    componentType: 'system',
    check: async () => {
      if (!measurable) return { message: `not measured: no /proc on ${process.platform}` };
      // Reading the directory uses one descriptor.
      const open = (await readdir(proc.fd ?? '/proc/self/fd')).length - 1;
      const limit = softLimit(await readFile(proc.limits ?? '/proc/self/limits', 'utf8'));
      const ratio = open / limit;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `${open} of ${limit} file descriptors are open`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { open, limit },
      };
    },
  });
}

function softLimit(limits: string): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  if (soft === undefined) throw new Error("the limits file has no line 'Max open files'");
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
