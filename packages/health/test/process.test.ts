import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { VERSION } from '../src/version.ts';

const run = promisify(execFile);
const cwd = new URL('..', import.meta.url);

it('does not keep the process alive with background probes and a hanging probe', async () => {
  const script = `
    import { healthMonitor } from '@temper/health';
    import { eventLoopDelayCheck } from '@temper/health/checks';
    globalThis.kept = healthMonitor({ refreshMs: 50 });
    kept.register(eventLoopDelayCheck());
    kept.register({ name: 'hangs', timeoutMs: 60_000, check: () => new Promise(() => {}) });
    kept.start();
    console.log('done');`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    cwd,
    timeout: 20_000,
  });
  expect(stdout).toBe('done\n');
}, 30_000);

it('keeps the process alive while a caller waits for a probe', async () => {
  const script = `
    import { healthMonitor } from '@temper/health';
    const health = healthMonitor({
      checks: [{ name: 'hangs', timeoutMs: 100, check: () => new Promise(() => {}) }],
    });
    console.log(await health.getOverallHealth());`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    cwd,
  });
  expect(stdout).toBe('unhealthy\n');
});

it('loads with require()', async () => {
  const script = `console.log(typeof require('@temper/health').healthMonitor)`;
  const { stdout } = await run(process.execPath, ['--input-type=commonjs', '--eval', script], {
    cwd,
  });
  expect(stdout).toBe('function\n');
});

it('exports the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', cwd), 'utf8'));
  expect(VERSION).toBe(version);
});
