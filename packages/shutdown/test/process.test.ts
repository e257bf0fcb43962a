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
    kept.track(new Promise(() => {}));
    console.log('done');`);
  expect(stdout).toBe('done\n');
}, 30_000);

it('adds no listener to the process before listen() is called', async () => {
  const { stdout } = await node(`
    import { gracefulShutdown } from '@temper/shutdown';
    const before = JSON.stringify(process.eventNames());
    globalThis.kept = gracefulShutdown({ uncaughtExceptions: true, unhandledRejections: true });
    console.log(JSON.stringify(process.eventNames()) === before);
    kept.listen(['SIGTERM']);
    console.log(process.eventNames().filter((name) => !JSON.parse(before).includes(name)).join());`);
  expect(stdout).toBe('true\nSIGTERM,uncaughtException,unhandledRejection\n');
}, 30_000);

it('loads with require()', async () => {
  const script = `console.log(typeof require('@temper/shutdown').gracefulShutdown)`;
  expect((await node(script, 'commonjs')).stdout).toBe('function\n');
}, 30_000);

it('exports the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', cwd), 'utf8'));
  expect(VERSION).toBe(version);
});
