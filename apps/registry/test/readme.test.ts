import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULTS, parseOptions, USAGE } from '../src/options.ts';
import { PROBLEMS } from '../src/problem.ts';
import { FAULTS_ROUTE, ROUTES } from '../src/route-patterns.ts';
import { temporaryDir } from './fixture.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const built = new URL('../dist/index.js', import.meta.url).href;

/** The rows of the table below a heading, as cells. */
function table(heading: string): string[][] {
  const section = readme.split(`\n## ${heading}\n`)[1]!.split(/\n##+ /)[0]!;
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

describe('the README', () => {
  it('the README example runs against the build', () => {
    const example = readme.split('```ts\n')[1]!.split('```')[0]!;
    const dir = temporaryDir();
    const file = join(dir, 'example.mjs');
    const source = example
      .replace("'@temper/registry'", JSON.stringify(built))
      // `await using` is newer than the oldest Node that runs this package.
      .replace('await using registry', 'const registry');
    writeFileSync(file, `${source}\nawait registry.stop();\n`);
    const { stdout, stderr } = spawnSync(process.execPath, [file], { cwd: dir, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toBe('503 1\n');
  });

  it('the README lists every endpoint', () => {
    const listed = table('Endpoints').map(([address]) => address);
    expect([...listed].sort()).toEqual([...Object.values(ROUTES), FAULTS_ROUTE].sort());
  });

  it('the README lists every error with its status', () => {
    const listed = Object.fromEntries(
      table('Errors').map(([code, status]) => [code, Number(status)]),
    );
    const known = Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]);
    expect(listed).toEqual(Object.fromEntries(known));
  });

  it('the README lists every option with its default', () => {
    const listed = Object.fromEntries(
      table('Options').map(([flag, value]) => [flag!.split(' ')[0], value]),
    );
    expect(listed).toEqual({
      '--data-dir': DEFAULTS.dataDir,
      '--host': DEFAULTS.host,
      '--port': String(DEFAULTS.port),
      '--faults': 'off',
      '--control-port': String(DEFAULTS.controlPort),
      '--no-seed': 'off',
      '--exit-with-parent': 'off',
      '--grace-ms': String(DEFAULTS.graceMs),
    });
    for (const flag of Object.keys(listed)) expect(USAGE).toContain(flag);
    expect(parseOptions([])).toEqual({
      ...DEFAULTS,
      faults: false,
      seed: true,
      exitWithParent: false,
    });
  });
});
