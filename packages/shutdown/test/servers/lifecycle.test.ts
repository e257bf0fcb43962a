import { once } from 'node:events';
import { readFileSync, utimesSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Load } from './load.ts';
import { Fixture } from './processes.ts';

/** The default delay is 5 s. What ends without it ends sooner than that, even on a busy machine. */
const WITHOUT_DELAY_MS = 4500;

const start = (mode: string, env: Record<string, string> = {}) =>
  new Fixture('lifecycle', { MODE: mode, ...env });

/** Waits for the end of a process, and for how long it took, in milliseconds. */
async function ended(service: Fixture) {
  const before = performance.now();
  const how = await service.ended;
  return { ...how, ms: performance.now() - before };
}

describe('natural end of the event loop', () => {
  it.each([
    ['ends by itself', 0, /^database closed\n$/, /^$/],
    ['ends by itself with 3', 3, /^database closed\n$/, /^$/],
    ['ends by itself, a handler works', 0, /^flushed\ndatabase closed\n$/, /^$/],
    [
      'ends by itself, a handler fails',
      1,
      /^database closed\n$/,
      /\(empty event loop\) failed [\s\S]*failed {2}close\/cache: gone/,
    ],
    [
      'ends by itself, a handler can never settle',
      124,
      /^database closed\n$/,
      /timed out {2}drain\/tracked work[\s\S]*timed out {2}close\/cache[\s\S]*still running: drain\/tracked work, close\/cache/,
    ],
  ])(
    'runs the handlers without the delay when a process %s',
    async (mode, code, stdout, stderr) => {
      const how = await ended(start(mode));
      expect(how).toMatchObject({ code, stdout: expect.stringMatching(stdout) });
      expect(how.stderr).toMatch(stderr);
      expect(how.ms).toBeLessThan(WITHOUT_DELAY_MS);
    },
  );
});

describe('exit by others', () => {
  it('reports what process.exit() has prevented before the shutdown', async () => {
    const { code, stdout, stderr } = await start('exits with 7').ended;
    expect({ code, stdout }).toEqual({ code: 7, stdout: '' });
    expect(stderr).toMatch(
      /^Shutdown 'shutdown' \(process exit with code 7\) was forced after \d+ ms, exit code 7\.\n {2}skipped {2}close\/database\n/,
    );
  });

  it('reports what process.exit() has interrupted during the shutdown', async () => {
    const service = start('serves, and others exit during the shutdown');
    await service.port();
    service.kill();
    const { code, stderr } = await service.ended;
    expect(code).toBe(9);
    expect(stderr).toMatch(/\(SIGTERM\) was forced after \d+ ms, exit code 9\./);
    expect(stderr).toContain('skipped  close/database');
    expect(stderr).toContain('still running: close/queue');
  });
});

describe('library that raises the signal again after its own cleanup', () => {
  it.each([
    ['removes its listener', 'false'],
    ['removes all listeners', 'true'],
  ])('does not force the shutdown if it %s', async (_, all) => {
    // After forceAfterMs, when a second signal would force it.
    const service = start('serves, re-raises', { CLEANUP_MS: '500', REMOVES_ALL: all });
    await service.port();
    service.kill();
    const { code, signal, stdout, stderr } = await service.ended;
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout).toMatch(/queue empty\ndatabase closed\n$/);
  });

  it('leaves the second signal of the operator to force it', async () => {
    const service = start('serves, re-raises', { CLEANUP_MS: '300' });
    await service.port();
    service.kill();
    await sleep(600);
    service.kill();
    expect((await service.ended).code).toBe(143);
  });
});

describe('failed start', () => {
  const taken = createServer();
  afterAll(() => taken.close());

  it('closes what was opened and ends without the delay if the port is in use', async () => {
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const PORT = String((taken.address() as AddressInfo).port);
    const { code, stdout, stderr, ms } = await ended(
      start('fails to start, port in use', { PORT }),
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'database closed\n' });
    expect(stderr).toContain('EADDRINUSE');
    expect(ms).toBeLessThan(WITHOUT_DELAY_MS);
  });

  it('closes what was opened and ends without the delay if the startup rejects', async () => {
    const { code, stdout, stderr, ms } = await ended(start('fails to start, rejects'));
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'database closed\n' });
    expect(stderr).toContain('Error: no database');
    expect(ms).toBeLessThan(WITHOUT_DELAY_MS);
  });
});

