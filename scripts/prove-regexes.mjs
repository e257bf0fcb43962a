// node scripts/prove-regexes.mjs [--all]: judges the regular expressions that are not in regexes.json, or all of
// them, for some minutes, and writes them there, so that the tests need to judge only what has changed since.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judge, listRegexes } from './rules/regexes.mjs';
import { ROOT } from './rules/workspace.mjs';

const { expressions } = await listRegexes();
const path = join(ROOT, 'scripts/regexes.json');
const known = process.argv.includes('--all') ? {} : JSON.parse(readFileSync(path, 'utf8'));
const proven = {};
for (const expression of expressions) {
  const judged = known[expression.name];
  const { linear, why } = judged === undefined ? judge(expression) : { linear: true, why: judged };
  if (linear) proven[expression.name] = why;
  else {
    console.error(`${expression.file}: ${expression.name}\n  ${why}`);
    process.exitCode = 1;
  }
}
const sorted = Object.fromEntries(Object.entries(proven).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(sorted, null, 2)}\n`);
console.log(`${Object.keys(sorted).length} of ${expressions.length} are linear.`);
