import { describe, expect, it } from 'vitest';
import type { HealthCheck } from '../check-options.ts';
import { type HealthMonitor, healthMonitor } from '../monitor.ts';
import { auditLogCheck } from './audit-log.ts';
import { breakerCheck } from './breaker.ts';
import { limiterCheck } from './limiter.ts';
import { statsCheck } from './stats.ts';

const monitorOf = (check: HealthCheck) => healthMonitor({ ttlMs: 0, checks: [check] });
const look = async (monitor: HealthMonitor) => (await monitor.check()).checks[0];

describe('breakerCheck', () => {
  it.each([
    ['closed', 'healthy'],
    ['half-open', 'degraded'],
    ['open', 'degraded'],
    ['isolated', 'degraded'],
  ])('maps the circuit state %s to %s', async (state, status) => {
    const breaker = { name: 'registry_fetch', state, stats: () => ({ failures: 7 }) };
    expect(await look(monitorOf(breakerCheck(breaker)))).toMatchObject({
      name: 'registry_fetch',
      status,
      observed: { name: 'state', value: state },
      details: { failures: 7 },
    });
  });

  it('reports openStatus for an open circuit', async () => {
    const breaker = { name: 'db', state: 'open', stats: () => ({}) };
    const check = breakerCheck(breaker, { openStatus: 'unhealthy', name: 'db circuit' });
    expect(await look(monitorOf(check))).toMatchObject({ name: 'db circuit', status: 'unhealthy' });
  });

  it('is a dependency and therefore rejected in the group liveness', () => {
    const breaker = { name: 'db', state: 'closed', stats: () => ({}) };
    expect(() => monitorOf(breakerCheck(breaker, { groups: ['liveness'] }))).toThrow('dependency');
  });
});

describe('limiterCheck', () => {
  it('compares the used share of tokens or permits with the thresholds', async () => {
    let left = 40;
    const tokens = () => ({ availableTokens: left, maxTokens: 100, limit: 600 });
    const permits = () => ({ inFlight: 100 - left, limit: 100 });
    const units = () => ({ remaining: left, limit: 100, windowMs: 1000 });
    const bucket = monitorOf(limiterCheck({ name: 'lsp', stats: tokens }, { degraded: 0.8 }));
    const bulkhead = monitorOf(
      limiterCheck({ name: 'lsp', stats: permits }, { degraded: 0.8, unhealthy: 1 }),
    );
    const window = monitorOf(limiterCheck({ name: 'lsp', stats: units }, { degraded: 0.8 }));
    expect((await look(bucket))?.status).toBe('healthy');
    expect((await look(window))?.status).toBe('healthy');
    expect((await look(bulkhead))?.status).toBe('healthy');
    left = 20;
    expect((await look(bucket))?.status).toBe('degraded');
    expect((await look(window))?.status).toBe('degraded');
    expect((await look(bulkhead))?.status).toBe('degraded');
    left = -3; // a limit that was lowered while calls were in progress
    expect((await look(bucket))?.status).toBe('degraded');
    expect(await look(bulkhead)).toMatchObject({
      status: 'unhealthy',
      message: '0 of 100 are left',
    });
  });

  it('rejects a limiter whose stats() contain no level', () => {
    const stats = () => ({ requests: 3 });
    expect(() => limiterCheck({ name: 'odd', stats })).toThrow(
      "limiterCheck: 'odd' must return availableTokens and maxTokens, remaining and limit, or inFlight and limit, from stats().",
    );
  });
});

describe('auditLogCheck', () => {
  it('evaluates the events of an audit log since the previous probe', async () => {
    const levels = { state: 'open', refused: 0, degraded: 0, dropped: 0, pending: 0 };
    const monitor = monitorOf(
      auditLogCheck({ name: 'audit', stats: () => ({ ...levels }) }, { maxPending: 10 }),
    );
    const status = async () => (await look(monitor))?.status;
    expect(await status()).toBe('healthy');
    levels.refused++;
    expect(await status()).toBe('unhealthy');
    expect(await status()).toBe('healthy');
    levels.dropped++;
    expect(await status()).toBe('unhealthy');
    levels.degraded++;
    expect(await status()).toBe('degraded');
    levels.pending = 10;
    expect(await status()).toBe('degraded');
    levels.pending = 9;
    expect(await status()).toBe('healthy');
  });

  it('reads the counts of an audit log from events', async () => {
    const events = { refused: 1, degraded: 0, dropped: 0 };
    const check = auditLogCheck({ name: 'audit', stats: () => ({ events, pending: 0 }) });
    expect((await look(monitorOf(check)))?.status).toBe('unhealthy');
  });

  it.each([
    ['idle', 'healthy'],
    ['open', 'healthy'],
    ['unavailable', 'unhealthy'],
    ['closed', 'unhealthy'],
  ])('maps the audit log state %s to %s', async (state, status) => {
    const stats = () => ({ state, refused: 0, degraded: 0, dropped: 0, pending: 0 });
    expect((await look(monitorOf(auditLogCheck({ name: 'audit', stats }))))?.status).toBe(status);
  });

  it('says why a sink of an audit log does not store', async () => {
    const counts = { state: 'unavailable', refused: 0, degraded: 3, dropped: 0, pending: 3 };
    const sinks = [
      { name: 'sqlite', error: 'ENOSPC: no space left on device, write' },
      { name: 'otel', error: undefined },
    ];
    const check = auditLogCheck({ name: 'audit', stats: () => ({ ...counts, sinks }) });
    expect((await look(monitorOf(check)))?.message).toBe(
      "log is unavailable; since the last probe 0 events rejected, 0 lost, 3 not durable; 3 pending; sink 'sqlite': ENOSPC: no space left on device, write",
    );
  });

  it('rejects an audit log whose stats() contain no counts', () => {
    const log = { name: 'odd', stats: () => ({ pending: 1 }) };
    expect(() => auditLogCheck(log as never)).toThrow(
      "auditLogCheck: 'odd' must return refused, degraded, dropped, pending from stats().",
    );
  });
});

describe('statsCheck', () => {
  it('passes the current and the previous snapshot to judge', async () => {
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

  it('fails if stats() throws', async () => {
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
