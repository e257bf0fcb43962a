import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { afterAll, describe, expect, it } from 'vitest';
import { addedLines, describeMutants, patternsOf, scoreOf, sourcesOf } from './mutants.mjs';
import { addMutators } from './mutators.mjs';

const folder = mkdtempSync(join(tmpdir(), 'mutants-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the lines that a patch adds', () => {
  it('are those of every hunk, and none of a file that is gone', () => {
    const patch = [
      'diff --git a/src/a.ts b/src/a.ts',
      '--- a/src/a.ts',
      '+++ b/src/a.ts',
      '@@ -3 +3,2 @@ function a() {',
      '-one',
      '+two',
      '+three',
      '@@ -9,2 +10,0 @@',
      '-removed',
      '-removed',
      '@@ -20,0 +19 @@',
      '+added',
      'diff --git a/src/gone.ts b/src/gone.ts',
      '--- a/src/gone.ts',
      '+++ /dev/null',
      '@@ -1 +0,0 @@',
      '-gone',
    ].join('\n');
    expect(addedLines(patch)).toEqual([
      { file: 'src/a.ts', from: 3, to: 4 },
      { file: 'src/a.ts', from: 19, to: 19 },
    ]);
  });
});

describe('what is mutated', () => {
  const files = ['src/b.ts', 'src/a.ts', 'src/a.test.ts', 'src/version.ts', 'src/x/semconv.ts'];

  it('is every source but tests, names and versions', () => {
    expect(sourcesOf(files)).toEqual(['src/a.ts', 'src/b.ts']);
  });

  it('is the changed lines of these sources, if lines are given', () => {
    const lines = ['src/b.ts', 'src/a.test.ts', 'src/c.ts'].map((file) => ({
      file,
      from: 2,
      to: 5,
    }));
    expect(patternsOf(sourcesOf(files), lines)).toEqual(['src/b.ts:2-5']);
  });
});

describe('the mutators beside those of Stryker', () => {
  const quiet = { debug() {}, info() {}, warn() {}, isDebugEnabled: () => false };

  async function mutantsOf(content) {
    addMutators();
    addMutators(); // a second time adds none
    const { mutants } = await new Instrumenter(quiet).instrument(
      [{ name: 'a.ts', content, mutate: true }],
      { ignorers: [], excludedMutations: [], plugins: null, noHeader: true },
    );
    return mutants
      .filter(({ mutatorName }) => ['StatementRemoval', 'AwaitRemoval'].includes(mutatorName))
      .map(({ mutatorName, replacement }) => `${mutatorName}: ${replacement}`);
  }

  it('remove each statement of several, and each await', async () => {
    expect(await mutantsOf('async function f() { await g(1); h(); return await i(); }')).toEqual([
      'StatementRemoval: ;',
      'AwaitRemoval: g(1)',
      'StatementRemoval: ;',
      'AwaitRemoval: i()',
    ]);
  });

  it('leave the only statement of a block to the removal of the block', async () => {
    expect(await mutantsOf('function f() { g(); }')).toEqual([]);
  });

  it('leave the constructor of the base class in its place', async () => {
    expect(await mutantsOf('class A extends B { constructor() { super(); this.a = 1; } }')).toEqual(
      ['StatementRemoval: ;'],
    );
  });
});

describe('the report', () => {
  const fileName = join(folder, 'a.ts');
  writeFileSync(fileName, 'const a = 1;\nif (a > 1)\n  b();\n');
  const at = (line, column, endLine, endColumn) => ({
    start: { line, column },
    end: { line: endLine, column: endColumn },
  });
  const of = (status, location = at(1, 1, 1, 2), replacement = '') => ({
    fileName,
    status,
    location,
    replacement,
    mutatorName: 'X',
  });

  it('says for each mutant that no test noticed where it is and what it changes', () => {
    const results = [
      of('NoCoverage', at(2, 1, 3, 7)),
      of('Killed'),
      of('Survived', at(1, 11, 1, 12), '2'),
    ];
    expect(describeMutants(results, folder)).toEqual([
      'a.ts:1:11 survived, X: 1 -> 2',
      'a.ts:2:1 not reached by a test, X: if (a > 1) b(); -> (nothing)',
    ]);
  });

  it('counts what was noticed, by a timeout too, of what could be', () => {
    const results = ['Killed', 'Killed', 'Timeout', 'Survived', 'CompileError', 'Ignored'];
    expect(scoreOf([...results, 'NoCoverage'].map((status) => of(status)))).toEqual({
      score: 60,
      text: '3 of 5 noticed (1 by a timeout), 2 not, 1 of them not reached; score 60.0 %',
    });
  });

  it('is 100 % where there was nothing to notice', () => {
    expect(scoreOf([]).score).toBe(100);
  });
});
