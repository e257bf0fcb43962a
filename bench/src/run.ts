// `pnpm bench [--short] [--only text] [--processes n] [--busy]` measures every suite and writes RESULTS.md.
// `pnpm bench --stale` says whether RESULTS.md still describes the present sources.
import { fork } from 'node:child_process';
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BEWARE, gitIn, isBusy, refusal, revision, staleness } from './conditions.ts';
import { report } from './report.ts';
import { built, findSuites, type SuiteResult } from './suite.ts';
import { summarize } from './summary.ts';
import { wrongFloors } from './verdicts.ts';

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    processes: { type: 'string' },
    busy: { type: 'boolean', default: false },
    stale: { type: 'boolean', default: false },
  },
});
const root = join(built, '../..');
const git = gitIn(root);
const pagePath = join(built, '../RESULTS.md');
if (values.stale) {
  const said = staleness(readFileSync(pagePath, 'utf8'), git);
  console.log(said ?? 'RESULTS.md describes the present sources.');
  process.exit(said === undefined ? 0 : 1);
}
const turns = values.short
  ? { batchMs: 1, turns: 5, warmUpMs: 5, short: true }
  : { batchMs: 2, turns: 150, warmUpMs: 300 };
const processes = Number(values.processes ?? (values.short ? 1 : 5));
const suites = findSuites().filter((suite) => suite.includes(values.only));
const load = loadavg()
  .map((one) => one.toFixed(1))
  .join(' ');
const [lately = 0] = loadavg();
const refused = refusal(lately, values);
if (refused !== undefined) {
  console.error(refused);
  process.exit(2);
}

let broken = false;
const before = lastBuild();
const commit = revision(git);
const results: SuiteResult[] = [];
const failures: string[] = [];
if (isBusy(lately)) failures.push(`the machine was busy with other work (${load}): ${BEWARE}`);
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
if (revision(git) !== commit) failures.push('the sources changed while they were measured');
const [cpu] = cpus();
const summary = summarize(results);
const page = report(summary, {
  commit,
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
for (const { group, name } of wrongFloors(summary)) {
  console.error(`floor is not the fastest: ${group}: ${name}`);
}
// Figures of a short or partial run are not meaningful and are not written.
if (!values.short && values.only === '') {
  writeFileSync(pagePath, `${page}\n`);
}
process.exitCode = broken ? 1 : 0;

/** Build time of the newest module, in milliseconds since the epoch. */
function lastBuild(): number {
  const modules = globSync('{bench,packages/*}/dist/**/*.js', { cwd: root });
  return Math.max(...modules.map((path) => statSync(join(root, path)).mtimeMs));
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
