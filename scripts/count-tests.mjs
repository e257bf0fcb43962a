// Adds up the results that vitest left in every package, and prints the line that CI reads.
// With `--failed N`, N steps that are not tests (a server missing, a build that broke) count as failed;
// with `--only unit`, results of that name alone are read. Tests that failed, and those that passed
// only when repeated, are named before the line, each with the beginning of what it failed with: the end of a
// long log says what to look at.
import { globSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { failed: { type: 'string', default: '0' }, only: { type: 'string', default: '*' } },
});

/** What is printed of a failure. */
const MAX_LINES = 15;
const MAX_LINE_LENGTH = 2000;

let passed = 0;
let skipped = 0;
let failed = Number(values.failed);
const named = [];
const files = globSync(
  `{packages/*,apps/*,bench,clients,compat,drain,observability,scripts,simulation}/test-results/${values.only}.json`,
);
for (const file of files) {
  const result = JSON.parse(readFileSync(file, 'utf8'));
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  skipped += result.numPendingTests;
  for (const suite of result.testResults) {
    const where = relative('.', suite.name);
    for (const { status, fullName, failureMessages } of suite.assertionResults) {
      // A test that was run again keeps what it failed with at first.
      if (status === 'failed')
        named.push(`FAILED ${where}: ${fullName}\n${beginning(failureMessages)}`);
      else if (failureMessages.length > 0) {
        named.push(`UNSTEADY ${where}: ${fullName}\n${beginning(failureMessages)}`);
      }
    }
    if (
      suite.status === 'failed' &&
      suite.assertionResults.every(({ status }) => status !== 'failed')
    ) {
      named.push(`FAILED ${where}\n${beginning([suite.message])}`);
    }
  }
  // A file that cannot even be loaded has failed without having a test.
  failed += result.testResults.filter(
    (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
  ).length;
}
for (const text of named) console.log(text);
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

/** The message of the first failure, without its stack, indented. */
function beginning(messages) {
  const lines = String(messages[0] ?? '').split('\n');
  const stack = lines.findIndex((line) => /^ {4}at /.test(line));
  const message = stack > 0 ? lines.slice(0, stack) : lines;
  const kept = message.slice(0, MAX_LINES).map((line) => line.slice(0, MAX_LINE_LENGTH));
  if (message.length > MAX_LINES) kept.push(`… ${message.length - MAX_LINES} more lines`);
  return kept.map((line) => `  ${line}`.trimEnd()).join('\n');
}
