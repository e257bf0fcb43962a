import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const guide = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');
const shutdown = fileURLToPath(import.meta.resolve('@temper/shutdown'));

/** The handler of a process, and the signals that it gets. */
interface Ending {
  readonly handler: string;
  readonly signals: readonly NodeJS.Signals[];
}

const HANGS = '() => new Promise(() => {})';
const ENDINGS: Readonly<Record<number, Ending>> = {
  0: { handler: '() => {}', signals: ['SIGTERM'] },
  1: { handler: '() => { throw new Error("failed"); }', signals: ['SIGTERM'] },
  124: { handler: HANGS, signals: ['SIGTERM'] },
  143: { handler: HANGS, signals: ['SIGTERM', 'SIGTERM'] },
  130: { handler: HANGS, signals: ['SIGINT', 'SIGINT'] },
  137: { handler: HANGS, signals: ['SIGTERM', 'SIGKILL'] },
};

/** The exit code of a process with this ending, as a shell shows it. */
async function exitCodeOf({ handler, signals }: Ending): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { gracefulShutdown } from ${JSON.stringify(shutdown)};
      const shutdown = gracefulShutdown({
        signals: ['SIGTERM', 'SIGINT'], delayMs: 0, timeoutMs: 1500, flushTimeoutMs: 100, forceAfterMs: 50,
      });
      shutdown.register({ name: 'handler', run: ${handler} });
      shutdown.signal.addEventListener('abort', () => setTimeout(() => console.log('stopping'), 200));
      const alive = setInterval(() => {}, 1000);
      shutdown.register({ name: 'interval', phase: 'close', run: () => clearInterval(alive) });
      console.log('ready');`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  for (const signal of signals) {
    await Promise.race([once(child.stdout, 'data'), exited]);
    child.kill(signal);
  }
  const [code, signal] = await exited;
  return code ?? (signal === 'SIGKILL' ? 137 : -1);
}

describe('the exit codes of the operations guide', () => {
  const table = guide.slice(guide.indexOf('| exit code')).split('\n\n')[0] as string;
  const listed = [...table.matchAll(/^\| (\d+) +\| /gm)].map(([, code]) => Number(code));

  it('have a process for each', () => {
    expect(listed.toSorted()).toEqual(Object.keys(ENDINGS).map(Number).toSorted());
  });

  it.each(listed)('%i is that of a process that ends so', async (code) => {
    expect(await exitCodeOf(ENDINGS[code] as Ending)).toBe(code);
  });
});
