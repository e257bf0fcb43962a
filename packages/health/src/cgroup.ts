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

/** A memory limit and its source. */
export interface MemoryLimit {
  readonly limitBytes: number;
  readonly source: 'cgroup v2' | 'cgroup v1';
}

/** Version 1 expresses "unlimited" as the largest page-aligned number, about 2^63. */
const V1_UNLIMITED = 2 ** 62;

/**
 * The lowest memory limit of the process's cgroup and its ancestors, because the kernel enforces each
 * of them. Undefined if there is none.
 *
 * Sources: Linux, Documentation/admin-guide/cgroup-v2.rst (`memory.max`) and cgroup-v1/memory.rst
 * (`memory.limit_in_bytes`).
 */
export async function cgroupMemoryLimit(paths: CgroupPaths = {}): Promise<MemoryLimit | undefined> {
  const { root, membership } = resolvePaths('cgroup', paths);
  const lines = ((await readText(membership)) ?? '').split('\n');
  // A process can be in both hierarchies, but only one of them controls memory.
  for (const line of lines) {
    const [, controllers, path = '/'] = line.split(':');
    if (controllers?.split(',').includes('memory')) {
      return tightest(join(root, 'memory'), path, 'memory.limit_in_bytes', 'cgroup v1');
    }
  }
  const unified = lines.find((line) => line.startsWith('0::'))?.slice('0::'.length) ?? '/';
  return tightest(root, unified, 'memory.max', 'cgroup v2');
}

async function tightest(
  mount: string,
  path: string,
  file: string,
  source: MemoryLimit['source'],
): Promise<MemoryLimit | undefined> {
  // Inside a container the path may be that of the host, which does not exist here. The root of the
  // mount is then the cgroup of the container.
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  let limitBytes = Number.POSITIVE_INFINITY;
  for (let depth = parts.length; depth >= 0; depth--) {
    const text = await readText(join(mount, ...parts.slice(0, depth), file));
    const limit = text === undefined || text.trim() === 'max' ? Number.NaN : Number(text);
    if (limit > 0 && limit < V1_UNLIMITED) limitBytes = Math.min(limitBytes, limit);
  }
  return limitBytes === Number.POSITIVE_INFINITY ? undefined : { limitBytes, source };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // not this version of cgroups, or not Linux
  }
}
