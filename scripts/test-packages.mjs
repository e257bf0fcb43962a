// Runs the unit tests of the published packages under the Node that runs this script, which may be
// another one than the repository is built with. The packages import each other as built, so build first.
//   node scripts/test-packages.mjs [package ...]
// A package whose `engines` leave this Node out is not tested, and named.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isSupported } from './rules/engines.mjs';

const names = process.argv.slice(2);
const root = join(import.meta.dirname, '..');
const published = readdirSync(join(root, 'packages'))
  .map((name) => {
    const cwd = join(root, 'packages', name);
    const manifest = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));
    return { name, cwd, engines: manifest.engines, published: manifest.private !== true };
  })
  .filter((one) => one.published);
const unknown = names.filter((name) => !published.some((one) => one.name === name));
if (unknown.length > 0) {
  console.error(`No published package is called ${unknown.join(' or ')}.`);
  process.exit(2);
}

let faults = 0;
for (const { name, cwd, engines } of published) {
  if (names.length > 0 && !names.includes(name)) continue;
  if (!isSupported(engines.node, process.versions.node)) {
    console.log(`${name.padEnd(22)} needs Node ${engines.node}: not tested`);
    continue;
  }
  // Written by the configuration that all packages share.
  const report = join(cwd, 'test-results/unit.json');
  rmSync(report, { force: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { stdout, stderr } = spawnSync(
    process.execPath,
    // The other reporters of Vitest 5 fail on Node 20 when a test does.
    [vitest, 'run', '--config', join(root, 'vitest.config.ts'), '--reporter=json'],
    { cwd, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' }, maxBuffer: 2 ** 28 },
  );
  if (!existsSync(report)) {
    faults++;
    console.error(`${name}: the tests did not run.\n${`${stdout}\n${stderr}`.trim().slice(-4000)}`);
    continue;
  }
  const { numPassedTests, numFailedTests, success, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  console.log(`${name.padEnd(22)} ${numPassedTests} passed, ${numFailedTests} failed`);
  if (!success) faults++;
  for (const { name: file, status, message, assertionResults } of testResults) {
    if (status === 'passed') continue;
    const failed = assertionResults.filter((one) => one.status === 'failed');
    if (failed.length === 0) console.error(`  ${file}: ${message}`);
    for (const { fullName, failureMessages } of failed) {
      console.error(`  ${fullName}\n    ${(failureMessages[0] ?? '').slice(0, 1000)}`);
    }
  }
}
console.log(`tested under Node ${process.versions.node} on ${process.platform}`);
process.exitCode = faults === 0 ? 0 : 1;
