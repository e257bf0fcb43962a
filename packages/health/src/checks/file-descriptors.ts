import { readdir, readFile } from 'node:fs/promises';
import { checkKnown } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';

/** Options of {@link fileDescriptorsCheck}. */
export interface FileDescriptorsCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of the limit from which on the service is degraded.
   *
   * @defaultValue 0.8
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
  /**
   * Where open descriptors are listed and the limit is stated.
   *
   * @defaultValue the kernel's own files, `/proc/self/fd` and `/proc/self/limits`
   */
  readonly proc?: { readonly fd?: string; readonly limits?: string };
}

const OWNER = 'fileDescriptorsCheck';

/**
 * Open file descriptors against the process's soft limit, past which every `open`, `accept` and
 * `connect` fails with EMFILE. Needs Linux's `/proc`; elsewhere it passes, and says that it measured
 * nothing.
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
      if (!measurable) return { message: `not measured: there is no /proc on ${process.platform}` };
      // Reading the directory takes a descriptor of its own.
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
  if (soft === undefined) throw new Error("no line 'Max open files' where limits are stated");
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
