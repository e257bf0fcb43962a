// Size of each published entry point, and of some sets of exports, bundled, minified and gzipped.
// Peers and Node's own modules are left out, as an application has them anyway. Build first.
// `--json` prints the figures alone.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareWithBudgets, formatTable } from './rules/budgets.mjs';
import { builtFiles, bundleSize, moduleOf } from './rules/bundle-size.mjs';
import { ROOT, readPackages } from './rules/workspace.mjs';

const { values } = parseArgs({ options: { json: { type: 'boolean' } } });
const { entryPoints, scenarios } = JSON.parse(
  readFileSync(join(ROOT, 'scripts/size-budgets.json'), 'utf8'),
);
const published = readPackages().filter((one) => one.published);
const peers = new Set(
  published.flatMap(({ folder }) =>
    Object.keys(
      JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')).peerDependencies ?? {},
    ),
  ),
);

const files = builtFiles(published);

const measured = new Map();
const broken = new Set();
async function measure(name, code) {
  try {
    measured.set(name, await bundleSize(code, [...peers]));
  } catch (error) {
    broken.add(name);
    const { text, location } = error.errors?.[0] ?? { text: error.message };
    console.error(`${name} cannot be bundled: ${text}${location ? ` (${location.file})` : ''}`);
  }
}
for (const [entry, file] of files) {
  if (existsSync(file)) await measure(entry, `export * from ${JSON.stringify(file)};`);
  else {
    broken.add(entry);
    console.error(`${file} is missing.\n  Run \`pnpm build\` first.`);
  }
}
for (const { name, exports } of scenarios) await measure(name, moduleOf(files, exports));

if (values.json) console.log(JSON.stringify(Object.fromEntries(measured), undefined, 2));
else {
  const { rows, faults } = compareWithBudgets(
    [...entryPoints, ...scenarios].filter(({ name }) => !broken.has(name)),
    measured,
  );
  console.log(formatTable(rows, 'bytes'));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0)
    console.error(
      '  Make it smaller, or change scripts/size-budgets.json with the reason in the commit.',
    );
  process.exitCode = faults.length + broken.size === 0 ? 0 : 1;
}
