import { ManualClock, settle } from '@temper/testkit';
import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { describe, expect, it, vi } from 'vitest';
import { DuplicateCheckError } from './errors.ts';
import { healthMonitor } from './monitor.ts';
import type { StatusChange } from './report.ts';
import type { HealthStatus } from './status.ts';

const says = (name: string, status: HealthStatus, extra = {}) => ({
  name,
  check: () => status,
  ...extra,
});

describe('check report', () => {
  it('reports name, status, time, duration, message and details of a check', async () => {
    const clock = new ManualClock(1_704_465_600_000);
    const monitor = healthMonitor({
      clock,
      checks: [
        {
          name: 'ast_integration',
          check: async () => {
            await clock.sleep(2.5);
            return { message: 'AST integration operational', details: { grammars: 3 } };
          },
        },
      ],
    });
    const report = await clock.runUntil(monitor.check());
    expect(report.checks).toEqual([
      {
        name: 'ast_integration',
        status: 'healthy',
        probedStatus: 'healthy',
        critical: true,
        groups: ['readiness'],
        ageMs: 0,
        timestamp: 1_704_465_600_002.5,
        responseTimeMs: 2.5,
        consecutiveFailures: 0,
        componentType: 'component',
        message: 'AST integration operational',
        details: { grammars: 3 },
      },
    ]);
  });
});

describe('registration', () => {
  it('rejects a duplicate name and keeps the registered check', async () => {
    const monitor = healthMonitor({ name: 'svc', checks: [says('db', 'healthy')] });
    expect(() => monitor.register(says('db', 'unhealthy'))).toThrow(DuplicateCheckError);
    expect(() => monitor.register(says('db', 'unhealthy'))).toThrow(
      "Health monitor 'svc' already has a check named 'db'",
    );
    expect((await monitor.check()).status).toBe('healthy');
  });

  it('unregisters a check when its registration is disposed', async () => {
    const monitor = healthMonitor();
    const dispose = vi.fn();
    {
      using _ = monitor.register(says('db', 'unhealthy', { dispose }));
      expect((await monitor.check()).status).toBe('unhealthy');
    }
    expect(dispose).toHaveBeenCalledTimes(1);
    expect((await monitor.check()).checks).toEqual([]);
    monitor.register(says('db', 'healthy'));
  });

  it('does not unregister a new check of the same name by an old registration', async () => {
    const monitor = healthMonitor();
    const first = monitor.register(says('db', 'healthy'));
    expect(monitor.unregister('db')).toBe(true);
    monitor.register(says('db', 'degraded'));
    first[Symbol.dispose]();
    expect((await monitor.check()).status).toBe('degraded');
    expect(monitor.unregister('nobody')).toBe(false);
  });
});

describe('overall status', () => {
  it('reports the worst status of the checks', async () => {
    const monitor = healthMonitor({ checks: [says('a', 'healthy'), says('b', 'degraded')] });
    expect(await monitor.getOverallHealth()).toBe('degraded');
    monitor.register(says('c', 'unhealthy'));
    expect(await monitor.getOverallHealth()).toBe('unhealthy');
  });

  it('reports healthy without checks', async () => {
    expect(await healthMonitor().getOverallHealth()).toBe('healthy');
  });

  it('reports at most degraded because of checks that are not critical', async () => {
    const monitor = healthMonitor({ checks: [says('a', 'unhealthy', { critical: false })] });
    const report = await monitor.check();
    expect(report.status).toBe('degraded');
    expect(report.checks[0]?.status).toBe('unhealthy');
  });

  it('lists excluded checks without counting them', async () => {
    const monitor = healthMonitor({ checks: [says('a', 'healthy'), says('b', 'unhealthy')] });
    const report = await monitor.check({ exclude: ['b', 'nobody'] });
    expect(report).toMatchObject({ status: 'healthy', excluded: ['b'] });
    expect(report.checks).toHaveLength(2);
  });

  it('runs the checks in parallel', async () => {
    const clock = new ManualClock();
    const slow = (name: string, ms: number) => ({ name, check: () => clock.sleep(ms) });
    const monitor = healthMonitor({
      clock,
      checks: [slow('a', 300), slow('b', 400), slow('c', 200)],
    });
    const before = clock.monotonic();
    await clock.runUntil(monitor.check());
    expect(clock.monotonic() - before).toBe(400);
  });
});

