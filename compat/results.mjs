import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './pack.mjs';

const FILE = join(import.meta.dirname, 'results.json');

/** @returns the committed results, by id */
export function readResults() {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : [];
}

/** Replaces the results of these rows. */
export function writeResults(results) {
  const byId = new Map(readResults().map((result) => [result.id, result]));
  for (const result of results) byId.set(result.id, result);
  write([...byId.values()]);
}

/** Removes the results of rows that no longer exist. */
export function pruneResults(rows) {
  const ids = new Set(rows.map(({ id }) => id));
  write(readResults().filter(({ id }) => ids.has(id)));
}

function write(results) {
  results.sort((a, b) => (a.id < b.id ? -1 : 1));
  writeFileSync(FILE, `${JSON.stringify(results, null, 2)}\n`);
}

/** Leaves the counts where scripts/count-tests.mjs adds them up. */
export function writeTestCounts(passed, failed, skipped) {
  const folder = join(import.meta.dirname, 'test-results');
  mkdirSync(folder, { recursive: true });
  const counts = { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped };
  writeFileSync(join(folder, 'environments.json'), JSON.stringify({ ...counts, testResults: [] }));
}

/** Removes what only this machine knows: its folders, and the hosts of its registries. */
export function scrub(text, dir, work) {
  return text
    .replaceAll(dir, '.')
    .replaceAll(work, '<work>')
    .replaceAll(ROOT, '<checkout>')
    .replaceAll(homedir(), '~')
    .replaceAll(/https?:\/\/(?!127\.0\.0\.1|localhost)[\w.:@-]+/g, '<host>');
}
