import { readdir, readFile } from 'node:fs/promises';
import { type OptionRule, resolveOptions } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  textRule,
  thresholdRule,
} from './built-in.ts';

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
  readonly proc?: ProcFiles;
}

interface ProcFiles {
  readonly fd?: string;
  readonly limits?: string;
}

const OWNER = 'fileDescriptorsCheck';
const PROC: Required<ProcFiles> = { fd: '/proc/self/fd', limits: '/proc/self/limits' };

const procRule: OptionRule = (owner, option, value) =>
  void resolveProc(`${owner}: ${option}`, value as ProcFiles);

function resolveProc(owner: string, proc: ProcFiles): Required<ProcFiles> {
  return resolveOptions<ProcFiles>(owner, proc, PROC, { fd: textRule, limits: textRule });
}

/**
 * Checks the number of open file descriptors against the soft limit of the process, beyond which
 * `open`, `accept` and `connect` fail with EMFILE. Needs `/proc` of Linux. On other platforms the check
 * passes with a message that nothing was measured.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function fileDescriptorsCheck(options: FileDescriptorsCheckOptions = {}): HealthCheck {
  const {
    degraded,
    unhealthy,
    proc: given,
    ...common
  } = resolveCheckOptions<FileDescriptorsCheckOptions, 'proc'>(
    OWNER,
    options,
    { degraded: 0.8, unhealthy: 0.95 },
    { degraded: thresholdRule, unhealthy: thresholdRule, proc: procRule },
  );
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  const proc = resolveProc(`${OWNER}: proc`, given ?? {});
  const measurable = process.platform === 'linux' || given !== undefined;
  return {
    name: 'file_descriptors',
    componentType: 'system',
    check: async () => {
      if (!measurable) return { message: `not measured: no /proc on ${process.platform}` };
      // Reading the directory uses one descriptor.
      const open = (await readdir(proc.fd)).length - 1;
      const limit = softLimit(await readFile(proc.limits, 'utf8'));
      const ratio = open / limit;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `${open} of ${limit} file descriptors are open`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { open, limit },
      };
    },
    ...common,
  };
}

function softLimit(limits: string): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  if (soft === undefined) throw new Error("the limits file has no line 'Max open files'");
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
