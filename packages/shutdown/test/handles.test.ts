import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const cwd = new URL('..', import.meta.url);

/** Runs a script that shuts down on SIGTERM, sends it the signal, and waits for its end. */
async function run(script: string, stdin: 'pipe' | 'ignore') {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd,
    stdio: [stdin, 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  child.kill('SIGTERM');
  const [code] = await once(child, 'close');
  return { code, stderr };
}

const SHUTDOWN = `import { gracefulShutdown } from '@temper/shutdown';
  gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0, lingerMs: 300 });`;

it('names worker threads that keep the event loop alive', async () => {
  const { code, stderr } = await run(
    `${SHUTDOWN}
    import { Worker } from 'node:worker_threads';
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true, name: 'resize' });
    new Worker('', { eval: true });
    const unreferenced = new Worker('setInterval(() => {}, 1000)', { eval: true });
    unreferenced.unref();
    worker.on('online', () => setTimeout(() => console.log('ready'), 200));`,
    'ignore',
  );
  expect(stderr).toMatch(/still kept alive by: (worker thread \d[^;]*; )*worker thread 1\b/);
  expect(stderr).not.toContain('worker thread 2');
  expect(code).toBe(0);
}, 30_000);

it('names standard input that is being read, and not one that is only open', async () => {
  const read = await run(
    `${SHUTDOWN} process.stdin.on('data', () => {}); console.log('ready');`,
    'pipe',
  );
  expect(read).toMatchObject({ code: 0, stderr: expect.stringContaining('by: standard input.') });
  const idle = await run(
    `${SHUTDOWN} process.stdin.fd; setInterval(() => {}, 1000); console.log('ready');`,
    'pipe',
  );
  expect(idle.stderr).toContain('kept alive by: timer.');
}, 30_000);

it.each(['fork', 'cluster'])(
  'ends a child of %s as soon as the shutdown is over, although it listens for messages',
  async (kind) => {
    const child = fork(new URL('fixtures/listening-child.mjs', import.meta.url), [kind], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    let stdout = '';
    child.stdout?.on('data', (data) => {
      stdout += data;
    });
    await once(child, 'close');
    const [code, ms] = stdout.split(' ').map(Number);
    expect(code).toBe(0);
    // Its lingerMs is 20 s.
    expect(ms).toBeLessThan(10_000);
  },
  30_000,
);
