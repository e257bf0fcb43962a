import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import * as source from '../src/index.ts';

vi.setConfig({ testTimeout: 30_000 }); // a process of its own, perhaps on a busy machine

describe('the built package', () => {
  it('is loaded by require(), with the exports of its source, and loads no client', () => {
    const program = `
      const names = Object.keys(require('@temper/redis')).sort().join();
      console.log(names, Object.keys(require.cache).some((path) => path.includes('/ioredis/')));
    `;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=commonjs', '--eval', program],
      { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8', timeout: 20_000 },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trim()).toBe(`${Object.keys(source).sort().join()} false`);
  });
});
