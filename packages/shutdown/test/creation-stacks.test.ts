import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'temper-stacks-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SHUTDOWN = new URL('../dist/index.js', import.meta.url).href;
const WHY = import.meta.resolve('why-is-node-running');

/** Each holder, and the number of its line in `holders.mjs`. */
const HOLDERS = {
  timer: 'export function timer() { setTimeout(() => {}, 60_000); }',
  interval: 'export function interval() { setInterval(() => {}, 60_000); }',
  server: 'export function server() { net.createServer().listen(0); }',
  socket: 'export function socket() { net.connect(PORT, "127.0.0.1").on("error", () => {}); }',
  udp: 'export function udp() { dgram.createSocket("udp4").bind(0); }',
  child: 'export function child() { spawn("sleep", ["60"]).unref; }',
  worker: 'export function worker() { new Worker("setInterval(() => {}, 1000)", { eval: true }); }',
  watcher: 'export function watcher() { watch("."); }',
} as const;
const names = Object.keys(HOLDERS);
const lineOf = (name: string): number => names.indexOf(name) + 1;
const HOLDERS_FILE = join(folder, 'holders.mjs');

/** Runs a program that begins to hold, and is told to end. */
async function run(script: string, name: string): Promise<string> {
  const target = await import('node:net').then(({ createServer }) => createServer().listen(0));
  await once(target, 'listening');
  const { port } = target.address() as { port: number };
  const imports = `import net from 'node:net'; import dgram from 'node:dgram'; import { spawn } from 'node:child_process'; import { Worker } from 'node:worker_threads'; import { watch } from 'node:fs'; const PORT = ${port}; `;
  writeFileSync(HOLDERS_FILE, Object.values(HOLDERS).join('\n').replace(/^/, imports));
  writeFileSync(join(folder, 'main.mjs'), script);
  const child = spawn(process.execPath, ['main.mjs', name], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      text += data;
      if (/ready/.test(text)) child.kill('SIGTERM');
    });
  }
  await once(child, 'exit');
  target.close();
  return text;
}

const held = (options: string): string => `
  import { gracefulShutdown } from '${SHUTDOWN}';
  gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0, lingerMs: 300, ${options} });
  const holders = await import('./holders.mjs');
  holders[process.argv[2]]();
  setTimeout(() => console.log('ready'), 200);`;

describe('creation stacks', () => {
  it.each(names)('name the line that created a %s', async (name) => {
    const text = await run(held('creationStacks: true'), name);
    expect(text).toContain('the event loop is still kept alive by:');
    expect(text).toMatch(
      new RegExp(
        `created at ([^<\n]* < )?Module\\.${name} \\(${HOLDERS_FILE}:${lineOf(name)}:\\d+\\)`,
      ),
    );
    expect(text).not.toContain('node:');
  });

  it('are not recorded unless asked for', async () => {
    const text = await run(held(''), 'timer');
    expect(text).toContain('kept alive by: timer.');
    expect(text).not.toContain('holders.mjs');
  });

  // A worker is no resource that `async_hooks` alone shows.
  it.each(names.filter((name) => name !== 'worker'))(
    'name the line that why-is-node-running names for a %s',
    async (name) => {
      const text = await run(
        `import why from '${WHY}';
        const holders = await import('./holders.mjs');
        holders[process.argv[2]]();
        process.on('SIGTERM', () => { why({ error: console.log }); process.exit(); });
        setTimeout(() => console.log('ready'), 200);`,
        name,
      );
      expect(text).toMatch(new RegExp(`holders\\.mjs:${lineOf(name)}\\b`));
    },
  );

  it('name the line that registered a handler that hangs', async () => {
    const text = await run(
      `import { gracefulShutdown } from '${SHUTDOWN}';
      const shutdown = gracefulShutdown({
        signals: ['SIGTERM'], delayMs: 0, handlerTimeoutMs: 200, creationStacks: true,
      });
      function openDatabase() { shutdown.register({ name: 'database', run: () => new Promise(() => {}) }); }
      openDatabase();
      setInterval(() => {}, 60_000);
      setTimeout(() => console.log('ready'), 200);`,
      'timer',
    );
    expect(text).toMatch(/timed out {2}close\/database/);
    expect(text).toContain(`registered at openDatabase (${join(folder, 'main.mjs')}:5:`);
  });

  it('names a few frames, of packages only if the application has none', async () => {
    const text = await run(
      `import { gracefulShutdown } from '${SHUTDOWN}';
      gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0, lingerMs: 300, creationStacks: true });
      const a = (depth) => depth === 0 ? setInterval(() => {}, 60_000) : a(depth - 1);
      a(8);
      setTimeout(() => console.log('ready'), 200);`,
      'timer',
    );
    expect(text.match(/main\.mjs:3/g)).toHaveLength(3);
  });

  it('stop when the shutdown is disposed', async () => {
    const text = await run(
      `import { gracefulShutdown } from '${SHUTDOWN}';
      const first = gracefulShutdown({ creationStacks: true });
      first[Symbol.dispose]();
      gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0, lingerMs: 300 });
      const holders = await import('./holders.mjs');
      holders.timer();
      setTimeout(() => console.log('ready'), 200);`,
      'timer',
    );
    expect(text).toContain('kept alive by: timer.');
  });
});
