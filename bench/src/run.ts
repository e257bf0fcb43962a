// `pnpm bench [--short] [--only text] [--processes n]` measures every suite and writes RESULTS.md.
import { fork } from 'node:child_process';
import { globSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { report } from './report.ts';
import { built, findSuites, type SuiteResult } from './suite.ts';
import { summarize } from './summary.ts';

const BEWARE = 'only ratios say anything, and those against a disk little';
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    processes: { type: 'string' },
  },
});
const turns = values.short
  ? { batchMs: 1, turns: 5, warmUpMs: 5, short: true }
  : { batchMs: 2, turns: 150, warmUpMs: 300 };
const processes = Number(values.processes ?? (values.short ? 1 : 5));
const suites = findSuites().filter((suite) => suite.includes(values.only));
const load = loadavg()
  .map((one) => one.toFixed(1))
  .join(' ');
const busy = (loadavg()[0] ?? 0) > cpus().length / 2;

let broken = false;
const before = lastBuild();
const results: SuiteResult[] = [];
const failures: string[] = [];
if (busy) failures.push(`the machine was busy with other work (${load}): ${BEWARE}`);
for (let round = 1; round <= processes; round++) {
  for (const suite of suites) {
    console.error(`${round}/${processes} ${suite}`);
    try {
      results.push(await inProcess(suite));
    } catch (error) {
      broken = true;
      failures.push(`\`${suite}\`: ${(error as Error).message}`);
      console.error(error);
    }
  }
}
if (lastBuild() !== before) failures.push('the code was built anew while it was measured');
const [cpu] = cpus();
const page = report(summarize(results), {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  machine: `${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}`,
  load,
  processes,
  batchMs: turns.batchMs,
  turns: turns.turns,
  failures,
});
console.log(page);
// Figures of a short or partial run are not meaningful and are not written.
if (!values.short && values.only === '') {
  writeFileSync(join(built, '../RESULTS.md'), `${page}\n`);
}
process.exitCode = broken ? 1 : 0;

/** Build time of the newest module, in milliseconds since the epoch. */
function lastBuild(): number {
  const modules = globSync('{bench,packages/*}/dist/**/*.js', { cwd: join(built, '../..') });
  return Math.max(...modules.map((path) => statSync(join(built, '../..', path)).mtimeMs));
}

function inProcess(suite: string): Promise<SuiteResult> {
  return new Promise((resolve, reject) => {
    const worker = fork(join(built, 'worker.js'), [suite, JSON.stringify(turns)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    let result: SuiteResult | undefined;
    worker.on('message', (message) => {
      result = message as SuiteResult;
    });
    worker.on('exit', (code) => {
      if (result === undefined) reject(new Error(`the process ended with ${code}`));
      else resolve(result);
    });
  });
}
