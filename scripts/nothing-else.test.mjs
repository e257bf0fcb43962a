import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { ROOT } from './rules/workspace.mjs';

const LEAKS = `
import { createServer } from 'node:net';
import { diag } from '@opentelemetry/api';
import { expect, it, onTestFinished } from 'vitest';
it('is clean', () => {});
it('removes its listener late', () => {
  const listener = () => {};
  process.on('SIGUSR2', listener);
  onTestFinished(() => void process.off('SIGUSR2', listener));
});
it('leaves a listener', () => void process.on('SIGUSR2', () => {}));
it('causes a diagnostic', () => diag.warn('the store is down'));
it('reads its diagnostics', () => {
  const read = [];
  const log = (message) => void read.push(message);
  diag.setLogger({ error: log, warn: log, info: log, debug: log, verbose: log });
  diag.warn('the store is down');
  expect(read).toEqual(['the store is down']);
});
it('leaves a server', () => new Promise((resolve) => createServer().listen(0, '127.0.0.1', resolve)));
`;
const CONFIG = `
import shared from ${JSON.stringify(join(ROOT, 'vitest.config.ts'))};
export default { test: { ...shared.test, include: ['leaks.test.mjs'], reporters: [['json', { outputFile: 'results.json' }]] } };
`;

it('a test that leaves something behind fails, and one that does not passes', async () => {
  // As if it were a package of which the diagnostics are read.
  const folder = join(ROOT, 'scripts/test-results/packages/retry');
  mkdirSync(folder, { recursive: true });
  onTestFinished(() => rmSync(join(folder, '..'), { recursive: true }));
  writeFileSync(join(folder, 'leaks.test.mjs'), LEAKS);
  writeFileSync(join(folder, 'vitest.config.mjs'), CONFIG);
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  await promisify(execFile)(process.execPath, [vitest, 'run'], { cwd: folder }).catch(() => {});
  const [file] = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')).testResults;
  const failures = file.assertionResults.filter(({ status }) => status === 'failed');
  expect(failures.map(({ title }) => title)).toEqual(['leaves a listener', 'causes a diagnostic']);
  expect(failures[0].failureMessages[0]).toContain('listeners on process: SIGUSR2 (1)');
  expect(failures[1].failureMessages[0]).toContain('Unexpected diagnostics: the store is down');
  expect(file.status).toBe('failed');
  expect(file.message).toContain('keeps a process alive: TCPServerWrap (1)');
});
