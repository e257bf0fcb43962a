import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import { DuplicateCheckError } from './errors.ts';
import { healthMonitor, type StatusChange } from './monitor.ts';
import type { HealthStatus } from './status.ts';

const says = (name: string, status: HealthStatus, extra = {}) => ({
  name,
  check: () => status,
  ...extra,
});

describe('the report of a check', () => {
  it('holds name, status, time, duration, message and details', async () => {
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
  it('refuses a name that is taken, and keeps the check that has it', async () => {
    const monitor = healthMonitor({ name: 'svc', checks: [says('db', 'healthy')] });
    expect(() => monitor.register(says('db', 'unhealthy'))).toThrow(DuplicateCheckError);
    expect(() => monitor.register(says('db', 'unhealthy'))).toThrow(
      "'svc' has a check named 'db' already",
    );
    expect((await monitor.check()).status).toBe('healthy');
  });

  it('is taken back by disposing of it, which frees the name', async () => {
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

  it('of another check of the name is not undone by an old handle', async () => {
    const monitor = healthMonitor();
    const first = monitor.register(says('db', 'healthy'));
    expect(monitor.unregister('db')).toBe(true);
    monitor.register(says('db', 'degraded'));
    first[Symbol.dispose]();
    expect((await monitor.check()).status).toBe('degraded');
    expect(monitor.unregister('nobody')).toBe(false);
  });
});

describe('the whole', () => {
  it('is as bad as its worst check', async () => {
    const monitor = healthMonitor({ checks: [says('a', 'healthy'), says('b', 'degraded')] });
    expect(await monitor.getOverallHealth()).toBe('degraded');
    monitor.register(says('c', 'unhealthy'));
    expect(await monitor.getOverallHealth()).toBe('unhealthy');
  });

  it('is healthy when nothing is registered', async () => {
    expect(await healthMonitor().getOverallHealth()).toBe('healthy');
  });

  it('is degraded at most by checks that are not critical', async () => {
    const monitor = healthMonitor({ checks: [says('a', 'unhealthy', { critical: false })] });
    const report = await monitor.check();
    expect(report.status).toBe('degraded');
    expect(report.checks[0]?.status).toBe('unhealthy');
  });

  it('leaves out what is excluded, and still lists it', async () => {
    const monitor = healthMonitor({ checks: [says('a', 'healthy'), says('b', 'unhealthy')] });
    const report = await monitor.check({ exclude: ['b', 'nobody'] });
    expect(report).toMatchObject({ status: 'healthy', excluded: ['b'] });
    expect(report.checks).toHaveLength(2);
  });

  it('takes as long as its slowest check, not as all of them', async () => {
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

describe('overall health and summary', () => {
  it('share one run, and agree even about a check that never says the same twice', async () => {
    const clock = new ManualClock();
    const statuses: HealthStatus[] = ['healthy', 'unhealthy', 'degraded', 'healthy'];
    const check = vi.fn(async () => {
      await clock.sleep(10);
      return statuses.shift();
    });
    const slow = { name: 'slow', ttlMs: 0, check: () => clock.sleep(100) };
    const monitor = healthMonitor({ clock, checks: [{ name: 'moody', ttlMs: 0, check }, slow] });
    const overall = monitor.getOverallHealth();
    await clock.advance(50); // the moody check is done, the run is not
    const summary = monitor.getHealthSummary();
    await clock.advance(100);
    expect((await summary).status).toBe(await overall);
    expect(check).toHaveBeenCalledTimes(1);
  });

  it('agree when asked one after the other while results are fresh', async () => {
    const check = vi.fn(() => 'degraded' as const);
    const monitor = healthMonitor({ clock: new ManualClock(), checks: [{ name: 'a', check }] });
    expect(await monitor.getOverallHealth()).toBe((await monitor.getHealthSummary()).status);
    expect(check).toHaveBeenCalledTimes(1);
  });

  it('count the checks by status, and show each with its uptime', async () => {
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
  it('answer their own question only', async () => {
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

  it('keep dependencies out of liveness', () => {
    const monitor = healthMonitor();
    const check = says('db', 'healthy', { dependency: true, groups: ['readiness', 'liveness'] });
    expect(() => monitor.register(check)).toThrow('restarting this process would not mend it');
  });

  it('of startup have to pass once', async () => {
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

  it('of startup have not passed when one was excluded', async () => {
    const monitor = healthMonitor({
      checks: [says('seed', 'unhealthy', { groups: ['startup'], ttlMs: 0 })],
    });
    expect((await monitor.startup({ exclude: ['seed'] })).status).toBe('healthy');
    expect((await monitor.startup()).status).toBe('unhealthy');
  });
});

describe('readiness', () => {
  it('fails at once, whatever is cached, when the service says it is not ready', async () => {
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

  it('fails for a question that was under way when the service stopped being ready', async () => {
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

  it('waits for a start that the service has to tell', async () => {
    const monitor = healthMonitor({ started: false });
    expect((await monitor.startup()).status).toBe('unhealthy');
    expect((await monitor.readiness()).message).toBe('the service has not started');
    expect((await monitor.liveness()).status).toBe('healthy');
    monitor.setStarted();
    expect(monitor.started).toBe(true);
    expect((await monitor.startup()).status).toBe('healthy');
    expect((await monitor.readiness()).status).toBe('healthy');
  });
});

describe('a change of status', () => {
  it('is told once, with both sides', async () => {
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

  it('is told for a first probe that finds something', async () => {
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

  it('survives a listener that throws', async () => {
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
  it('tell what is known, and start nothing', async () => {
    const check = vi.fn(() => true);
    const monitor = healthMonitor({ checks: [{ name: 'a', check }, says('b', 'healthy')] });
    expect(monitor.stats()).toMatchObject({ ready: true, checks: [], unknown: ['a', 'b'] });
    await monitor.check();
    expect(monitor.stats().checks.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(check).toHaveBeenCalledTimes(1);
  });
});

describe('disposal', () => {
  it('stops the background, lets checks go of what they hold, and leaves the checks', async () => {
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
