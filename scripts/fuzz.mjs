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
      const { text, times, microsecondsPerUnit } = growthOf(parser, pumped, seed);
      const cost = microsecondsPerUnit.toFixed(3);
      console.log(
        `${owner}: ${parser.name}: ${accepted} accepted, ${refused} refused, ${cost} µs/unit`,
      );
      if (times > 2.5)
        throw new Error(`twice the text takes ${times.toFixed(1)} times as long: ${text}`);
    } catch (error) {
      console.error(`${owner}: ${parser.name}: FAILED: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
