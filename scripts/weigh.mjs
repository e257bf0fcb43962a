// What each entry point weighs, beside what others weigh. See scripts/rules/weight.mjs for what is measured.
//   node scripts/weigh.mjs [--runs 11] [--write]
// Build first. --write writes scripts/weight.json and docs/weight.md. Fails where an entry point loads what it must
// not; no figure of time fails anything.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { builtFiles, bundleSize, moduleOf } from './rules/bundle-size.mjs';
import { faultsOf, pageOf, tableOf } from './rules/weight.mjs';
import { ROOT, readPackages } from './rules/workspace.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '11' },
    write: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1)
  throw new RangeError('--runs must be an integer from 1 on');

/** What Temper's applications have loaded with their SDK, and the libraries that people compare us with. */
const OTHERS = ['@opentelemetry/api', 'cockatiel', 'opossum', 'p-retry', 'rate-limiter-flexible'];

const bench = join(ROOT, 'bench');
const others = OTHERS.map((name) => ({
  name,
  version: versionOf(name),
  measured: name !== '@opentelemetry/api',
  bundled: name,
  imported: name,
  required: createRequire(join(bench, 'package.json')).resolve(name),
  peers: [],
}));
const entries = readPackages()
  .filter(({ published }) => published)
  .flatMap(({ id, folder, doors }) => {
    const { exports, peerDependencies = {} } = createRequire(join(ROOT, folder, 'package.json'))(
      './package.json',
    );
    return doors.map((subpath) => ({
      name: id + subpath.slice(1),
      measured: true,
      bundled: join(ROOT, folder, exports[subpath].import.default),
      imported: join(ROOT, folder, exports[subpath].import.node),
      required: join(ROOT, folder, exports[subpath].require.default),
      peers: Object.keys(peerDependencies),
    }));
  });

function versionOf(name) {
  return JSON.parse(readFileSync(join(bench, 'node_modules', name, 'package.json'), 'utf8'))
    .version;
}

const sizeOf = ({ bundled, peers }) =>
  bundleSize(`export * from ${JSON.stringify(bundled)};`, ['@opentelemetry/*', ...peers], bench);

const folder = mkdtempSync(join(tmpdir(), 'temper-weight-'));
/** Loaded first, so that the start of Node's loaders is not counted. */
const first = {
  imported: join(folder, 'first.mjs'),
  required: join(folder, 'first.cjs'),
};
for (const file of Object.values(first)) writeFileSync(file, '');

const LOAD = {
  imported: (target) => ['module', `await import(${JSON.stringify(target)});`],
  required: (target) => ['commonjs', `require(${JSON.stringify(target)});`],
};

function run(kind, target, before, after) {
  const [type, load] = LOAD[kind](target);
  const program = `${LOAD[kind](first[kind])[1]}${before}${load}${after}`;
  const args = ['--expose-gc', `--input-type=${type}`, '--eval', program];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: bench, encoding: 'utf8' }));
}

/** CPU time in milliseconds, and bytes that stay on the heap. */
function load(kind, { [kind]: target }) {
  return run(
    kind,
    target,
    'gc();const heap=process.memoryUsage().heapUsed,cpu=process.cpuUsage();',
    `const{user,system}=process.cpuUsage(cpu);gc();console.log(JSON.stringify({ms:(user+system)/1000,heap:process.memoryUsage().heapUsed-heap}));`,
  );
}

/** URLs of the files that `import` reads. */
function filesOf({ imported }) {
  const before = `const{registerHooks}=process.getBuiltinModule('node:module');const read=[];registerHooks({load(url,context,next){if(url.startsWith('file:'))read.push(url);return next(url,context);}});`;
  return run('imported', imported, before, 'console.log(JSON.stringify(read));');
}

const all = [...others, ...entries];
const samples = all.map(() => ({ importMs: [], requireMs: [], heapBytes: [] }));
// In turns, so that a change of the machine's speed meets every row alike.
for (let turn = 0; turn < runs; turn++) {
  for (const [index, one] of all.entries()) {
    const imported = load('imported', one);
    samples[index].importMs.push(imported.ms);
    samples[index].heapBytes.push(imported.heap);
    samples[index].requireMs.push(load('required', one).ms);
  }
}
// What other work on the machine adds is never negative.
const least = (list) => Math.min(...list);
// A collection takes more or less of what Node itself has left behind.
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

const weights = [];
for (const [index, one] of all.entries()) {
  const files = filesOf(one);
  const { name, version } = one;
  weights.push({
    name,
    version,
    bytes: one.measured ? await sizeOf(one) : undefined,
    files: files.length,
    ownFiles: files.filter((url) => !url.includes('/node_modules/')).length,
    loadsApi: files.some((url) => url.includes('/@opentelemetry/api/')),
    importMs: least(samples[index].importMs),
    requireMs: least(samples[index].requireMs),
    heapBytes: median(samples[index].heapBytes),
  });
}
rmSync(folder, { recursive: true });

const { scenarios } = JSON.parse(readFileSync(join(ROOT, 'scripts/size-budgets.json'), 'utf8'));
const published = builtFiles(readPackages().filter((one) => one.published));
const uses = [];
for (const { name, exports, aim } of scenarios) {
  const bytes = await bundleSize(moduleOf(published, exports), ['@opentelemetry/*'], bench);
  uses.push({ name, bytes, aim });
}

const measured = {
  node: process.versions.node,
  runs,
  others: weights.slice(0, others.length),
  entries: weights.slice(others.length),
  uses,
};
console.log(tableOf(weights));
const faults = faultsOf(measured.entries);
for (const fault of faults) console.error(fault);
if (values.write) {
  writeFileSync(join(ROOT, 'scripts/weight.json'), `${JSON.stringify(measured, null, 2)}\n`);
  writeFileSync(join(ROOT, 'docs/weight.md'), pageOf(measured));
}
process.exitCode = faults.length === 0 ? 0 : 1;
