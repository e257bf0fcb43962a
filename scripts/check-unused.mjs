// Files, exports and dependencies that nothing uses, as knip finds them with knip.config.js.
// `--prune` removes entries of known-violations.json that no longer occur; `--all` prints the known too.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareWithKnown, prune, readKnown, writeKnown } from './rules/baseline.mjs';
import { adviceOn, findingsOf } from './rules/unused.mjs';
import { ROOT } from './rules/workspace.mjs';

const { values } = parseArgs({
  options: { prune: { type: 'boolean' }, all: { type: 'boolean' } },
});

const knip = join(dirname(createRequire(import.meta.url).resolve('knip')), '../bin/knip.js');
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [knip, '--no-progress', '--reporter', 'json'],
  { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 << 20 },
);
// 0 without findings, 1 with some; everything else is a fault of knip or of its configuration.
if (status !== 0 && status !== 1) {
  console.error(`knip ended with code ${status}:\n${stdout}${stderr}`);
  process.exit(2);
}
const findings = findingsOf(JSON.parse(stdout));
const known = readKnown('unused');
const { fresh, gone } = compareWithKnown(findings, known);
if (values.prune) writeKnown('unused', prune(known, gone));

for (const { rule, file, line, what } of values.all ? findings : fresh)
  console.error(`${file}:${line} [${rule}] ${what}: ${adviceOn(rule)}`);
if (!values.prune)
  for (const { rule, file, what } of gone)
    console.error(
      `scripts/known-violations.json [${rule}] ${file}: ${what} no longer occurs.\n` +
        '  Run `pnpm check:unused --prune`.',
    );
console.log(`unused: ${fresh.length} new findings, ${findings.length - fresh.length} known`);
process.exitCode = fresh.length + (values.prune ? 0 : gone.length) === 0 ? 0 : 1;
