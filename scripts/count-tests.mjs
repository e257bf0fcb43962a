// Adds up the results that vitest left in every package, and prints the line that CI reads.
// With `--failed N`, N steps that are not tests (a server missing, a build that broke) count as failed;
// with `--only unit`, results of that name alone are read.
import { globSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { failed: { type: 'string', default: '0' }, only: { type: 'string', default: '*' } },
});

let passed = 0;
let skipped = 0;
let failed = Number(values.failed);
const files = globSync(
  `{packages/*,apps/*,bench,clients,compat,observability,scripts}/test-results/${values.only}.json`,
);
for (const file of files) {
  const result = JSON.parse(readFileSync(file, 'utf8'));
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  skipped += result.numPendingTests;
  // A file that cannot even be loaded has failed without having a test.
  failed += result.testResults.filter(
    (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
  ).length;
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