describe('getOverallHealth and getHealthSummary', () => {
  it('shares one run between getOverallHealth and getHealthSummary', async () => {
    const clock = new ManualClock();
    const statuses: HealthStatus[] = ['healthy', 'unhealthy', 'degraded', 'healthy'];
    const check = vi.fn(async () => {
      await clock.sleep(10);
      return statuses.shift();
    });
    const slow = { name: 'slow', ttlMs: 0, check: () => clock.sleep(100) };
    const monitor = healthMonitor({ clock, checks: [{ name: 'moody', ttlMs: 0, check }, slow] });
    const overall = monitor.getOverallHealth();
    await clock.advance(50); // the first check has ended, the run has not
    const summary = monitor.getHealthSummary();
    await clock.advance(100);
    expect((await summary).status).toBe(await overall);
    expect(check).toHaveBeenCalledTimes(1);
  });

  it('returns the same status from both while results are cached', async () => {
    const check = vi.fn(() => 'degraded' as const);
    const monitor = healthMonitor({ clock: new ManualClock(), checks: [{ name: 'a', check }] });
    expect(await monitor.getOverallHealth()).toBe((await monitor.getHealthSummary()).status);
    expect(check).toHaveBeenCalledTimes(1);
  });

  it('counts the checks by status and includes the uptime of each', async () => {
    const clock = new ManualClock();
    const monitor = healthMonitor({
      clock,
      checks: [says('a', 'healthy'), says('b', 'unhealthy', { critical: false })],
    });
    await monitor.check();
    await clock.advance(500);
    const summary = await monitor.getHealthSummary();
    expect(summary).toMatchObject({
      name: 'health',
      status: 'degraded',
      ready: true,
      started: true,
      counts: { healthy: 1, degraded: 0, unhealthy: 1 },
    });
    expect(Object.keys(summary.checks)).toEqual(['a', 'b']);
    expect(summary.checks.b?.uptime.map(({ ratio }) => ratio)).toEqual([0, 0, 0]);
    expect(JSON.parse(JSON.stringify(summary))).toMatchObject({ status: 'degraded' });
  });
});

describe('groups', () => {
  it('runs only the checks of the requested group', async () => {
    const monitor = healthMonitor({
      checks: [
        says('loop', 'healthy', { groups: ['liveness'] }),
        says('db', 'unhealthy'),
        says('seed', 'degraded', { groups: ['startup', 'nightly'] }),
      ],
    });
    expect((await monitor.liveness()).status).toBe('healthy');
    expect((await monitor.readiness()).status).toBe('unhealthy');
    expect((await monitor.startup()).checks.map(({ name }) => name)).toEqual(['seed']);
    expect((await monitor.check({ group: 'nightly' })).status).toBe('degraded');
  });

  it('rejects a dependency in the group liveness', () => {
    const monitor = healthMonitor();
    const check = says('db', 'healthy', { dependency: true, groups: ['readiness', 'liveness'] });
    expect(() => monitor.register(check)).toThrow('restarting this process does not repair it');
  });

  it('stops running startup checks after they have passed once', async () => {
    let seeded: HealthStatus = 'unhealthy';
    const monitor = healthMonitor({
      checks: [{ name: 'seed', groups: ['startup'], ttlMs: 0, check: () => seeded }],
    });
    expect((await monitor.startup()).status).toBe('unhealthy');
    seeded = 'healthy';
    expect((await monitor.startup()).status).toBe('healthy');
    seeded = 'unhealthy';
    expect((await monitor.startup()).status).toBe('healthy');
  });

  it('does not count startup as passed while a check is excluded', async () => {
    const monitor = healthMonitor({
      checks: [says('seed', 'unhealthy', { groups: ['startup'], ttlMs: 0 })],
    });
    expect((await monitor.startup({ exclude: ['seed'] })).status).toBe('healthy');
    expect((await monitor.startup()).status).toBe('unhealthy');
  });
});

