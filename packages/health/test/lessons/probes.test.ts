// What the issues of other libraries teach about health checks. They are those of godaddy/terminus, gofr-dev/gofr and
// bucketeer-io/bucketeer.
import { ManualClock } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it } from 'vitest';
import { healthFetch, healthMonitor } from '../../src/index.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

describe('the readiness probe', () => {
  it('bucketeer#706: fails from the moment at which the service is told to stop, although all checks pass', async () => {
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', check: () => true }] });
    const probe = healthFetch(monitor);
    const ask = async () => (await probe(new Request('http://local/readyz')))?.status;
    expect(await clock.runUntil(ask())).toBe(200);
    monitor.setReady(false, 'SIGTERM');
    expect(await clock.runUntil(ask())).toBe(503);
  });

  it('gofr#711: answers although a check of it never does', async () => {
    const monitor = healthMonitor({
      clock,
      checks: [
        { name: 'hangs', check: () => new Promise(() => {}), timeoutMs: 1_000 },
        { name: 'db', check: () => true },
      ],
    });
    const begun = clock.monotonic();
    const response = await clock.runUntil(
      healthFetch(monitor)(new Request('http://local/readyz')) as Promise<Response>,
    );
    expect(response.status).toBe(503);
    expect(clock.monotonic() - begun).toBeLessThanOrEqual(1_000);
    const report = await clock.runUntil(monitor.check());
    expect(report.checks.find(({ name }) => name === 'db')).toMatchObject({ status: 'healthy' });
  });

  it('terminus#87: can be asked for without a request, with the same answer', async () => {
    let passes = true;
    const monitor = healthMonitor({
      clock,
      checks: [{ name: 'db', check: () => passes, ttlMs: 0 }],
    });
    const probe = healthFetch(monitor);
    for (const [good, status, code] of [
      [true, 'healthy', 200],
      [false, 'unhealthy', 503],
    ] as const) {
      passes = good;
      clock.jump(1_000);
      expect((await clock.runUntil(monitor.readiness())).status).toBe(status);
      const response = await clock.runUntil(
        probe(new Request('http://local/readyz')) as Promise<Response>,
      );
      expect(response.status).toBe(code);
    }
  });
});
