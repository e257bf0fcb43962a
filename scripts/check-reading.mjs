// How much one has to read to know one policy: the lines of a file and of all that it imports, types
// included; without core and without tests. reading-budgets.json names the files: of the policy, apart from the
// factory that joins it to its telemetry, and once with both. `--files` lists them.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareWithBudgets, formatTable } from './rules/budgets.mjs';
import { parseFile } from './rules/parse.mjs';
import { existsUnder, packageOf, ROOT, readPackages, resolveImport } from './rules/workspace.mjs';

const budgets = JSON.parse(readFileSync(join(ROOT, 'scripts/reading-budgets.json'), 'utf8'));
const packages = readPackages();

/** The files of the import closure with their lines. */
function closure(entries) {
  const lines = new Map();
  const queue = [...entries];
  for (const file of queue) {
    if (lines.has(file)) continue;
    const text = readFileSync(join(ROOT, file), 'utf8');
    lines.set(file, text.split('\n').length - 1);
    for (const { specifier } of parseFile(file, text).imports) {
      const { file: target, missing } = resolveImport(packages, file, specifier, existsUnder(ROOT));
      // What is not found cannot be counted, and a count without it would look good.
      if (missing) throw new Error(`${file} imports ${specifier}, which does not exist`);
      if (target !== undefined && packageOf(packages, target)?.name !== 'core') queue.push(target);
    }
  }
  return lines;
}

const measured = new Map();
const missing = new Set();
for (const { name, entries } of budgets) {
  let lines;
  try {
    for (const entry of entries) {
      if (existsSync(join(ROOT, entry))) continue;
      throw new Error(`${entry} does not exist: correct scripts/reading-budgets.json`);
    }
    lines = closure(entries);
  } catch (error) {
    missing.add(name);
    console.error(`${name} cannot be measured: ${error.message}.`);
    continue;
  }
  measured.set(
    name,
    [...lines.values()].reduce((sum, count) => sum + count, 0),
  );
  if (process.argv.includes('--files'))
    for (const [file, count] of lines) console.log(`${String(count).padStart(5)}  ${file}`);
}
const { rows, faults } = compareWithBudgets(
  budgets.filter(({ name }) => !missing.has(name)),
  measured,
);
console.log(formatTable(rows, 'lines'));
for (const fault of faults) console.error(fault);
process.exitCode = faults.length + missing.size === 0 ? 0 : 1;
