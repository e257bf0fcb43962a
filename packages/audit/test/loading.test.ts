import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as source from '../src/index.ts';
import { VERSION } from '../src/version.ts';
import { temporaryDirectory } from './temporary.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** Runs Node as a user of the installed package would, and gives what it printed. */
function run(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
}

describe('the built package', { timeout: 30_000 }, () => {
  it('is loaded by require(), with the exports of its source, and without a warning', () => {
    const program = `console.log(Object.keys(require('@temper/audit')).sort().join())`;
    const names = run('--input-type=commonjs', '--eval', program);
    expect(names).toBe(Object.keys(source).sort().join());
  });

  it('keeps no process alive, with a checkpoint due in an hour', () => {
    using directory = temporaryDirectory();
    const program = `
      import { auditLog, generateSigningKey, noteSigner } from '@temper/audit';
      import { fileSink } from '@temper/audit/file';
      const { secretKey } = generateSigningKey('log');
      const log = auditLog({
        sinks: [fileSink({ directory: ${JSON.stringify(directory.path)} })],
        checkpoints: { signer: noteSigner(secretKey), everyMs: 3_600_000 },
      });
      const { sequence } = await log.append({ eventType: 'a', action: 'b', resource: 'c', status: 'd' });
      console.log(sequence);
    `;
    expect(run('--input-type=module', '--eval', program)).toBe('1');
  });

  it('has its command', () => {
    expect(run('dist/cli/main.js', '--version')).toBe(VERSION);
  });

  it('says its own version', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
