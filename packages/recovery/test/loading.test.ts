import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as http from '../src/fetch/index.ts';
import * as source from '../src/index.ts';
import * as plan from '../src/plan/index.ts';
import * as semconv from '../src/semconv.ts';
import { VERSION } from '../src/version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** Runs Node as a user of the installed package would, and returns what it printed. */
function run(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
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

  it.each([['@temper/recovery'], ['@temper/recovery/semconv']])(
    'loads neither retry nor breaker as %s',
    (name) => {
      const program = `
      import { registerHooks } from 'node:module';
      registerHooks({
        resolve(name, context, next) {
          if (/@temper\\/(retry|breaker)/.test(name)) throw new Error('loaded ' + name);
          return next(name, context);
        },
      });
      console.log(typeof (await import('${name}')));
    `;
      expect(run('--input-type=module', '--eval', program)).toBe('object');
    },
  );

  it('works without undici', () => {
    const hide = `
      import { registerHooks } from 'node:module';
      registerHooks({
        resolve(name, context, next) {
          if (name === 'undici') throw new Error('not installed');
          return next(name, context);
        },
      });
      const { dispatcherInterceptor } = await import('@temper/recovery/fetch');
      console.log(typeof dispatcherInterceptor());
    `;
    expect(run('--input-type=module', '--eval', hide)).toBe('function');
  });

  it('has the version of its package.json', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
