import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cgroupMemory } from '../cgroup.ts';
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
  return cgroupMemory({ root, membership: join(root, 'membership') });
}

describe('cgroup version 2', () => {
  it('reads the limit from memory.max', async () => {
    const limit = await limitOf('0::/kubepods/pod1/c1\n', {
      'kubepods/pod1/c1/memory.max': '536870912\n',
    });
    expect(limit).toMatchObject({ limitBytes: 512 * MIB, source: 'cgroup v2' });
  });

  it('uses the cgroup or ancestor that is nearest to its limit', async () => {
    const limit = await limitOf('0::/a/b/c\n', {
      'a/memory.max': '900000000\n',
      'a/memory.current': '890000000\n', // by other processes
      'a/b/memory.max': 'max\n',
      'a/b/memory.current': '880000000\n',
      'a/b/c/memory.max': '500000000\n',
      'a/b/c/memory.current': '100000000\n',
    });
    expect(limit).toMatchObject({ limitBytes: 900_000_000, usedBytes: 890_000_000 });
  });

  it('does not count file pages that the kernel can drop, and reads the pressure', async () => {
    const limit = await limitOf('0::/a\n', {
      'a/memory.max': '1000\n',
      'a/memory.current': '900\n',
      'a/memory.stat': 'anon 200\nfile 700\ninactive_file 600\nactive_file 100\n',
      'a/memory.pressure':
        'some avg10=40.00 avg60=1.00 avg300=0.00 total=1\nfull avg10=12.50 avg60=0.50 avg300=0.00 total=1\n',
    });
    expect(limit).toEqual({
      limitBytes: 1000,
      usedBytes: 300,
      source: 'cgroup v2',
      pressure: 0.125,
    });
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
    expect(limit).toMatchObject({ limitBytes: 128 * MIB, source: 'cgroup v1' });
  });

  it('does not count file pages that the kernel can drop', async () => {
    const limit = await limitOf(membership, {
      'memory/docker/c1/memory.limit_in_bytes': '1000\n',
      'memory/docker/c1/memory.usage_in_bytes': '900\n',
      'memory/docker/c1/memory.stat': 'inactive_file 1\ntotal_inactive_file 650\n',
    });
    expect(limit).toMatchObject({ usedBytes: 250, pressure: undefined });
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
    expect(await cgroupMemory({ root: nowhere, membership: nowhere })).toBe(undefined);
    expect(await limitOf('', { 'memory.max': 'rubbish\n' })).toBe(undefined);
  });
});

describe('memoryCheck', () => {
  const check = async (files: Readonly<Record<string, string>>, options = {}) => {
    await limitOf('0::/\n', files);
    const cgroup = { root, membership: join(root, 'membership') };
    const monitor = healthMonitor({ checks: [memoryCheck({ cgroup, ...options })] });
    return (await monitor.check()).checks[0];
  };
  const used = (bytes: number) => ({ 'memory.max': '1000', 'memory.current': String(bytes) });

  it('compares the memory of all processes of the cgroup with its limit', async () => {
    expect((await check(used(849)))?.status).toBe('healthy');
    expect((await check(used(850)))?.status).toBe('degraded');
    const full = await check(used(996));
    expect(full?.status).toBe('unhealthy');
    expect(full?.observed?.value).toBe(0.996);
    expect(full?.message).toMatch(/^.* MiB of .* MiB are used \(cgroup v2\)$/);
  });

  it('is degraded when all processes wait for memory', async () => {
    const pressure = (share: string) => ({
      ...used(10),
      'memory.pressure': `full avg10=${share} avg60=0 avg300=0 total=0\n`,
    });
    expect((await check(pressure('9.99')))?.status).toBe('healthy');
    expect(await check(pressure('25.00'))).toMatchObject({
      status: 'degraded',
      message: expect.stringContaining('waited for memory 25 % of the time'),
    });
    const ignored = { degradedPressure: Number.POSITIVE_INFINITY };
    expect((await check(pressure('25.00'), ignored))?.status).toBe('healthy');
  });

  it('compares the resident memory with the memory of the machine without a limit', async () => {
    expect((await check({}))?.details).toMatchObject({
      limitBytes: totalmem(),
      source: 'machine',
    });
  });

  it('reads the cgroup files of this machine by default', async () => {
    const report = (await healthMonitor({ checks: [memoryCheck()] }).check()).checks[0];
    const { limitBytes, usedBytes } = (report?.details ?? {}) as Record<string, number>;
    expect(limitBytes).toBeGreaterThan(usedBytes as number);
    expect(usedBytes).toBeGreaterThan(1_000_000);
  });
});
