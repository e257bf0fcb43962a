// node scripts/mutate.mjs <package> [--files glob] [--since commit] [--at-least score] [--concurrency n]
//
// Mutation testing of one package: changes its sources in one place at a time, and runs the unit tests that reach
// that place. A mutant that no test notices has survived. CONTRIBUTING.md says how to read what it prints.
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { changedSince, describeMutants, patternsOf, scoreOf, sourcesOf } from './rules/mutants.mjs';
import { addMutators } from './rules/mutators.mjs';
import { ROOT } from './rules/workspace.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string', default: 'src/**/*.ts' },
    since: { type: 'string' },
    'at-least': { type: 'string', default: '0' },
    concurrency: { type: 'string', default: '1' },
  },
});
const [name = ''] = positionals;
const folder = join(ROOT, 'packages', name);
const [atLeast, concurrency] = [Number(values['at-least']), Number(values.concurrency)];
const isValid = name !== '' && atLeast >= 0 && atLeast <= 100 && concurrency >= 1;
if (!isValid || !existsSync(join(folder, 'src'))) {
  console.error(
    'usage: pnpm mutate <folder of packages/> [--files glob] [--since commit] [--at-least score] [--concurrency n]',
  );
  process.exit(2);
}

process.chdir(folder);
const sources = sourcesOf(globSync(values.files));
if (sources.length === 0) {
  console.error(`mutants of ${name}: --files ${values.files} selects no source`);
  process.exit(2);
}
const mutate =
  values.since === undefined ? sources : patternsOf(sources, changedSince(values.since, folder));
if (mutate.length === 0) {
  console.log(`mutants of ${name}: no line has changed since ${values.since}`);
  process.exit(0);
}

// The same scripts of property tests for every mutant: what one survives, it survives again.
process.env.TEMPER_PROPERTY_SEED ??= '1';
addMutators();
const results = await new Stryker({
  mutate,
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: join(ROOT, 'scripts/mutate.vitest.config.mjs'), related: true },
  coverageAnalysis: 'perTest',
  concurrency,
  // The copy stands as deep as the package, so that paths from it to the rest of the repository stay as they are.
  tempDirName: join(ROOT, '.mutants'),
  cleanTempDir: 'always',
  // It refers to the packages beside this one. Vitest takes the one of the repository, and Stryker needs none.
  ignorePatterns: ['tsconfig*.json'],
  tsconfigFile: 'none',
  disableTypeChecks: false,
  reporters: [],
  timeoutMS: 10_000,
  allowEmpty: true,
  allowConsoleColors: false,
  logLevel: 'error',
  disableBail: false,
})
  .runMutationTest()
  .catch((error) => {
    // Stryker has written down what failed.
    console.error(`mutants of ${name}: ${error.message}`);
    process.exit(2);
  });

for (const line of describeMutants(results, folder)) console.log(line);
const { score, text } = scoreOf(results);
console.log(`mutants of ${name}: ${text}`);
process.exitCode = score < atLeast ? 1 : 0;
