import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  return counted();
}

function counted() {
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

it('prints a message of several lines without its stack, up to 15 lines', () => {
  const stack = '\n    at one (a.test.ts:1:1)\n    at two (a.test.ts:2:2)';
  const results = [
    test('is short', 'failed', [`Error: lost requests:\n{"code":"ECONNRESET"}${stack}`]),
    test('is long', 'failed', [`Error: ${'line\n'.repeat(20)}end${stack}`]),
  ];
  const { lines } = count({ status: 'failed', assertionResults: results });
  expect(lines.slice(0, 3)).toEqual([
    'FAILED a.test.ts: is short',
    '  Error: lost requests:',
    '  {"code":"ECONNRESET"}',
  ]);
  expect(lines.slice(3, 6)).toEqual(['FAILED a.test.ts: is long', '  Error: line', '  line']);
  expect(lines.slice(-2)).toEqual(['  … 6 more lines', '0 passed, 2 failed']);
});

it.each([
  ['vitest.config.ts', 'test', 'unit'],
  ['vitest.servers.config.ts', 'test/servers', 'servers'],
])('prints the objects of a failure whole with %s', (config, tests, report) => {
  const root = join(import.meta.dirname, '..');
  // Within the repository, so that the test finds Vitest, and in a folder that no check reads.
  mkdirSync(join(import.meta.dirname, 'test-results'), { recursive: true });
  const package_ = mkdtempSync(join(import.meta.dirname, 'test-results/package-'));
  try {
    mkdirSync(join(package_, tests), { recursive: true });
    writeFileSync(
      join(package_, tests, 'a.test.ts'),
      `import { expect, it } from 'vitest';
       it('loses none', () => {
         const reasons = { 'ECONNRESET on a new connection': 1, 'closed on a used connection': 2 };
         expect({ answered: 331, refused: 99, lost: 3, reasons }).toMatchObject({ lost: 0, refused: 100 });
       });`,
    );
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const args = [
      vitest,
      'run',
      '--root',
      package_,
      '--config',
      join(root, config),
      '--retry',
      '0',
    ];
    spawnSync(process.execPath, args, { cwd: package_ });
    const into = join(folder, 'packages/one/test-results');
    mkdirSync(into, { recursive: true });
    cpSync(join(package_, 'test-results', `${report}.json`), join(into, `${report}.json`));
  } finally {
    rmSync(package_, { recursive: true, force: true });
  }
  const { lines } = counted();
  expect(lines.join('\n')).toContain(
    "{ answered: 331, refused: 99, lost: 3, reasons: { 'ECONNRESET on a new connection': 1, 'closed on a used connection': 2 } } to match object { lost: +0, refused: 100 }",
  );
});
