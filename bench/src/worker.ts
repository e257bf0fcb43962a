// Runs one suite in this process: `node --expose-gc worker.js retry/first-try '{"turns":…}'`.
import { built, runSuite } from './suite.ts';

const [suite = '', turns = '{}'] = process.argv.slice(2);
const exported = (await import(`${built}/${suite}.js`)) as object;
const result = await runSuite(suite, exported, {
  ...(JSON.parse(turns) as { batchMs: number; turns: number; warmUpMs: number }),
  now: () => performance.now(),
});
process.send?.(result, () => process.exit(0));
