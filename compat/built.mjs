// Tests what was built under the Node that runs this script, whichever the repository was built with: loads every
// entry point by require() and by import, and runs the suite of all platforms, with real failures of the network,
// from both module systems. Build first.
//   node compat/built.mjs
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isSupported } from '../scripts/rules/engines.mjs';
import { ENTRY_POINTS } from './entry-points.mjs';
import { startFailingServer } from './failing-server.mjs';
import { ROOT } from './pack.mjs';

const folder = mkdtempSync(join(tmpdir(), 'temper-built-'));
const link = (target, name) => symlinkSync(target, join(folder, 'node_modules', name), 'junction');
mkdirSync(join(folder, 'node_modules/@temper'), { recursive: true });
mkdirSync(join(folder, 'node_modules/@opentelemetry'));
const supported = new Set();
for (const name of readdirSync(join(ROOT, 'packages'))) {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8'));
  link(join(ROOT, 'packages', name), manifest.name);
  if (isSupported(manifest.engines.node, process.versions.node)) supported.add(manifest.name);
}
const api = join(ROOT, 'packages/core/node_modules/@opentelemetry/api');
link(api, '@opentelemetry/api');

function run(title, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 300_000,
  });
  assert.equal(status, 0, `${title}:\n${stdout}\n${stderr}`);
  assert.equal(stderr, '', title);
  return stdout;
}

const entries = ENTRY_POINTS.filter((entry) =>
  supported.has(entry.split('/').slice(0, 2).join('/')),
);
copyFileSync(join(ROOT, 'compat/fixtures/load-everything.cjs'), join(folder, 'load.cjs'));
run('loading', 'load.cjs', ...entries);
console.log(`${entries.length} entry points load by require() and by import`);

const server = await startFailingServer();
try {
  const suite = readFileSync(join(ROOT, 'compat/fixtures/runtime-suite.mjs'), 'utf8');
  writeFileSync(join(folder, 'suite.mjs'), suite);
  const required = suite
    .replaceAll(/^import (\{[^}]*\}) from (.*);$/gm, 'const $1 = require($2);')
    .replace('export async function', 'module.exports = { runSuite };\nasync function');
  writeFileSync(join(folder, 'suite.cjs'), required);
  for (const file of ['suite.mjs', 'suite.cjs']) {
    const { runSuite } = await import(pathToFileURL(join(folder, file)).href);
    const results = await runSuite(server.url, server.refused);
    const failed = results.filter(({ error }) => error !== undefined);
    assert.deepEqual(failed, [], file);
    assert.ok(results.length >= 16, `${results.length} tests`);
    console.log(`${results.length} tests of ${file} passed`);
  }
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`built packages tested under Node ${process.versions.node} on ${process.platform}`);
