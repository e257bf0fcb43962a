import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import * as core from '../src/index.ts';
import * as policy from '../src/policy.ts';
import { VERSION } from '../src/version.ts';

vi.setConfig({ testTimeout: 30_000 }); // processes of their own, perhaps on a busy machine

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** Runs a program as a user of the installed package would, and returns what it printed. */
function run(type: 'module' | 'commonjs', program: string): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [`--input-type=${type}`, '--eval', program],
    { cwd: root, encoding: 'utf8', timeout: 20_000 },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
}

describe('the built package', () => {
  it.each([
    ['@temper/core', core],
    ['@temper/core/policy', policy],
  ])('%s has the same exports by require and import, without a warning', (door, source) => {
    const print = `console.log(Object.keys(core).sort().join())`;
    const required = run('commonjs', `const core = require('${door}'); ${print}`);
    const imported = run('module', `import * as core from '${door}'; ${print}`);
    expect(required).toBe(imported);
    expect(imported).toBe(Object.keys(source).sort().join());
  });

  it('keeps no process alive when loaded or through expired and removed timeouts', () => {
    const program = `
      import { errorLog, systemClock } from '@temper/core';
      import { Call, runWithTimeout, TimeoutQueue } from '@temper/core/policy';
      errorLog().handle(new Error('x'));
      const queue = new TimeoutQueue(systemClock, 3_600_000);
      await runWithTimeout(async () => 1, new Call(), queue, () => new Error('late'));
      const pending = systemClock.schedule(() => {}, 3_600_000);
      pending.unref();
      console.log('done');
    `;
    expect(run('module', program)).toBe('done');
  });

  it.each(['module', 'commonjs'] as const)(
    'touches no global when loaded as %s, until the first error log is created',
    (type) => {
      const load = type === 'module' ? 'await import' : 'require';
      const program = `
        const before = new Set(Reflect.ownKeys(globalThis));
        const added = () => Reflect.ownKeys(globalThis)
          .filter((key) => !before.has(key)).map(String).sort().join();
        const core = ${load}('@temper/core');
        const policy = ${load}('@temper/core/policy');
        const telemetry = new policy.Instrumentation({ name: 'a', version: '1', metrics: [] });
        core.classify(new Error('x'));
        new policy.Call().scope().signal;
        console.log('[' + added() + ']');
        core.errorLog();
        console.log('[' + added() + ']');
        telemetry.scope;
        console.log('[' + added() + ']');
      `;
      const apis = [0, 1, 2, 3].map((major) => `Symbol(opentelemetry.js.api.${major})`);
      const after = `[${[...apis, 'Symbol(temper.telemetry.5)'].join()}]`;
      expect(run(type, program).split('\n')).toEqual(['[]', after, after]);
    },
  );

  it.each([
    ['Error is frozen', 'Object.freeze(Error);', '10'],
    [
      'Error.stackTraceLimit is read-only',
      `Object.defineProperty(Error, 'stackTraceLimit', { value: 7, writable: false });`,
      '7',
    ],
    [
      'Error.stackTraceLimit is an accessor that throws',
      `Object.defineProperty(Error, 'stackTraceLimit', {
        get: () => 3, set() { throw new Error('fixed'); },
      });`,
      '3',
    ],
    ['Error.stackTraceLimit was deleted', 'delete Error.stackTraceLimit;', 'undefined'],
    ['Error.stackTraceLimit is Infinity', 'Error.stackTraceLimit = Infinity;', 'Infinity'],
  ])('creates its errors when %s, and leaves the limit as it was', (_, prepare, limit) => {
    const program = `
      import { DeadlineExceededError, isTemperError, OperationTimeoutError } from '@temper/core';
      ${prepare}
      const error = new OperationTimeoutError('registry', 5);
      console.log(isTemperError(error, 'OPERATION_TIMEOUT'), error.name, error.message);
      console.log(new DeadlineExceededError('fetch', 5).message);
      console.log(String(Error.stackTraceLimit));
    `;
    expect(run('module', program).split('\n')).toEqual([
      "true OperationTimeoutError Policy 'registry' aborted the operation after its timeout of 5 ms.",
      "The call 'fetch' did not finish within its timeout of 5 ms.",
      limit,
    ]);
  });

  it('exports its own version to its telemetry', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
