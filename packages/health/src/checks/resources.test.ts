import { type FileHandle, mkdir, mkdtemp, open, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HealthCheck } from '../check-options.ts';
import { healthMonitor } from '../monitor.ts';
import { diskSpaceCheck } from './disk-space.ts';
import { fileDescriptorsCheck } from './file-descriptors.ts';
import { heapCheck } from './heap.ts';
import { youngGenerationBytes } from './young-generation.ts';

const look = async (check: HealthCheck) =>
  (await healthMonitor({ checks: [check] }).check()).checks[0];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temper-health-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('heap', () => {
  it('compares the old generation with its part of the heap limit', async () => {
    const report = await look(heapCheck());
    const limit = getHeapStatistics().heap_size_limit - (await youngGenerationBytes());
    expect(report?.details).toMatchObject({ limitBytes: limit });
    expect(report?.observed?.value).toBeCloseTo((report?.details?.usedBytes as number) / limit);
    expect(report?.status).toBe('healthy');
  });

  it('is judged by the limits given', async () => {
    expect((await look(heapCheck({ degraded: 0.001 })))?.status).toBe('degraded');
    expect((await look(heapCheck({ degraded: 0.001, unhealthy: 0.001 })))?.status).toBe(
      'unhealthy',
    );
  });
});

describe('file descriptors', () => {
  it('counts the open file descriptors of this process', async () => {
    const before = (await look(fileDescriptorsCheck()))?.details?.open as number;
    const files: FileHandle[] = [];
    for (let index = 0; index < 50; index++) {
      files.push(await open(join(folder, String(index)), 'w'));
    }
    const during = await look(fileDescriptorsCheck());
    await Promise.all(files.map((file) => file.close()));
    expect((during?.details?.open as number) - before).toBeGreaterThanOrEqual(45);
    expect(during?.details?.limit).toBeGreaterThan(0);
  });

  it('compares open file descriptors with the soft limit', async () => {
    const fd = join(folder, 'fd');
    await mkdir(fd);
    for (let index = 0; index <= 90; index++) await writeFile(join(fd, String(index)), '');
    const limits = join(folder, 'limits');
    await writeFile(
      limits,
      'Max open files            100                  4096                 files\n',
    );
    const report = await look(fileDescriptorsCheck({ proc: { fd, limits } }));
    expect(report).toMatchObject({
      status: 'degraded',
      message: '90 of 100 file descriptors are open',
      observed: { name: 'utilization', value: 0.9, unit: '1' },
    });
    await writeFile(
      limits,
      'Max open files            unlimited            unlimited            files\n',
    );
    expect((await look(fileDescriptorsCheck({ proc: { fd, limits } })))?.status).toBe('healthy');
    await writeFile(limits, 'something else\n');
    expect((await look(fileDescriptorsCheck({ proc: { fd, limits } })))?.status).toBe('unhealthy');
  });
});

describe('disk space', () => {
  it('reads the free space with statfs', async () => {
    const report = await look(diskSpaceCheck({ path: folder, degraded: 1.1, unhealthy: 1.1 }));
    const { blocks, bsize } = await statfs(folder);
    expect(report?.status).toBe('healthy');
    expect(report?.details).toMatchObject({ path: folder, totalBytes: blocks * bsize });
    const used = report?.observed?.value as number;
    expect(used).toBeGreaterThan(0);
    expect(used).toBeLessThanOrEqual(1);
  });

  it('is judged by the limits given', async () => {
    expect((await look(diskSpaceCheck({ path: folder, degraded: 0, unhealthy: 2 })))?.status).toBe(
      'degraded',
    );
    expect((await look(diskSpaceCheck({ path: folder, degraded: 0, unhealthy: 0 })))?.status).toBe(
      'unhealthy',
    );
  });

  it('fails for a path that does not exist', async () => {
    expect(await look(diskSpaceCheck({ path: join(folder, 'gone') }))).toMatchObject({
      status: 'unhealthy',
      errorType: 'ENOENT',
    });
  });

  it('passes for a file system without blocks', async () => {
    expect((await look(diskSpaceCheck({ path: '/proc' })))?.status).toBe('healthy');
  });
});
