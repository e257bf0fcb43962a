import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { alive, type DemoProcess, runDemo, until } from './demo-process.ts';
import { temporaryDir } from './running-service.ts';

const HANGING = fileURLToPath(new URL('../programs/service-of-a-hanging-job.ts', import.meta.url));
const ARGS = ['--scenario', 'registry-outage', '--once', '--json'];

/** Waits for the two children, the registry and the language server. */
async function withChildren(demo: DemoProcess): Promise<readonly number[]> {
  await until(() => demo.descendants().length >= 2, 20_000, 'two children');
  return demo.descendants();
}

async function expectGone(pids: readonly number[]): Promise<void> {
  expect(pids.length).toBeGreaterThan(0);
  await until(() => !pids.some(alive), 5_000, `the end of ${pids.join(', ')}`);
}

describe('the exit of the demo process', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('stops its child processes on %s', async (signal) => {
    const demo = await runDemo(ARGS);
    const children = await withChildren(demo);
    await until(() => demo.stderr().includes('phase outage'), 20_000, 'the outage');
    const startedAt = performance.now();
    demo.child.kill(signal);
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await expectGone(children);
    // An aborted scenario has no result to print.
    expect(demo.stdout()).toBe('');
  });

  it('ends in silence on SIGINT, and so does a second one that was started beside it', async () => {
    const cwd = temporaryDir();
    const start = async (): Promise<DemoProcess> => {
      const demo = await runDemo(['--no-load'], {}, [], cwd);
      await until(() => /^liveness: /m.test(demo.stderr()), 30_000, 'the service');
      return demo;
    };
    const [first, second] = [await start(), await start()];
    expect(second.stderr()).toContain(`${join(cwd, '.demo-data-2')} (another service has `);
    for (const demo of [second, first]) {
      const [, url] = /^ParserCraft: (\S+)/m.exec(demo.stderr()) as RegExpExecArray;
      expect((await fetch(`${url}/livez`)).status).toBe(200);
      const said = demo.stderr();
      demo.child.kill('SIGINT');
      expect(await demo.exited).toEqual({ code: 0, signal: null });
      expect([demo.stdout(), demo.stderr()]).toEqual(['', said]);
    }
  });

  it('leaves no child processes after SIGKILL', async () => {
    const demo = await runDemo(ARGS);
    const children = await withChildren(demo);
    demo.child.kill('SIGKILL');
    expect(await demo.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await expectGone(children);
  });

  it('leaves no worker whose job hangs when it gets SIGKILL', async () => {
    const service = spawn(process.execPath, [HANGING], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void service.kill('SIGKILL'));
    const [line] = (await once(service.stdout, 'data')) as [Buffer];
    const worker = Number(line.toString());
    expect(alive(worker)).toBe(true);
    service.kill('SIGKILL');
    await once(service, 'exit');
    await until(() => !alive(worker), 5_000, 'the end of the worker');
  });

  it.each([150, 400, 700, 1_000, 1_400])(
    'leaves no child processes when it gets SIGINT %i ms after its start',
    async (afterMs) => {
      const demo = await runDemo(ARGS);
      await sleep(afterMs);
      const children = demo.descendants();
      demo.child.kill('SIGINT');
      const { code, signal } = await demo.exited;
      expect(signal === 'SIGINT' || code === 130).toBe(true);
      await until(() => !children.some(alive), 5_000, 'the end of the children');
    },
  );
});
