// Holds the rules of the house over all TypeScript files: imports only downward and in no circle,
// OpenTelemetry in its rooms, no real clock, timer or chance in sources and unit tests.
// `--prune` removes entries of known-violations.json that no longer occur; `--all` prints the known too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareWithKnown, prune, readKnown, writeKnown } from './rules/baseline.mjs';
import { applyExceptions } from './rules/exceptions.mjs';
import { parseFile } from './rules/parse.mjs';
import { CURES, findViolations } from './rules/violations.mjs';
import { listFiles, ROOT, readPackages } from './rules/workspace.mjs';

const { values } = parseArgs({
  options: { prune: { type: 'boolean' }, all: { type: 'boolean' } },
});

let faults = 0;
const sources = listFiles().flatMap((file) => {
  try {
    return [{ file, ...parseFile(file, readFileSync(join(ROOT, file), 'utf8')) }];
  } catch (error) {
    faults++;
    console.error(error.message);
    return [];
  }
});
const { left, unused } = applyExceptions(findViolations(sources, readPackages()));
const known = readKnown('imports');
const { fresh, gone } = compareWithKnown(left, known);
if (values.prune) writeKnown('imports', prune(known, gone));

for (const { rule, file, line, what, why } of values.all ? left : fresh)
  console.error(`${file}:${line} [${rule}] ${what}: ${why}.\n  ${CURES[rule]}`);
for (const { rule, files } of unused)
  console.error(
    `scripts/rules/exceptions.mjs [${rule}] ${files}: nothing needs this exception.\n  Remove it.`,
  );
if (!values.prune)
  for (const { rule, file, what, count } of gone)
    console.error(
      `scripts/known-violations.json [${rule}] ${file}: ${what} occurs ${count} times less.\n` +
        '  Run `pnpm check:imports --prune`.',
    );
faults += fresh.length + unused.length + (values.prune ? 0 : gone.length);
console.log(
  `imports: ${sources.length} files, ${fresh.length} new violations, ${left.length - fresh.length} known`,
);
process.exitCode = faults === 0 ? 0 : 1;
