// Installs the packed packages into empty folders, one per environment, and checks that they work there.
// usage: node compat/run.mjs [--short] [--write] [--no-build] [--keep] [id or prefix ...]
//   --short     only the environments that CI runs
//   --write     adds the results to compat/results.json and regenerates docs/compatibility.md
//   --no-build  packs what was built before
//   --keep      leaves the folders for inspection, and prints where they are
import { readdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEnvironment } from './environment.mjs';
import { pack } from './pack.mjs';
import { CannotRun, execute } from './processes.mjs';
import { pruneResults, readResults, scrub, writeResults, writeTestCounts } from './results.mjs';
import { writeTable } from './table.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    build: { type: 'boolean', default: true },
    keep: { type: 'boolean', default: false },
  },
  allowNegative: true,
});

const folder = join(import.meta.dirname, 'environments');
const files = readdirSync(folder).filter((file) => file.endsWith('.mjs'));
const all = [];
for (const file of files.sort()) all.push(...(await import(join(folder, file))).default);
const twice = all.filter(({ id }, index) => all.findIndex((other) => other.id === id) !== index);
if (twice.length > 0) throw new Error(`Two environments have the id ${twice[0].id}`);

const selected = all.filter(
  ({ id, short }) =>
    (positionals.length === 0 || positionals.some((prefix) => id.startsWith(prefix))) &&
    (!values.short || short === true),
);
if (selected.length === 0) {
  console.error(`No environment is called ${positionals.join(' or ')}. There are:`);
  for (const { id } of all) console.error(`  ${id}`);
  process.exit(2);
}

const work = await mkdtemp(join(tmpdir(), 'temper-compat-'));
const tarballs = await pack(join(work, 'tarballs'), values.build);
const results = [];
for (const row of selected) {
  const result = await runRow(row);
  results.push(result);
  // At once, so that a run that is ended early keeps what it has found.
  if (values.write) {
    writeResults([result]);
    writeTable(readResults());
  }
}
if (values.write && selected.length === all.length) {
  pruneResults(all);
  writeTable(readResults());
}
if (values.keep) console.log(`folders: ${work}`);
else rmSync(work, { recursive: true, force: true, maxRetries: 3 });

const count = (result) => results.filter((one) => one.result === result).length;
writeTestCounts(count('passed'), count('failed'), count('cannot run here'));
console.log(
  `${count('passed')} passed, ${count('failed')} failed, ${count('cannot run here')} cannot run here`,
);
process.exitCode = count('failed') === 0 ? 0 : 1;

async function runRow({ id, group, title, run }) {
  const dir = join(work, id.replaceAll(/[^\w.-]/g, '-'));
  const env = await createEnvironment(dir, tarballs);
  const clean = (text) => scrub(text, dir, work);
  const row = { id, group, title };
  const started = Date.now();
  const say = (result, text = '') => {
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    console.log(`${result.padEnd(15)} ${id} (${seconds} s)${text}`);
  };
  try {
    const { loaded, asserted } = await run(env);
    if (!(loaded.length > 0 && asserted.length > 0)) throw new Error('the row asserts nothing');
    say('passed');
    return { ...row, result: 'passed', loaded: loaded.map(clean), asserted: asserted.map(clean) };
  } catch (error) {
    if (error instanceof CannotRun) {
      say('cannot run here', `: ${clean(error.message)}`);
      return { ...row, result: 'cannot run here', reason: clean(error.message) };
    }
    say('FAILED', `\n${clean(error.stack ?? String(error))}`);
    return {
      ...row,
      result: 'failed',
      reason: clean(String(error?.message ?? error)).slice(0, 500),
    };
  } finally {
    await env.stop();
    if (!values.keep) await execute('rm', ['-rf', dir], { cwd: work });
  }
}
