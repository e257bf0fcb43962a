import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import * as adaptive from '../src/adaptive/index.ts';
import * as http from '../src/http/index.ts';
import * as source from '../src/index.ts';
import * as semconv from '../src/semconv.ts';
import * as shared from '../src/shared/index.ts';
import { VERSION } from '../src/version.ts';

vi.setConfig({ testTimeout: 30_000 }); // starts processes, perhaps on a busy machine

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** Runs Node as a user of the installed package would. @returns what it printed */
function run(type: 'commonjs' | 'module', program: string): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [`--input-type=${type}`, '--expose-gc', '--eval', program],
    { cwd: root, encoding: 'utf8', timeout: 20_000 },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
}

describe('the built package', () => {
  it.each([
    ['@temper/ratelimit', source],
    ['@temper/ratelimit/adaptive', adaptive],
    ['@temper/ratelimit/http', http],
    ['@temper/ratelimit/semconv', semconv],
    ['@temper/ratelimit/shared', shared],
  ])('%s is loaded by require(), with the exports of its source', (name, exports) => {
    const program = `console.log(Object.keys(require('${name}')).sort().join())`;
    expect(run('commonjs', program)).toBe(Object.keys(exports).sort().join());
  });

  it('keeps no process alive with limiters that no call waits for', () => {
    const program = `
      import { concurrency, keyed, throttle, tokenBucket } from '@temper/ratelimit';
      import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
      const all = [adaptiveConcurrency(), concurrency(), throttle(), tokenBucket()];
      for (const limiter of all) await limiter.execute(async () => 1);
      keyed({ template: tokenBucket() }).tryAcquire({ key: 'key' });
      console.log(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length);
    `;
    expect(run('module', program)).toBe('0');
  });

  it('keeps ten thousand idle limiters under a kilobyte each, without a timer', () => {
    const program = `
      import { tokenBucket } from '@temper/ratelimit';
      const used = async () => {
        for (let i = 0; i < 3; i++) { await new Promise((done) => setTimeout(done, 10)); gc(); }
        const { heapUsed, arrayBuffers } = process.memoryUsage();
        return heapUsed + arrayBuffers;
      };
      const before = await used();
      const all = Array.from({ length: 10_000 }, (_, i) => tokenBucket({ name: 'limiter-' + i }));
      const bytes = ((await used()) - before) / all.length;
      console.log(bytes < 1024, process.getActiveResourcesInfo().includes('Timeout'));
    `;
    expect(run('module', program)).toBe('true false');
  });

  it('has the version of its package.json', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
