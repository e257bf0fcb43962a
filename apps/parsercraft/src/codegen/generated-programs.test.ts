import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCompiler, Workshop } from '../../test/compiler.ts';
import { typedPrograms } from '../../test/typed-program.ts';
import { formatTree } from '../format/format.ts';
import { StepBudgetError } from '../interpret/errors.ts';
import { type RunResult, runSync } from '../interpret/run.ts';
import { BUNDLED_LANGUAGES, bundledDefinition } from '../lang/bundled.ts';
import { parseStrict } from '../parse/parse.ts';
import { type CheckedProgram, checkStrict } from '../types/check.ts';
import { cRuntime, toC } from './to-c.ts';

const WANTED = 1000;
const PER_FILE = 50;
const seed = Number(process.env.PARSERCRAFT_SEED ?? Math.floor(Math.random() * 2 ** 31));

interface Sample {
  readonly text: string;
  readonly program: CheckedProgram;
  readonly expected: RunResult;
}

function samples(): readonly Sample[] {
  const found: Sample[] = [];
  const languages = BUNDLED_LANGUAGES.map((language) => {
    const definition = bundledDefinition(language);
    const trees = fc.sample(typedPrograms(definition), { numRuns: WANTED, seed });
    return { definition, trees };
  });
  for (let i = 0; found.length < WANTED && i < WANTED; i += 1) {
    for (const { definition, trees } of languages) {
      const text = formatTree(definition, trees[i] as (typeof trees)[number]);
      const program = checkStrict(parseStrict(definition, text));
      try {
        const expected = runSync(program, { maxSteps: 100_000 });
        if (found.length < WANTED) found.push({ text, program, expected });
      } catch (error) {
        // Nested loops and calls can multiply; the C program would take as long.
        if (!(error instanceof StepBudgetError)) throw error;
      }
    }
  }
  return found;
}

function oneFile(batch: readonly Sample[]): string {
  const parts = batch.map(({ program }, index) =>
    toC(program, { runtime: false, prefix: `p${index}_`, main: `main${index}` }),
  );
  const cases = batch.map((_, index) => `    case ${index}: main${index}(); break;`);
  const main = [
    'int main(int count, char **list) {',
    '  switch (count > 1 ? atoi(list[1]) : -1) {',
    ...cases,
    '  }',
    '  return 0;',
    '}',
  ];
  return [cRuntime(), ...parts, ...main, ''].join('\n');
}

describe.runIf(hasCompiler())(`a thousand generated programs (PARSERCRAFT_SEED=${seed})`, () => {
  it('generated programs have the same output and exit code interpreted and compiled', {
    timeout: 240_000,
  }, () => {
    using workshop = new Workshop();
    const all = samples();
    expect(all).toHaveLength(WANTED);
    const faults = new Map<string, number>();
    for (let start = 0; start < all.length; start += PER_FILE) {
      const batch = all.slice(start, start + PER_FILE);
      const binary = workshop.compile(`batch${start}`, oneFile(batch));
      batch.forEach(({ text, expected }, index) => {
        const { output, errorOutput, exitCode } = expected;
        const fault = expected.fault?.message ?? 'none';
        faults.set(fault, (faults.get(fault) ?? 0) + 1);
        const compiled = workshop.run(binary, `${index}`);
        expect(compiled, `seed ${seed}:\n${text}`).toEqual({ output, errorOutput, exitCode });
      });
    }
    // The sample must contain programs with and without runtime errors.
    expect(faults.get('none') ?? 0).toBeGreaterThan(WANTED / 4);
    expect(faults.size).toBeGreaterThan(3);
    console.info('runtime errors:', Object.fromEntries(faults));
  });
});
