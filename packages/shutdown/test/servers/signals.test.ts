import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Fixture } from './processes.ts';

describe('SIGTERM during startup', () => {
  it('aborts a startup that uses shutdown.signal immediately', async () => {
    const service = new Fixture('starting', { LISTENS_TO: 'signal' });
    await service.said(/starting/);
    service.kill();
    const { code, stdout } = await service.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('start ended: AbortError');
    expect((await service.report()).durationMs).toBeLessThan(2000);
  });

  it('waits for a tracked startup and closes what it opened', async () => {
    const service = new Fixture('starting', { LISTENS_TO: 'nothing, tracked' });
    await service.said(/starting/);
    service.kill();
    const { code, stdout } = await service.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('database closed');
    expect(await service.report()).toMatchObject({
      outcome: 'completed',
      handlers: ['tracked work', 'server', 'server', 'close the database'],
    });
  });

  it('ends a process whose startup ignores the signal and logs what kept it alive', async () => {
    const service = new Fixture('starting', { LISTENS_TO: 'nothing' });
    await service.said(/starting/);
    service.kill();
    const { code, stderr } = await service.ended;
    expect(code).toBe(0);
    expect(stderr).toContain('500 ms later the event loop is still kept alive by: timer');
  });
});

describe('hanging handler', () => {
  it('exits with 124 and logs the hanging handler and what keeps the event loop alive', async () => {
    const service = new Fixture('misbehaving', { MODE: 'hangs' });
    await service.port();
    service.kill();
    const { code, stdout, stderr } = await service.ended;
    expect(code).toBe(124);
    expect(stdout).toContain('last registered\nfirst registered\n');
    expect(stderr).toMatch(/\(SIGTERM\) timed out after \d+ ms, exit code 124/);
    expect(stderr).toContain("timed out  close/database: Handler 'close/database' timed out");
    expect(stderr).toContain('still running: close/database');
    expect(stderr).toContain('event loop kept alive by: timer');
  });
});

describe('failing handler', () => {
  it('exits with 1, logs the failed handler and runs the others', async () => {
    const service = new Fixture('misbehaving', { MODE: 'fails' });
    await service.port();
    service.kill();
    const { code, stdout, stderr } = await service.ended;
    expect(code).toBe(1);
    expect(stdout).toContain('last registered\nfirst registered\n');
    expect(stderr).toContain('failed  close/database: no such table');
  });
});

describe('open handle', () => {
  it('logs a handle that was left open and ends the process', async () => {
    const service = new Fixture('misbehaving', { MODE: 'leaks' });
    await service.port();
    service.kill();
    const { code, stderr } = await service.ended;
    expect(code).toBe(0);
    expect(stderr).toContain('300 ms later the event loop is still kept alive by: timer');
  });
});

describe('second signal', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    'forces the shutdown on a second signal %s with exit code %i',
    async (second, exitCode) => {
      const service = new Fixture('misbehaving', { MODE: 'hangs for long' });
      await service.port();
      const before = performance.now();
      service.kill('SIGTERM');
      await service.said(/last registered/);
      await sleep(400);
      service.kill(second);
      const { code, stderr } = await service.ended;
      expect(code).toBe(exitCode);
      expect(performance.now() - before).toBeLessThan(3000);
      expect(stderr).toContain(
        `is forced by a second signal, ${second}; still running: close/database`,
      );
    },
  );

  it('treats a signal sent twice at the same time as one signal', async () => {
    const env = { MODE: 'hangs for long', FORCE_AFTER_MS: '2500' };
    const service = new Fixture('misbehaving', env);
    await service.port();
    service.kill('SIGTERM');
    await service.said(/last registered/);
    service.kill('SIGTERM');
    expect((await service.ended).code).toBe(0);
  });
});

describe('SIGINT to the process group of a terminal', () => {
  it('reaches parent and child once each on SIGINT to the group, and the parent waits for the child', async () => {
    const parent = new Fixture('parent', {}, { detached: true });
    await parent.said(/child \d+/);
    process.kill(-parent.pid, 'SIGINT');
    const { code, stdout } = await parent.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/child: work done\nparent: the child ended with 0\n/);
  });

  it('is not forced by a wrapper that forwards SIGINT again, as npm does', async () => {
    const parent = new Fixture('parent', {}, { detached: true });
    const child = Number((await parent.said(/child (\d+)/))[1]);
    process.kill(-parent.pid, 'SIGINT');
    process.kill(child, 'SIGINT');
    process.kill(parent.pid, 'SIGINT');
    const { code, stdout } = await parent.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/child: work done\nparent: the child ended with 0\n/);
  });

  it('forces parent and child on a second SIGINT to the group', async () => {
    const parent = new Fixture('parent', { WORK_MS: '8000' }, { detached: true });
    await parent.said(/child \d+/);
    process.kill(-parent.pid, 'SIGINT');
    await sleep(600);
    process.kill(-parent.pid, 'SIGINT');
    const before = performance.now();
    // Resolves when the pipe has no writer left, that is, after the child has ended too.
    const { code, stderr } = await parent.ended;
    expect(code).toBe(130);
    expect(performance.now() - before).toBeLessThan(3000);
    expect(stderr.match(/forced by a second signal, SIGINT/g)).toHaveLength(2);
  });
});

describe('uncaught error', () => {
  it.each(['throws', 'rejects'])(
    'runs the shutdown and exits with 1 after an uncaught error of code that %s',
    async (mode) => {
      const service = new Fixture('misbehaving', { MODE: mode });
      const { code, stdout, stderr } = await service.ended;
      expect(code).toBe(1);
      expect(stdout).toContain('client: answered');
      expect(stdout).toContain('last registered\nfirst registered\n');
      expect(stderr).toContain('TypeError: a bug\n    at ');
    },
  );
});
