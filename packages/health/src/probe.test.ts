import { circuitBreaker } from '@temper/breaker';
import type { CallContext } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import type { HealthCheck } from './check-options.ts';
import { healthMonitor } from './monitor.ts';

/** A check that the test settles, with one entry for each start. */
function controlled() {
  const started: {
    resolve: (value: unknown) => void;
    reject: (error: unknown) => void;
    signal: AbortSignal;
  }[] = [];
  const check: HealthCheck['check'] = ({ signal }) =>
    new Promise((resolve, reject) => {
      started.push({ resolve: resolve as (value: unknown) => void, reject, signal });
    });
  return { started, check };
}

function monitorOf(check: Partial<HealthCheck> & Pick<HealthCheck, 'check'>, extra = {}) {
  const clock = new ManualClock();
  const monitor = healthMonitor({ clock, checks: [{ name: 'db', ...check }], ...extra });
  return { clock, monitor };
}

describe('probe', () => {
  it('starts a check once for any number of concurrent callers', async () => {
    const { started, check } = controlled();
    const { monitor } = monitorOf({ check });
    const asked = Array.from({ length: 1000 }, () => monitor.check());
    await settle();
    expect(started).toHaveLength(1);
    started[0]?.resolve(true);
    const reports = await Promise.all(asked);
    expect(new Set(reports.map(({ checks }) => checks[0])).size).toBe(1);
    expect(started).toHaveLength(1);
  });

  it('caches a result for ttlMs and probes again after it', async () => {
    const check = vi.fn(() => true);
    const { clock, monitor } = monitorOf({ check, ttlMs: 1000 });
    await monitor.check();
    await clock.advance(999);
    await monitor.check();
    expect(check).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await monitor.check();
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('ignores the cached result with fresh: true', async () => {
    const check = vi.fn(() => true);
    const { monitor } = monitorOf({ check, ttlMs: Number.POSITIVE_INFINITY });
    await monitor.check();
    await monitor.check({ fresh: true });
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('measures the cache age on the monotonic clock, not on the wall clock', async () => {
    const check = vi.fn(() => true);
    const { clock, monitor } = monitorOf({ check, ttlMs: 1000 });
    await monitor.check();
    clock.adjustWallClock(-3_600_000);
    await clock.advance(1000);
    await monitor.check();
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('treats a check that throws like one that rejects', async () => {
    for (const check of [
      () => {
        throw new Error('down');
      },
      async () => {
        throw new Error('down');
      },
    ]) {
      const { monitor } = monitorOf({ check });
      const report = await monitor.check();
      expect(report.status).toBe('unhealthy');
      expect(report.checks[0]).toMatchObject({ message: 'down', errorType: 'Error' });
    }
  });

  it('reports failureStatus for a failed probe', async () => {
    const { monitor } = monitorOf({ check: () => false, failureStatus: 'degraded' });
    expect((await monitor.check()).status).toBe('degraded');
  });
});

describe('hanging probe', () => {
  it('fails a hanging probe at its timeout and aborts its signal', async () => {
    const { started, check } = controlled();
    const { clock, monitor } = monitorOf({ check, timeoutMs: 200 });
    const asked = monitor.check();
    await clock.advance(199);
    expect(started[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(started[0]?.signal.aborted).toBe(true);
    const report = await asked;
    expect(report.checks[0]).toMatchObject({
      status: 'unhealthy',
      errorType: 'OPERATION_TIMEOUT',
      responseTimeMs: 200,
    });
  });

  it('tells a policy that has its signal that a timeout has ended it', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 1 });
    const client = ({ signal }: CallContext) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('canceled')));
      });
    const monitor = healthMonitor({ clock });
    const check: HealthCheck['check'] = async ({ signal }) => {
      await breaker.execute(client, { signal });
    };
    monitor.register({ name: 'database', timeoutMs: 200, check });
    const asked = monitor.check();
    await clock.advance(200);
    expect((await asked).status).toBe('unhealthy');
    expect(breaker.stats()).toMatchObject({ state: 'open', calls: { failure: 1, ignored: 0 } });
  });

  it('does not start a check again while a timed-out probe has not settled', async () => {
    const { started, check } = controlled();
    const { clock, monitor } = monitorOf({ check, timeoutMs: 200, ttlMs: 100 });
    const asked = monitor.check();
    await clock.advance(200);
    await asked;
    for (let round = 0; round < 5; round++) {
      await clock.advance(1000);
      const report = await monitor.check();
      expect(report.checks[0]).toMatchObject({ status: 'unhealthy', errorType: 'CHECK_HANGING' });
    }
    expect(started).toHaveLength(1);
    expect(monitor.history('db')).toHaveLength(6);
  });

  it('starts a check again after the timed-out probe has resolved or rejected', async () => {
    for (const outcome of ['resolve', 'reject'] as const) {
      const { started, check } = controlled();
      const { clock, monitor } = monitorOf({ check, timeoutMs: 200, ttlMs: 0 });
      const asked = monitor.check();
      await clock.advance(200);
      await asked;
      started[0]?.[outcome](true);
      await settle();
      const again = monitor.check();
      await settle();
      expect(started).toHaveLength(2);
      started[1]?.resolve(true);
      expect((await again).status).toBe('healthy');
    }
  });

  it('ignores the result of a probe that has timed out', async () => {
    const { started, check } = controlled();
    const { clock, monitor } = monitorOf({ check, timeoutMs: 200, ttlMs: 10_000 });
    const asked = monitor.check();
    await clock.advance(200);
    await asked;
    started[0]?.resolve(true);
    await settle();
    expect((await monitor.check()).status).toBe('unhealthy');
    expect(monitor.history('db')).toHaveLength(1);
  });

  it('leaves no timer after a probe', async () => {
    const { started, check } = controlled();
    const { clock, monitor } = monitorOf({ check });
    const asked = monitor.check();
    await settle();
    expect(clock.pending).toBe(1);
    started[0]?.resolve(true);
    await asked;
    expect(clock.pending).toBe(0);
  });
});

describe('flapping rule', () => {
  it('reports a failing status when N of the last M probes failed', async () => {
    const found = [true, false, true, false, false, true, true, true];
    const { monitor } = monitorOf({
      check: () => found.shift(),
      ttlMs: 0,
      flapping: { failures: 2, of: 3 },
    });
    const seen: string[] = [];
    while (found.length > 0) seen.push((await monitor.check()).status);
    expect(seen).toEqual([
      'healthy',
      'healthy',
      'healthy',
      'unhealthy',
      'unhealthy',
      'unhealthy',
      'healthy',
      'healthy',
    ]);
  });

  it('reports the status of the last probe as probedStatus', async () => {
    const found = [true, false];
    const { monitor } = monitorOf({
      check: () => found.shift(),
      ttlMs: 0,
      flapping: { failures: 2, of: 3 },
    });
    await monitor.check();
    expect((await monitor.check()).checks[0]).toMatchObject({
      status: 'healthy',
      probedStatus: 'unhealthy',
      consecutiveFailures: 1,
    });
  });
});

describe('history and uptime', () => {
  it('stores the last historySize probes, including failed ones', async () => {
    const found = [true, false, true, false];
    const { clock, monitor } = monitorOf(
      { check: () => found.shift(), ttlMs: 0 },
      { historySize: 3 },
    );
    for (let round = 0; round < 4; round++) {
      await monitor.check();
      await clock.advance(1000);
    }
    expect(monitor.history('db').map(({ status }) => status)).toEqual([
      'unhealthy',
      'healthy',
      'unhealthy',
    ]);
    expect(monitor.history('db', 1)).toHaveLength(1);
    expect(monitor.history('db', 0)).toEqual([]);
  });

  it('computes uptime as the share of time in which the check was not unhealthy', async () => {
    let well = true;
    const { clock, monitor } = monitorOf({ check: () => well, ttlMs: 0 });
    await monitor.check();
    await clock.advance(45_000);
    well = false;
    await monitor.check();
    await clock.advance(15_000);
    const [minute, hour] = monitor.uptime('db');
    expect(minute).toMatchObject({ windowMs: 60_000 });
    expect(minute?.coveredMs).toBeCloseTo(60_000, 0);
    expect(minute?.ratio).toBeCloseTo(0.75, 2);
    expect(hour?.coveredMs).toBeCloseTo(60_000, 0);
    await clock.advance(60_000);
    expect(monitor.uptime('db')[0]?.ratio).toBe(0);
  });

  it('throws a RangeError for history and uptime of an unknown check', () => {
    const { monitor } = monitorOf({ check: () => true });
    expect(() => monitor.history('cache')).toThrow(
      new RangeError("Health monitor 'health' has no check named 'cache'. Registered checks: db."),
    );
  });
});
