import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';

const script = join(import.meta.dirname, 'count-tests.mjs');
const folder = mkdtempSync(join(tmpdir(), 'count-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const test = (fullName, status, failureMessages = []) => ({ fullName, status, failureMessages });

function count(...suites) {
  const into = join(folder, 'packages/one/test-results');
  mkdirSync(into, { recursive: true });
  const all = suites.flatMap(({ assertionResults }) => assertionResults);
  const of = (wanted) => all.filter(({ status }) => status === wanted).length;
  writeFileSync(
    join(into, 'servers.json'),
    JSON.stringify({
      numPassedTests: of('passed'),
      numFailedTests: of('failed'),
      numPendingTests: of('pending'),
      testResults: suites.map((suite) => ({ name: join(folder, 'a.test.ts'), ...suite })),
    }),
  );
  const { stdout, status } = spawnSync(process.execPath, [script], { cwd: folder });
  return { lines: stdout.toString().trim().split('\n'), status };
}

it('names what failed and what passed only when repeated, and ends with the line that CI reads', () => {
  const results = [
    test('is steady', 'passed'),
    test('needs luck', 'passed', ['Error: late\n    at somewhere']),
    test('is wrong', 'failed', ['Error: 1 is not 2']),
    test('has no server', 'pending'),
  ];
  expect(count({ status: 'failed', assertionResults: results })).toEqual({
    lines: [
      'UNSTEADY a.test.ts: needs luck',
      '  Error: late',
      'FAILED a.test.ts: is wrong',
      '  Error: 1 is not 2',
      '1 skipped',
      '2 passed, 1 failed',
    ],
    status: 1,
  });
});

it('counts a file that cannot be loaded as one failure', () => {
  expect(count({ status: 'failed', message: 'no such module', assertionResults: [] })).toEqual({
    lines: ['FAILED a.test.ts', '  no such module', '0 passed, 1 failed'],
    status: 1,
  });
});
