import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { alive, type DemoProcess, runDemo, until } from './demo-process.ts';

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

describe('whoever leaves early', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('by %s leaves no child behind', async (signal) => {
    const demo = await runDemo(ARGS);
    const children = await withChildren(demo);
    await until(() => demo.stderr().includes('phase outage'), 20_000, 'the outage');
    const startedAt = performance.now();
    demo.child.kill(signal);
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await expectGone(children);
    // There is no result to print, and none is made up.
    expect(demo.stdout()).toBe('');
  });

  it('by SIGKILL leaves no child behind', async () => {
    const demo = await runDemo(ARGS);
    const children = await withChildren(demo);
    demo.child.kill('SIGKILL');
    expect(await demo.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await expectGone(children);
  });

  it.each([150, 400, 700, 1_000, 1_400])(
    'after %i ms, while everything is starting, leaves no child behind',
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
