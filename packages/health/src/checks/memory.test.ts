import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cgroupMemoryLimit } from '../cgroup.ts';
import { healthMonitor } from '../monitor.ts';
import { memoryCheck } from './memory.ts';

const MIB = 1_048_576;
const V1_UNLIMITED = '9223372036854771712\n';
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'temper-cgroup-'));
});
afterEach(() => rm(root, { recursive: true }));

/** Writes files as the kernel would present them, and reads the limit from them. */
async function limitOf(membership: string, files: Readonly<Record<string, string>>) {
  await writeFile(join(root, 'membership'), membership);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return cgroupMemoryLimit({ root, membership: join(root, 'membership') });
}

describe('cgroup version 2', () => {
  it('reads the limit from memory.max', async () => {
    const limit = await limitOf('0::/kubepods/pod1/c1\n', {
      'kubepods/pod1/c1/memory.max': '536870912\n',
    });
    expect(limit).toEqual({ limitBytes: 512 * MIB, source: 'cgroup v2' });
  });

  it('uses the lowest limit of the cgroup and its ancestors', async () => {
    const limit = await limitOf('0::/a/b/c\n', {
      'a/memory.max': '300000000\n',
      'a/b/memory.max': 'max\n',
      'a/b/c/memory.max': '500000000\n',
    });
    expect(limit?.limitBytes).toBe(300_000_000);
  });

  it('reads the root of the mount if the path is that of the host', async () => {
    const limit = await limitOf('0::/../../kubepods/burstable/pod9/deadbeef\n', {
      'memory.max': '268435456\n',
    });
    expect(limit?.limitBytes).toBe(256 * MIB);
  });

  it('finds no limit if memory.max is max at every level', async () => {
    expect(await limitOf('0::/a\n', { 'a/memory.max': 'max\n', 'memory.max': 'max' })).toBe(
      undefined,
    );
  });
});

describe('cgroup version 1', () => {
  const membership = '12:cpuset:/docker/c1\n4:memory:/docker/c1\n0::/init.scope\n';

  it('reads the limit from memory.limit_in_bytes', async () => {
    const limit = await limitOf(membership, {
      'memory/docker/c1/memory.limit_in_bytes': '134217728\n',
      'memory/memory.limit_in_bytes': V1_UNLIMITED,
      'init.scope/memory.max': '1\n', // the unified hierarchy does not control memory here
    });
    expect(limit).toEqual({ limitBytes: 128 * MIB, source: 'cgroup v1' });
  });

  it('finds a hierarchy that is shared with other controllers', async () => {
    const limit = await limitOf('5:cpu,memory:/\n', {
      'memory/memory.limit_in_bytes': '1000000\n',
    });
    expect(limit?.limitBytes).toBe(1_000_000);
  });

  it('finds no limit if memory.limit_in_bytes is the value for unlimited', async () => {
    const limit = await limitOf(membership, {
      'memory/docker/c1/memory.limit_in_bytes': V1_UNLIMITED,
    });
    expect(limit).toBe(undefined);
  });
});

describe('no cgroup', () => {
  it('finds no limit without cgroups', async () => {
    const nowhere = join(root, 'nowhere');
    expect(await cgroupMemoryLimit({ root: nowhere, membership: nowhere })).toBe(undefined);
    expect(await limitOf('', { 'memory.max': 'rubbish\n' })).toBe(undefined);
  });
});

describe('memoryCheck', () => {
  const check = async (limitBytes: number | undefined, options = {}) => {
    await writeFile(join(root, 'membership'), '0::/\n');
    if (limitBytes !== undefined) await writeFile(join(root, 'memory.max'), `${limitBytes}\n`);
    const cgroup = { root, membership: join(root, 'membership') };
    const monitor = healthMonitor({ checks: [memoryCheck({ cgroup, ...options })] });
    return (await monitor.check()).checks[0];
  };

  it('compares the resident memory with the cgroup limit', async () => {
    const rss = process.memoryUsage.rss();
    expect((await check(Math.round(rss * 4)))?.status).toBe('healthy');
    expect((await check(Math.round(rss / 0.9)))?.status).toBe('degraded');
    const full = await check(Math.round(rss / 2));
    expect(full?.status).toBe('unhealthy');
    expect(full?.observed?.value).toBeGreaterThan(1.5);
    expect(full?.message).toMatch(/^resident memory is .* MiB \(cgroup v2\)$/);
  });

  it('compares the resident memory with the memory of the machine without a limit', async () => {
    expect((await check(undefined))?.details).toMatchObject({
      limitBytes: totalmem(),
      source: 'machine',
    });
  });

  it('reads the cgroup files of this machine by default', async () => {
    const report = (await healthMonitor({ checks: [memoryCheck()] }).check()).checks[0];
    expect(report?.details?.limitBytes).toBeGreaterThan(process.memoryUsage.rss());
  });
});
