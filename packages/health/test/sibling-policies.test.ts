import { auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { circuitBreaker } from '@temper/breaker';
import { concurrency, fixedWindow, gcra, slidingWindow, tokenBucket } from '@temper/ratelimit';
import { expect, it } from 'vitest';
import { auditLogCheck, breakerCheck, limiterCheck } from '../src/checks/index.ts';
import { healthMonitor } from '../src/index.ts';

// The checks depend only on the shape of these packages. These tests use the real ones.

it('reports a breaker of @temper/breaker as healthy until it is isolated', async () => {
  const watched = circuitBreaker({ name: 'db' });
  const monitor = healthMonitor({ ttlMs: 0, checks: [breakerCheck(watched)] });
  expect(await monitor.getOverallHealth()).toBe('healthy');
  {
    using _ = watched.isolate();
    expect(await monitor.getOverallHealth()).toBe('degraded');
  }
  expect(await monitor.getOverallHealth()).toBe('healthy');
});

it.each([
  tokenBucket({ name: 'token bucket', limit: 5, burst: 5 }),
  gcra({ name: 'gcra', limit: 5, burst: 5 }),
  slidingWindow({ name: 'sliding window', limit: 5 }),
  fixedWindow({ name: 'fixed window', limit: 5 }),
  concurrency({ name: 'concurrency', limit: 5 }),
])(
  'reports the limiter $name of @temper/ratelimit as healthy until its limit is used up',
  async (limiter) => {
    const monitor = healthMonitor({ ttlMs: 0, checks: [limiterCheck(limiter)] });
    const look = async () => (await monitor.check()).checks[0];
    expect(await look()).toMatchObject({ status: 'healthy', message: '5 of 5 are left' });
    for (let taken = 0; taken < 5; taken++) expect(limiter.take().allowed).toBe(true);
    expect(await look()).toMatchObject({ status: 'degraded', message: '0 of 5 are left' });
  },
);

it('reports an audit log of @temper/audit as healthy until it is closed', async () => {
  const log = auditLog({ name: 'audit', sinks: [memorySink()] });
  const monitor = healthMonitor({ ttlMs: 0, checks: [auditLogCheck(log)] });
  await log.append({ eventType: 'test', action: 'look', resource: 'log', status: 'success' });
  expect(await monitor.getOverallHealth()).toBe('healthy');
  await log.close();
  expect(await monitor.getOverallHealth()).toBe('unhealthy');
});
