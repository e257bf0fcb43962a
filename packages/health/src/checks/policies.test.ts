import { describe, expect, it } from 'vitest';
import type { HealthCheck } from '../check-options.ts';
import { type HealthMonitor, healthMonitor } from '../monitor.ts';
import { auditLogCheck } from './audit-log.ts';
import { breakerCheck } from './breaker.ts';
import { limiterCheck } from './limiter.ts';
import { statsCheck } from './stats.ts';

const monitorOf = (check: HealthCheck) => healthMonitor({ ttlMs: 0, checks: [check] });
const look = async (monitor: HealthMonitor) => (await monitor.check()).checks[0];

describe('a breaker', () => {
  it.each([
    ['closed', 'healthy'],
    ['half-open', 'degraded'],
    ['open', 'degraded'],
    ['isolated', 'degraded'],
  ])('that is %s is %s', async (state, status) => {
    const breaker = { name: 'registry_fetch', state, stats: () => ({ failures: 7 }) };
    expect(await look(monitorOf(breakerCheck(breaker)))).toMatchObject({
      name: 'registry_fetch',
      status,
      observed: { name: 'state', value: state },
      details: { failures: 7 },
    });
  });

  it('that is open is what its user says it is', async () => {
    const breaker = { name: 'db', state: 'open', stats: () => ({}) };
    const check = breakerCheck(breaker, { openStatus: 'unhealthy', name: 'db circuit' });
    expect(await look(monitorOf(check))).toMatchObject({ name: 'db circuit', status: 'unhealthy' });
  });

  it('stands for a dependency, and is kept out of liveness', () => {
    const breaker = { name: 'db', state: 'closed', stats: () => ({}) };
    expect(() => monitorOf(breakerCheck(breaker, { groups: ['liveness'] }))).toThrow('dependency');
  });
});

describe('a limiter', () => {
  it('is judged by what is left, told by quota() or by token stats', async () => {
    let left = 40;
    const stats = () => ({ availableTokens: left, maxTokens: 100 });
    const byStats = monitorOf(limiterCheck({ name: 'lsp', stats }, { degraded: 0.8 }));
    const quota = () => ({ limit: 100, remaining: left });
    const byQuota = monitorOf(
      limiterCheck({ name: 'lsp', quota, stats: () => ({}) }, { degraded: 0.8, unhealthy: 1 }),
    );
    expect((await look(byStats))?.status).toBe('healthy');
    expect((await look(byQuota))?.status).toBe('healthy');
    left = 20;
    expect((await look(byStats))?.status).toBe('degraded');
    expect((await look(byQuota))?.status).toBe('degraded');
    left = 0;
    expect((await look(byStats))?.status).toBe('degraded');
    expect((await look(byQuota))?.status).toBe('unhealthy');
  });

  it('that tells no level is refused at once', () => {
    const stats = () => ({ requests: 3 });
    expect(() => limiterCheck({ name: 'odd', stats })).toThrow(
      "limiterCheck: 'odd' must have quota(), or availableTokens and maxTokens in its stats().",
    );
  });
});

describe('an audit log', () => {
  it('is judged by what became of its events since the probe before', async () => {
    const events = { stored: 0, refused: 0, degraded: 0, dropped: 0 };
    let pending = 0;
    const monitor = monitorOf(
      auditLogCheck({ name: 'audit', stats: () => ({ events, pending }) }, { maxPending: 10 }),
    );
    const status = async () => (await look(monitor))?.status;
    expect(await status()).toBe('healthy');
    events.refused++;
    expect(await status()).toBe('unhealthy');
    expect(await status()).toBe('healthy');
    events.dropped++;
    expect(await status()).toBe('unhealthy');
    events.degraded++;
    expect(await status()).toBe('degraded');
    pending = 10;
    expect(await status()).toBe('degraded');
    pending = 9;
    expect(await status()).toBe('healthy');
  });

  it('that does not tell them is refused at once', () => {
    const log = { name: 'odd', stats: () => ({ pending: 1 }) };
    expect(() => auditLogCheck(log as never)).toThrow(
      "auditLogCheck: 'odd' must tell events.refused",
    );
  });
});

describe('anything with stats()', () => {
  it('is judged by the user, who sees the snapshot before as well', async () => {
    let exhausted = 0;
    const retry = { name: 'fetch_package', stats: () => ({ exhausted }) };
    const monitor = monitorOf(
      statsCheck({
        of: retry,
        judge: (now, before) => (now.exhausted > (before?.exhausted ?? 0) ? 'degraded' : 'healthy'),
      }),
    );
    expect(await look(monitor)).toMatchObject({ name: 'fetch_package', status: 'healthy' });
    exhausted = 3;
    expect((await look(monitor))?.status).toBe('degraded');
    expect((await look(monitor))?.status).toBe('healthy');
  });

  it('fails when its stats() throws', async () => {
    const broken = {
      stats: () => {
        throw new Error('gone');
      },
    };
    expect(await look(monitorOf(statsCheck({ of: broken, judge: () => true })))).toMatchObject({
      name: 'stats',
      status: 'unhealthy',
      message: 'gone',
    });
  });
});
