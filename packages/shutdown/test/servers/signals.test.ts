import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Fixture } from './processes.ts';

describe('SIGTERM during startup', () => {
  it('aborts a start that listens, at once', async () => {
    const service = new Fixture('starting', { LISTENS_TO: 'signal' });
    await service.said(/starting/);
    service.kill();
    const { code, stdout } = await service.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('start ended: AbortError');
    expect((await service.report()).durationMs).toBeLessThan(2000);
  });

  it('waits for a start that is tracked, and closes what it opened', async () => {
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

  it('ends a process whose start does not care, and says what held it', async () => {
    const service = new Fixture('starting', { LISTENS_TO: 'nothing' });
    await service.said(/starting/);
    service.kill();
    const { code, stderr } = await service.ended;
    expect(code).toBe(0);
    expect(stderr).toContain('after 500 ms the event loop is still held by: timer');
  });
});

describe('a handler that hangs', () => {
  it('is named, with what holds the loop, and stops nobody else; the exit code is 124', async () => {
    const service = new Fixture('misbehaving', { MODE: 'hangs' });
    await service.port();
    service.kill();
    const { code, stdout, stderr } = await service.ended;
    expect(code).toBe(124);
    expect(stdout).toContain('last registered\nfirst registered\n');
    expect(stderr).toMatch(/after SIGTERM: timed out in \d+ ms, exit code 124/);
    expect(stderr).toContain("timed out  close/database: 'close/database' gave up");
    expect(stderr).toContain('still running: close/database');
    expect(stderr).toContain('holding the event loop: timer');
  });
});

describe('a handler that fails', () => {
  it('is named, and stops nobody else; the exit code is 1', async () => {
    const service = new Fixture('misbehaving', { MODE: 'fails' });
    await service.port();
    service.kill();
    const { code, stdout, stderr } = await service.ended;
    expect(code).toBe(1);
    expect(stdout).toContain('last registered\nfirst registered\n');
    expect(stderr).toContain('failed  close/database: no such table');
  });
});

describe('a handle that somebody left open', () => {
  it('is named, and does not hold the process', async () => {
    const service = new Fixture('misbehaving', { MODE: 'leaks' });
    await service.port();
    service.kill();
    const { code, stderr } = await service.ended;
    expect(code).toBe(0);
    expect(stderr).toContain('after 300 ms the event loop is still held by: timer');
  });
});

describe('a second signal', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('%s forces, with exit code %i', async (second, exitCode) => {
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
  });

  it('that comes with the first is the first', async () => {
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
  it('reaches parent and child once each, and the parent waits for the child', async () => {
    const parent = new Fixture('parent', {}, true);
    await parent.said(/child \d+/);
    process.kill(-parent.pid, 'SIGINT');
    const { code, stdout } = await parent.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/child: work done\nparent: the child ended with 0\n/);
  });

  it('is not forced by a wrapper that passes it on once more, as npm does', async () => {
    const parent = new Fixture('parent', {}, true);
    const child = Number((await parent.said(/child (\d+)/))[1]);
    process.kill(-parent.pid, 'SIGINT');
    process.kill(child, 'SIGINT');
    process.kill(parent.pid, 'SIGINT');
    const { code, stdout } = await parent.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/child: work done\nparent: the child ended with 0\n/);
  });

  it('twice, as somebody who has no patience does, forces both', async () => {
    const parent = new Fixture('parent', { WORK_MS: '8000' }, true);
    await parent.said(/child \d+/);
    process.kill(-parent.pid, 'SIGINT');
    await sleep(600);
    process.kill(-parent.pid, 'SIGINT');
    const before = performance.now();
    // Resolves when the pipe has no writer left, so when the child is gone too.
    const { code, stderr } = await parent.ended;
    expect(code).toBe(130);
    expect(performance.now() - before).toBeLessThan(3000);
    expect(stderr.match(/forced by a second signal, SIGINT/g)).toHaveLength(2);
  });
});

describe('an error that nobody catches', () => {
  it.each(['throws', 'rejects'])(
    'that somebody %s ends the process in good order, with exit code 1',
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