describe('development', () => {
  /** A request over a keep-alive connection, as a browser leaves it open. */
  const request = async (port: number) => (await fetch(`http://127.0.0.1:${port}`)).text();

  it('restarts under node --watch without the delay, after the handlers', async () => {
    const path = fileURLToPath(new URL('fixtures/watched.ts', import.meta.url));
    const service = new Fixture('watched', {}, { flags: ['--watch'] });
    try {
      await request(await service.port());
      const before = performance.now();
      utimesSync(path, new Date(), new Date());
      await service.said(/listening \d+[\s\S]*database closed[\s\S]*listening \d+/);
      expect(performance.now() - before).toBeLessThan(WITHOUT_DELAY_MS);
    } finally {
      service.kill();
      await service.ended;
    }
  });

  it.each([
    ['development', 0, WITHOUT_DELAY_MS],
    ['production', 5000, 12_000],
  ])('with NODE_ENV %s has a delay of %i ms by default', async (NODE_ENV, atLeast, atMost) => {
    const service = new Fixture('watched', { NODE_ENV });
    await request(await service.port());
    service.kill('SIGINT');
    const { code, ms } = await ended(service);
    expect(code).toBe(0);
    expect(ms).toBeGreaterThanOrEqual(atLeast);
    expect(ms).toBeLessThan(atMost);
  });
});

describe('PM2', () => {
  it.each(['SIGINT', "message 'shutdown'"])(
    'reloads without a lost request and before its SIGKILL after 1.6 s, by %s',
    async (how) => {
      const env = { MODE: 'serves', TIMEOUT_MS: '1500' };
      const service = new Fixture('lifecycle', env, { ipc: true });
      expect(await once(service.child, 'message')).toEqual(['ready', undefined]);
      const load = new Load({ port: await service.port(), workers: 50, whenTold: 'go' });
      await load.warm(100);
      if (how === 'SIGINT') service.kill('SIGINT');
      else service.child.send('shutdown');
      const killed = setTimeout(() => service.kill('SIGKILL'), 1600);
      const { code, signal, stdout } = await service.ended;
      clearTimeout(killed);
      await load.done;
      expect({ code, signal, failures: load.failures }).toEqual({
        code: 0,
        signal: null,
        failures: [],
      });
      expect(stdout).toContain('database closed');
    },
  );

  it('lets a process with a listener for messages end by itself', async () => {
    const service = new Fixture('lifecycle', { MODE: 'ends by itself' }, { ipc: true });
    expect((await service.ended).stdout).toBe('database closed\n');
  });
});

it('waits for worker threads, each with a shutdown of its own', async () => {
  const service = start('serves with worker threads');
  await service.port();
  service.kill();
  const { code, stdout, stderr } = await service.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.trim().split('\n').slice(1);
  expect(lines.toSorted()).toEqual([
    'a thread ended with 0',
    'a thread ended with 0',
    'cache of thread 1 closed',
    'cache of thread 2 closed',
    'database closed',
    'job of thread 1 done',
    'job of thread 2 done',
  ]);
  expect(lines.at(-1)).toBe('database closed');
});

describe('exit codes', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const documented = /\| exit code \|[^\n]*\n\|[^\n]*\n((?:\|[^\n]*\n)+)/.exec(readme)?.[1] ?? '';

  /** The cases of each row of the README's table: mode, signals to send, and the exit code. */
  const cases: Record<string, [mode: string, signals: NodeJS.Signals[], code: number][]> = {
    '0': [
      ['serves', ['SIGTERM'], 0],
      ['ends by itself', [], 0],
    ],
    '1': [
      ['serves, handler fails', ['SIGTERM'], 1],
      ['fails to start, rejects', [], 1],
      ['serves, is forced by force()', ['SIGTERM'], 1],
    ],
    '124': [
      ['serves, handler hangs', ['SIGTERM'], 124],
      ['ends by itself, a handler can never settle', [], 124],
    ],
    '128 + n': [
      ['serves, handler takes long', ['SIGTERM', 'SIGTERM'], 143],
      ['serves, handler takes long', ['SIGTERM', 'SIGINT'], 130],
      ['serves, handler takes long', ['SIGTERM', 'SIGHUP'], 129],
    ],
    'of others': [
      ['exits with 7', [], 7],
      ['ends by itself with 3', [], 3],
      ['serves, and others exit during the shutdown', ['SIGTERM'], 9],
    ],
  };

  it('are those of the README', () => {
    const rows = documented.trim().split('\n');
    expect(rows.map((row) => row.split('|')[1]?.trim())).toEqual(Object.keys(cases));
  });

  it.each(
    Object.entries(cases).flatMap(([row, list]) => list.map((each) => [row, ...each] as const)),
  )('row %s: a process that %s, signals %o, exits with %i', async (_, mode, signals, code) => {
    const service = start(mode);
    if (signals.length > 0) await service.port();
    for (const [at, signal] of signals.entries()) {
      if (at > 0) await sleep(500);
      service.kill(signal);
    }
    expect((await service.ended).code).toBe(code);
  });
});
