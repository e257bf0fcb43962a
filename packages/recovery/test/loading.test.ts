import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as http from '../src/fetch/index.ts';
import * as source from '../src/index.ts';
import * as plan from '../src/plan/index.ts';
import * as semconv from '../src/semconv.ts';
import { VERSION } from '../src/version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** Runs Node as a user of the installed package would, and returns what it printed. */
function run(...args: readonly string[]): string {
  return runIn(root, ...args);
}

function runIn(cwd: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
}

describe('the built package', () => {
  it.each([
    ['@temper/recovery', source],
    ['@temper/recovery/fetch', http],
    ['@temper/recovery/plan', plan],
    ['@temper/recovery/semconv', semconv],
  ])('can be loaded by require() as %s, with the exports of its source', (name, exports) => {
    const program = `console.log(Object.keys(require('${name}')).sort().join())`;
    const names = run('--input-type=commonjs', '--eval', program);
    expect(names).toBe(Object.keys(exports).sort().join());
  });

  it('keeps no process alive by its timeouts, delays and windows', () => {
    const program = `
      import { cached, hedge, pipeline, pipelines, timeout } from '@temper/recovery';
      import { recover } from '@temper/recovery/plan';
      import { resilientFetch } from '@temper/recovery/fetch';
      const policy = pipeline(
        {},
        timeout({ timeoutMs: 3_600_000 }),
        cached({ singleFlight: true }),
        hedge({ delayMs: 1_800_000 }),
      );
      const read = async ({ signal }) => signal.aborted;
      await policy.execute(read, { key: 'k' });
      await recover({ operation: 'op', timeoutMs: 3_600_000 }).execute(read);
      await pipelines({ define: { p: [{ timeout: { timeoutMs: 3_600_000 } }] } }).get('p').execute(read);
      const fetch = resilientFetch({ totalTimeoutMs: 3_600_000, fetch: async () => new Response('') });
      console.log((await fetch('http://origin.example/')).status);
    `;
    expect(run('--input-type=module', '--eval', program)).toBe('200');
  });

  describe('where nothing else of Temper is installed than core', () => {
    const folder = mkdtempSync(join(tmpdir(), 'temper-recovery-'));
    const install = (name: string, from: string): void => {
      const to = join(folder, 'node_modules', name);
      cpSync(realpathSync(from), to, {
        recursive: true,
        filter: (file) => !relative(realpathSync(from), file).startsWith('node_modules'),
      });
    };
    beforeAll(() => {
      install('@temper/recovery', root);
      install('@temper/core', `${root}node_modules/@temper/core`);
      install('@opentelemetry/api', `${root}node_modules/@opentelemetry/api`);
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it.each([['@temper/recovery'], ['@temper/recovery/semconv']])('loads %s', (name) => {
      const program = `console.log(typeof (await import('${name}')))`;
      expect(runIn(folder, '--input-type=module', '--eval', program)).toBe('object');
    });

    it('works without undici, next to retry and breaker', () => {
      install('@temper/retry', `${root}node_modules/@temper/retry`);
      install('@temper/breaker', `${root}node_modules/@temper/breaker`);
      const program = `
        const { dispatcherInterceptor } = await import('@temper/recovery/fetch');
        console.log(typeof dispatcherInterceptor(), await import('undici').catch(({ code }) => code));
      `;
      const printed = runIn(folder, '--input-type=module', '--eval', program);
      expect(printed).toBe('function ERR_MODULE_NOT_FOUND');
    });
  });

  it('has the version of its package.json', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
