// node scripts/fuzz.mjs [--seed 1] [--runs 100000] [--only name]: the long version of the fuzzing in the unit
// suites, and how the time of each parser grows with the length of its text.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { growthOf } from './rules/growth.mjs';
import { ROOT } from './rules/workspace.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '100000' },
    only: { type: 'string', default: '' },
  },
});
/** How many times as long twice the text may take. */
const MAX_GROWTH = 2.5;
/** Microseconds of CPU for a UTF-16 code unit. */
const MAX_COST = 2;
const [seed, runs] = [Number(values.seed), Number(values.runs)];
const harness = join(ROOT, 'packages/testkit/dist/repository/fuzz.js');
const { fuzz, pumped } = await import(pathToFileURL(harness).href);

console.log(`seed ${seed}, ${runs} mutations of each parser`);
for (const file of globSync('{packages,apps}/*/test/parsers.ts', { cwd: ROOT }).sort()) {
  const { PARSERS } = await import(pathToFileURL(join(ROOT, file)).href);
  const owner = file.split('/')[1];
  for (const parser of PARSERS.filter(({ name }) => name.includes(values.only))) {
    try {
      const { accepted, refused } = fuzz(parser, runs, seed);
      const counts = `${owner}: ${parser.name}: ${accepted} accepted, ${refused} refused`;
      if (parser.longest !== undefined) {
        console.log(`${counts}, at most ${parser.longest} code units`);
        continue;
      }
      const { text, times, microsecondsPerUnit } = growthOf(parser, pumped, seed);
      const cost = microsecondsPerUnit.toFixed(3);
      console.log(`${counts}, ${cost} µs for a code unit`);
      if (times > MAX_GROWTH) {
        throw new Error(`twice the text takes ${times.toFixed(1)} times as long: ${text}`);
      }
      if (microsecondsPerUnit > MAX_COST) throw new Error(`takes ${cost} µs for a code unit`);
    } catch (error) {
      console.error(`${owner}: ${parser.name}: FAILED: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
