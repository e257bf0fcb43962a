import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import config from '../vitest.servers.config.ts';

const root = join(import.meta.dirname, '..');
const [together] = config.test.projects.map(({ test }) => test);

it('names files of observability that are there', () => {
  for (const file of together.include) {
    expect(existsSync(join(root, 'observability', file)), file).toBe(true);
  }
});

it('runs the files that it names two at a time, and then one of the others at a time', {
  timeout: 120_000,
}, () => {
  // Within the repository, so that the tests find Vitest, and in a folder that no check reads.
  mkdirSync(join(import.meta.dirname, 'test-results'), { recursive: true });
  const folder = mkdtempSync(join(import.meta.dirname, 'test-results/servers-'));
  try {
    const [tests, marks] = [join(folder, 'test/servers'), join(folder, 'marks')];
    for (const each of [tests, marks]) mkdirSync(each, { recursive: true });
    for (const file of together.include) {
      // Passes when another one has begun.
      writeFileSync(
        join(folder, file),
        `import { readdirSync, writeFileSync } from 'node:fs';
         import { expect, it } from 'vitest';
         it('sees another one', async () => {
           writeFileSync(${JSON.stringify(join(marks, basename(file)))}, '');
           await expect.poll(() => readdirSync(${JSON.stringify(marks)}).length).toBeGreaterThan(1);
         });`,
      );
    }
    for (const name of ['a', 'b', 'c']) {
      writeFileSync(
        join(tests, `${name}.test.ts`),
        `import { it } from 'vitest';
         it('takes time', () => new Promise((resolve) => setTimeout(resolve, 200)));`,
      );
    }
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const args = [
      vitest,
      'run',
      '--root',
      folder,
      '--config',
      join(root, 'vitest.servers.config.ts'),
    ];
    spawnSync(process.execPath, args, { cwd: folder });
    const { testResults, numPassedTests } = JSON.parse(
      readFileSync(join(folder, 'test-results/servers.json'), 'utf8'),
    );
    expect(numPassedTests).toBe(together.include.length + 3);
    const besides = (one) =>
      testResults.filter(
        (other) => other !== one && other.startTime < one.endTime && one.startTime < other.endTime,
      );
    const isAlone = ({ name }) => !together.include.includes(`test/servers/${basename(name)}`);
    for (const one of testResults.filter(isAlone)) expect(besides(one)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
