import { type ChildProcess, spawn } from 'node:child_process';
import http from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { livenessWatchdog } from '../../src/watchdog/index.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Program {
  readonly child: ChildProcess;
  readonly port: number;
  /** Lines of standard output that the program has printed, parsed. */
  readonly printed: Record<string, unknown>[];
  readonly errors: string[];
}

/** Starts a program with a watchdog; it prints its port first. */
async function start(options: string, body: string): Promise<Program> {
  const source = `
    import { livenessWatchdog } from '@temper/health/watchdog';
    import { healthMonitor } from '@temper/health';
    const print = (value) => console.log(JSON.stringify(value));
    const watchdog = await livenessWatchdog({ port: 0, host: '127.0.0.1', ${options} });
    print({ port: watchdog.port });
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    function crunchNumbers(ms) { const until = performance.now() + ms; while (performance.now() < until); }
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const printed: Record<string, unknown>[] = [];
  const errors: string[] = [];
  child.stderr?.on('data', (text: Buffer) => errors.push(String(text)));
  const port = await new Promise<number>((resolve, reject) => {
    let rest = '';
    child.stdout?.on('data', (text: Buffer) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) printed.push(JSON.parse(line));
      if (printed.length > 0) resolve(printed[0]?.port as number);
    });
    child.on('exit', (code) => reject(new Error(`ended with ${code}: ${errors.join('')}`)));
  });
  return { child, port, printed, errors };
}

function ask(port: number, path = '/livez', method = 'GET'): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', path, method, agent: false });
    request.on('response', (response) => {
      let body = '';
      response.on('data', (text) => (body += text));
      response.on('end', () => resolve([response.statusCode ?? 0, body]));
    });
    request.on('error', reject);
    request.end();
  });
}

/** Asks until the answer is `status`. */
async function until(port: number, status: number): Promise<void> {
  while ((await ask(port))[0] !== status) await sleep(50);
}

describe('a watchdog', () => {
  it('answers during a stall, fails it in time, and recovers when it is over', async () => {
    const { port, errors, printed } = await start(
      `name: 'shop', stallMs: 1500, sampleMs: 500, onStall: (stall) => print(stall)`,
      `process.stdin.resume(); setInterval(() => {}, 1000);
       await sleep(1000); crunchNumbers(4000);`,
    );
    expect(await ask(port)).toEqual([200, 'ok\n']);
    await until(port, 503);
    expect(await ask(port)).toEqual([503, 'unhealthy\n']);
    expect(printed).toHaveLength(1); // the main thread is still stuck
    await until(port, 200);
    while (printed.length < 2) await sleep(20);
    expect(printed[1]).toMatchObject({ failed: true });
    expect(printed[1]?.durationMs).toBeGreaterThan(3000);
    // The first frame may be one of Node's own, such as the getter of `performance`.
    expect(printed[1]?.stack).toMatch(
      /^(\s+at .*\(node:.*\n)*\s+at crunchNumbers \(file:.*\[eval1\]:\d+:\d+\)/,
    );
    expect(errors.join('')).toMatch(
      /Health watchdog 'shop': the event loop has been stuck for \d+ ms/,
    );
    expect(errors.join('')).toContain('at crunchNumbers');
  });

  it('says where an endless loop is stuck before it is killed', async () => {
    const { port, errors } = await start(
      `stallMs: 1000, sampleMs: 500`,
      `function spinForEver() { let n = 0; while (true) n = (n + 1) % 7; } await sleep(300); spinForEver();`,
    );
    await until(port, 503);
    while (!errors.join('').includes('spinForEver')) await sleep(20);
  });

  it('does not fail liveness for stalls that end, and does not take a stopped process for one', async () => {
    const { child, port, printed } = await start(
      `stallMs: 3000, sampleMs: 600`,
      `process.stdin.resume(); setInterval(() => {}, 1000);
       for (let i = 0; i < 5; i++) { crunchNumbers(1000); await sleep(300); }
       print(watchdog.stats());`,
    );
    const seen = new Set<number>();
    while (printed.length < 2) {
      seen.add((await ask(port))[0]);
      await sleep(50);
    }
    expect([...seen]).toEqual([200]);
    expect(printed[1]?.stalls).toBeGreaterThanOrEqual(4);
    child.kill('SIGSTOP');
    await sleep(5000);
    child.kill('SIGCONT');
    expect((await ask(port))[0]).toBe(200);
  });

  it('fails with the liveness checks of a monitor, and passes with them', async () => {
    const { port } = await start(
      `monitor: globalThis.monitor = healthMonitor({ ttlMs: 0, checks: [
         { name: 'poisoned', groups: ['liveness'], check: () => globalThis.ok !== false } ] })`,
      `process.stdin.resume(); setInterval(() => {}, 1000);
       await sleep(1500); globalThis.ok = false; await sleep(2500); globalThis.ok = true;`,
    );
    expect((await ask(port))[0]).toBe(200);
    await until(port, 503);
    await until(port, 200);
  });

  it('does not keep the process alive', async () => {
    const { child } = await start('', '');
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
  });

  it('answers other paths with 404, other methods with 405, and HEAD without a body', async () => {
    await using watchdog = await livenessWatchdog({ port: 0, host: '127.0.0.1', path: '/alive' });
    expect(await ask(watchdog.port, '/livez')).toEqual([404, '']);
    expect(await ask(watchdog.port, '/alive?verbose')).toEqual([200, 'ok\n']);
    expect(await ask(watchdog.port, '/alive', 'HEAD')).toEqual([200, '']);
    expect((await ask(watchdog.port, '/alive', 'POST'))[0]).toBe(405);
    expect(watchdog.stats()).toEqual({ stalls: 0, longestMs: 0, last: undefined });
  });

  it('rejects when its port is taken, and for options out of range', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(livenessWatchdog({ port, host: '127.0.0.1' })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    server.close();
    for (const [options, message] of [
      [{}, 'livenessWatchdog: port must be an integer from 0 to 65535'],
      [{ port: 1e6 }, 'livenessWatchdog: port must be an integer from 0 to 65535'],
      [{ port: 0, stallMs: 10 }, 'livenessWatchdog: stallMs must be a finite number >= 1000'],
      [{ port: 0, path: 'x' }, "livenessWatchdog: path must be a path that starts with '/'"],
      [{ port: 0, monitor: {} }, 'livenessWatchdog: monitor.liveness must be a function'],
    ] as const) {
      await expect(livenessWatchdog(options as never)).rejects.toThrow(message);
    }
  });
});
