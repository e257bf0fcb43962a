import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type OptionRule, resolveOptions, typeRule } from '@temper/core/policy';

/** Files of the kernel that describe the cgroup of the process. Tests replace them. */
export interface CgroupPaths {
  /** @defaultValue '/sys/fs/cgroup' */
  readonly root?: string;
  /** @defaultValue '/proc/self/cgroup' */
  readonly membership?: string;
}

const DEFAULTS: Required<CgroupPaths> = { root: '/sys/fs/cgroup', membership: '/proc/self/cgroup' };

function resolvePaths(owner: string, paths: CgroupPaths): Required<CgroupPaths> {
  const rules = { root: typeRule('string'), membership: typeRule('string') };
  return resolveOptions<CgroupPaths>(owner, paths, DEFAULTS, rules);
}

/** Validates an option that holds {@link CgroupPaths}. */
export const cgroupRule: OptionRule = (owner, option, value) =>
  void resolvePaths(`${owner}: ${option}`, value as CgroupPaths);

/** The memory of a cgroup that has a limit. */
export interface CgroupMemory {
  readonly limitBytes: number;
  /**
   * Memory of all processes in it that the kernel cannot take back at once: without the file pages that
   * nobody has used lately.
   */
  readonly usedBytes: number;
  readonly source: 'cgroup v2' | 'cgroup v1';
  /**
   * Share of the last ten seconds, 0 to 1, in which all its processes waited for memory at the same time
   * (pressure stall information). Undefined where the kernel does not tell.
   */
  readonly pressure: number | undefined;
}

/** The names of one version of cgroups. */
interface Version {
  readonly source: CgroupMemory['source'];
  readonly limit: string;
  readonly usage: string;
  /** Key in `memory.stat` of file pages that can be dropped. */
  readonly inactive: string;
}

const V1: Version = {
  source: 'cgroup v1',
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  inactive: 'total_inactive_file',
};
const V2: Version = {
  source: 'cgroup v2',
  limit: 'memory.max',
  usage: 'memory.current',
  inactive: 'inactive_file',
};

/** Version 1 expresses "unlimited" as the largest page-aligned number, about 2^63. */
const V1_UNLIMITED = 2 ** 62;

/**
 * The memory of the process's cgroup, or of the ancestor that is nearest to its limit, because the kernel
 * enforces the limit of each of them and counts all processes in it. Undefined without a limit.
 *
 * Sources: Linux, Documentation/admin-guide/cgroup-v2.rst (`memory.max`, `memory.current`,
 * `memory.stat`, `memory.pressure`) and cgroup-v1/memory.rst.
 */
export async function cgroupMemory(paths: CgroupPaths = {}): Promise<CgroupMemory | undefined> {
  const { root, membership } = resolvePaths('cgroup', paths);
  const lines = ((await readText(membership)) ?? '').split('\n');
  // A process can be in both hierarchies, but only one of them controls memory.
  for (const line of lines) {
    const [, controllers, path = '/'] = line.split(':');
    if (controllers?.split(',').includes('memory')) {
      return nearestToLimit(join(root, 'memory'), path, V1);
    }
  }
  const unified = lines.find((line) => line.startsWith('0::'))?.slice('0::'.length) ?? '/';
  return nearestToLimit(root, unified, V2);
}

async function nearestToLimit(
  mount: string,
  path: string,
  version: Version,
): Promise<CgroupMemory | undefined> {
  // Inside a container the path may be that of the host, which does not exist here. The root of the
  // mount is then the cgroup of the container.
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  let nearest: CgroupMemory | undefined;
  for (let depth = parts.length; depth >= 0; depth--) {
    const found = await readCgroup(join(mount, ...parts.slice(0, depth)), version);
    if (found === undefined) continue;
    if (nearest === undefined || free(found) < free(nearest)) nearest = found;
  }
  return nearest;
}

/** The share of its limit that is left. */
function free({ usedBytes, limitBytes }: CgroupMemory): number {
  return 1 - usedBytes / limitBytes;
}

async function readCgroup(
  directory: string,
  { source, limit, usage, inactive }: Version,
): Promise<CgroupMemory | undefined> {
  const limitBytes = numberIn(await readText(join(directory, limit)));
  if (!(limitBytes > 0 && limitBytes < V1_UNLIMITED)) return undefined;
  // An ancestor may be visible without its usage; its limit alone says nothing.
  const used = numberIn(await readText(join(directory, usage)));
  const stat = (await readText(join(directory, 'memory.stat'))) ?? '';
  const inactiveFile = Number(new RegExp(`^${inactive} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
  const usedBytes = Number.isNaN(used) ? 0 : Math.max(0, used - inactiveFile);
  const full = /^full avg10=([\d.]+)/m.exec(
    (await readText(join(directory, 'memory.pressure'))) ?? '',
  );
  const pressure = full === null ? undefined : Number(full[1]) / 100;
  return { limitBytes, usedBytes, source, pressure };
}

/** `NaN` for no file, and for `max`. */
function numberIn(text: string | undefined): number {
  return text === undefined || text.trim() === '' ? Number.NaN : Number(text);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // not this version of cgroups, or not Linux
  }
}