describe('readiness', () => {
  it('fails readiness immediately after setReady(false), despite cached results', async () => {
    const monitor = healthMonitor({ checks: [says('db', 'healthy')] });
    expect((await monitor.readiness()).status).toBe('healthy');
    monitor.setReady(false, 'shutting down');
    expect(await monitor.readiness()).toMatchObject({
      status: 'unhealthy',
      message: 'shutting down',
    });
    expect((await monitor.liveness()).status).toBe('healthy');
    monitor.setReady(true);
    expect((await monitor.readiness()).status).toBe('healthy');
  });

  it('fails a readiness probe in progress when setReady(false) is called', async () => {
    const clock = new ManualClock();
    const monitor = healthMonitor({
      clock,
      checks: [{ name: 'db', check: () => clock.sleep(100) }],
    });
    const asked = monitor.readiness();
    await clock.advance(50);
    monitor.setReady(false, 'shutting down');
    await clock.advance(50);
    expect(await asked).toMatchObject({ status: 'unhealthy', message: 'shutting down' });
  });

  it('fails readiness and startup until setStarted() with started: false', async () => {
    const monitor = healthMonitor({ started: false });
    expect((await monitor.startup()).status).toBe('unhealthy');
    expect((await monitor.readiness()).message).toBe('service has not started');
    expect((await monitor.liveness()).status).toBe('healthy');
    monitor.setStarted();
    expect(monitor.started).toBe(true);
    expect((await monitor.startup()).status).toBe('healthy');
    expect((await monitor.readiness()).status).toBe('healthy');
  });
});

describe('onStatusChange', () => {
  it('is called once per change with the old and the new status', async () => {
    const changes: StatusChange[] = [];
    const statuses: HealthStatus[] = ['healthy', 'healthy', 'degraded', 'degraded', 'healthy'];
    const monitor = healthMonitor({
      onStatusChange: (change) => changes.push(change),
      checks: [{ name: 'db', ttlMs: 0, check: () => ({ status: statuses.shift() ?? 'healthy' }) }],
    });
    for (let round = 0; round < 5; round++) await monitor.check();
    expect(changes.map(({ from, to }) => [from, to])).toEqual([
      ['healthy', 'degraded'],
      ['degraded', 'healthy'],
    ]);
  });

  it('is called for a first probe that is not healthy', async () => {
    const onStatusChange = vi.fn();
    await healthMonitor({ onStatusChange, checks: [says('db', 'unhealthy')] }).check();
    expect(onStatusChange).toHaveBeenCalledWith({
      monitor: 'health',
      check: 'db',
      from: undefined,
      to: 'unhealthy',
      message: undefined,
    });
  });

  it('logs an error thrown by onStatusChange', async () => {
    expectDiagnostics(/onStatusChange threw an error/);
    const monitor = healthMonitor({
      onStatusChange: () => {
        throw new Error('listener');
      },
      checks: [says('db', 'unhealthy')],
    });
    expect((await monitor.check()).status).toBe('unhealthy');
  });
});

describe('stats', () => {
  it('returns the known reports from stats() without starting a probe', async () => {
    const check = vi.fn(() => true);
    const monitor = healthMonitor({ checks: [{ name: 'a', check }, says('b', 'healthy')] });
    expect(monitor.stats()).toMatchObject({ ready: true, checks: [], unknown: ['a', 'b'] });
    await monitor.check();
    expect(monitor.stats().checks.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(check).toHaveBeenCalledTimes(1);
  });
});

describe('disposal', () => {
  it('stops background probes and disposes the checks, which stay registered', async () => {
    const clock = new ManualClock();
    const dispose = vi.fn();
    const monitor = healthMonitor({ clock, checks: [says('db', 'unhealthy', { dispose })] });
    {
      using owned = monitor;
      owned.start();
      await settle();
      expect(clock.pending).toBe(1);
    }
    expect(clock.pending).toBe(0);
    expect(dispose).toHaveBeenCalledTimes(1);
    expect(await monitor.getOverallHealth()).toBe('unhealthy');
  });
});
