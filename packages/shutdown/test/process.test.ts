import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { VERSION } from '../src/version.ts';

const run = promisify(execFile);
const cwd = new URL('..', import.meta.url);
const node = (script: string, type = 'module') =>
  run(process.execPath, [`--input-type=${type}`, '--eval', script], { cwd, timeout: 20_000 });

it('does not keep the process alive, with or without listeners', async () => {
  const { stdout } = await node(`
    import { createServer } from 'node:http';
    import { gracefulShutdown } from '@temper/shutdown';
    globalThis.kept = gracefulShutdown({ signals: ['SIGTERM', 'SIGINT'], uncaughtExceptions: true });
    kept.register(() => {});
    kept.server(createServer());
    console.log('done');`);
  expect(stdout).toBe('done\n');
}, 30_000);

it('does not keep the process alive for a tracked promise that can never settle, and says so', async () => {
  const script = (options: string) => `
    import { gracefulShutdown } from '@temper/shutdown';
    globalThis.kept = gracefulShutdown({ ${options} });
    kept.track(new Promise(() => {}));
    console.log('done');`;
  expect(await node(script(''))).toEqual({ stdout: 'done\n', stderr: '' });
  expect(await node(script(`signals: ['SIGTERM'], beforeExit: false`))).toMatchObject({
    stdout: 'done\n',
    stderr: expect.stringContaining('still in flight: 1'),
  });
  await expect(node(script(`signals: ['SIGTERM']`))).rejects.toMatchObject({
    code: 124,
    stdout: 'done\n',
    stderr: expect.stringContaining('timed out  drain/tracked work'),
  });
}, 30_000);

it('adds no listener to the process before listen() is called or an option asks for it', async () => {
  const { stdout } = await node(`
    import { gracefulShutdown } from '@temper/shutdown';
    const names = ['SIGTERM', 'exit', 'beforeExit', 'uncaughtException', 'unhandledRejection'];
    const counts = () => names.map((name) => process.listenerCount(name));
    const all = JSON.stringify(process.eventNames());
    const before = counts(); // Node 20 itself listens to 'exit' here
    globalThis.quiet = gracefulShutdown();
    console.log(JSON.stringify([process.eventNames(), counts()]) === JSON.stringify([JSON.parse(all), before]));
    globalThis.kept = gracefulShutdown({ uncaughtExceptions: true, unhandledRejections: true });
    kept.listen(['SIGTERM']);
    console.log(process.eventNames().filter((name) => !JSON.parse(all).concat(names).includes(name)).join());
    console.log(counts().map((count, i) => count - before[i]).join());`);
  expect(stdout).toBe('true\n\n1,1,1,1,1\n');
}, 30_000);

it('loads with require()', async () => {
  const script = `console.log(typeof require('@temper/shutdown').gracefulShutdown)`;
  expect((await node(script, 'commonjs')).stdout).toBe('function\n');
}, 30_000);

it('exports the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', cwd), 'utf8'));
  expect(VERSION).toBe(version);
});
