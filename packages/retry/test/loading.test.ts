import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import * as source from '../src/index.ts';
import { VERSION } from '../src/version.ts';

vi.setConfig({ testTimeout: 30_000 }); // processes of their own, perhaps on a busy machine

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** Runs Node as a user of the installed package would, and gives what it printed. */
function run(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
}

describe('the built package', () => {
  it('is loaded by require(), with the exports of its source, and without a warning', () => {
    const program = `console.log(Object.keys(require('@temper/retry')).sort().join())`;
    const names = run('--input-type=commonjs', '--eval', program);
    expect(names).toBe(Object.keys(source).sort().join());
  });

  it('keeps no process alive, with an attempt timeout of an hour and a budget', () => {
    const program = `
      import { retry, retryBudget } from '@temper/retry';
      const policy = retry({ attemptTimeoutMs: 3_600_000, budget: retryBudget(), initialDelayMs: 1 });
      let calls = 0;
      await policy.execute(async ({ signal }) => {
        if (++calls === 1) throw Object.assign(new Error('x'), { code: 'ECONNRESET' });
        return signal.aborted;
      });
      console.log(policy.stats().retries);
    `;
    expect(run('--input-type=module', '--eval', program)).toBe('1');
  });

  it.each([
    ['before the package was loaded', 'first'],
    ['after the first calls', 'last'],
  ])('exports every count with a Node SDK that was started %s', (_, when) => {
    expect(JSON.parse(run('test/programs/sdk.mjs', when))).toEqual({
      'temper.retry.operations success': 1,
      'temper.retry.operations recovered': 1,
      'temper.retry.operations exhausted': 1,
      'temper.retry.attempts success': 2,
      'temper.retry.attempts failure ECONNREFUSED': 5,
    });
  });

  it('says its own version', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
