import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as source from '../src/index.ts';
import { VERSION } from '../src/version.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** Runs Node with the built package and returns its output. */
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
  it('loads with require() without a warning and has the exports of its source', () => {
    const program = `console.log(Object.keys(require('@temper/audit')).sort().join())`;
    const names = run('--input-type=commonjs', '--eval', program);
    expect(names).toBe(Object.keys(source).sort().join());
  });

  it('does not keep the process alive for a pending checkpoint', () => {
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

  it('runs the temper-audit command', () => {
    expect(run('dist/cli/main.js', '--version')).toBe(VERSION);
  });

  it('exports the version of package.json', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
