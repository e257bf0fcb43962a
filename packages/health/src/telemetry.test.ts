import { SpanStatusCode, trace } from '@opentelemetry/api';
import { telemetryScope } from '@temper/core';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HealthCheck } from './check-options.ts';
import { healthMonitor } from './monitor.ts';
import { HEALTH_METRICS } from './semconv.ts';
import type { HealthStatus } from './status.ts';

let telemetry: InMemoryTelemetry;
let unique = 0;
/** Series outlive their monitors, so every test uses its own name. */
const monitorOf = (check: Partial<HealthCheck>, options = {}) => {
  unique++;
  return healthMonitor({
    name: `svc${unique}`,
    ...options,
    checks: [{ name: 'db', ttlMs: 0, check: () => true, ...check }],
  });
};

beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

describe('metrics', () => {
  it('counts probes by resulting status and does not count cached results', async () => {
    const found: HealthStatus[] = ['healthy', 'degraded', 'unhealthy', 'healthy'];
    const monitor = monitorOf({ check: () => found.shift() });
    for (let round = 0; round < 4; round++) await monitor.check();
    const of = (status: HealthStatus) =>
      telemetry.value('temper.health.checks', {
        'temper.policy.name': monitor.name,
        'temper.health.check.name': 'db',
        'temper.health.status': status,
      });
    expect([await of('healthy'), await of('degraded'), await of('unhealthy')]).toEqual([2, 1, 1]);

    const cached = monitorOf({ ttlMs: 60_000 });
    await cached.check();
    await cached.check();
    expect(
      await telemetry.value('temper.health.checks', {
        'temper.policy.name': cached.name,
        'temper.health.status': 'healthy',
      }),
    ).toBe(1);
  });

  it('records the duration of a probe in seconds', async () => {
    const clock = new ManualClock();
    const monitor = monitorOf({ check: () => clock.sleep(250) }, { clock });
    await clock.runUntil(monitor.check());
    const value = await telemetry.value('temper.health.check.duration', {
      'temper.policy.name': monitor.name,
    });
    expect(value).toMatchObject({ count: 1, sum: 0.25 });
  });

  it('reports the status of every check as 0 or 1 until the monitor is disposed', async () => {
    const found: HealthStatus[] = ['healthy', 'degraded'];
    const monitor = monitorOf({ check: () => found.shift() });
    const levels = async () =>
      Object.fromEntries(
        (
          await telemetry.points('temper.health.status', { 'temper.policy.name': monitor.name })
        ).map(({ attributes, value }) => [attributes['temper.health.status'], value]),
      );
    expect(await levels()).toEqual({});
    await monitor.check();
    expect(await levels()).toEqual({ healthy: 1, degraded: 0, unhealthy: 0 });
    await monitor.check();
    expect(await levels()).toEqual({ healthy: 0, degraded: 1, unhealthy: 0 });
    monitor[Symbol.dispose]();
    expect(await levels()).toEqual({ healthy: 0, degraded: 0, unhealthy: 0 });
  });

  it('records metrics with documented attributes only', async () => {
    const monitor = monitorOf({});
    await monitor.check();
    const metrics = await telemetry.metrics();
    for (const definition of HEALTH_METRICS) {
      const known = definition.attributes.map(({ name }) => name);
      const metric = metrics.get(definition.name);
      expect(metric?.descriptor.unit).toBe(definition.unit);
      for (const { attributes } of metric?.dataPoints ?? []) {
        expect(known).toEqual(expect.arrayContaining(Object.keys(attributes)));
      }
    }
  });
});

describe('spans', () => {
  it('creates one span per probe, the parent of the spans of the check', async () => {
    const monitor = monitorOf(
      {
        check: () => trace.getTracer('app').startActiveSpan('SELECT 1', (span) => void span.end()),
      },
      { spans: 'all' },
    );
    await monitor.check();
    const [query, probe] = telemetry.spans;
    expect(probe).toMatchObject({ name: 'health db', status: { code: SpanStatusCode.UNSET } });
    expect(probe?.attributes).toEqual({
      'temper.policy.name': monitor.name,
      'temper.health.check.name': 'db',
      'temper.health.status': 'healthy',
    });
    expect(query?.parentSpanContext?.spanId).toBe(probe?.spanContext().spanId);
  });

  it('sets status ERROR and error.type if the probe threw or returned unhealthy', async () => {
    const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    await monitorOf({ check: () => Promise.reject(refused) }).check();
    await monitorOf({ check: () => ({ status: 'unhealthy', message: 'no leader' }) }).check();
    expect(
      telemetry.spans.map(({ status, attributes }) => [status, attributes['error.type']]),
    ).toEqual([
      [{ code: SpanStatusCode.ERROR, message: 'refused' }, 'ECONNREFUSED'],
      [{ code: SpanStatusCode.ERROR, message: 'no leader' }, 'unhealthy'],
    ]);
  });

  it('creates backdated spans of failed probes only with spans: failures', async () => {
    const clock = new ManualClock();
    const found = [true, false];
    const monitor = monitorOf(
      { check: () => clock.sleep(100).then(() => found.shift()) },
      { spans: 'failures', clock },
    );
    await clock.runUntil(monitor.check());
    expect(telemetry.spans).toHaveLength(0);
    await clock.runUntil(monitor.check());
    expect(telemetry.spans).toHaveLength(1);
    expect(telemetry.spans[0]?.duration).toEqual([0, 100_000_000]);
  });

  it('creates no spans with spans: none', async () => {
    await monitorOf({ check: () => false }, { spans: 'none' }).check();
    expect(telemetry.spans).toHaveLength(0);
  });
});

describe('log records', () => {
  it('emits a log record of a status change in the context of the probe span', async () => {
    const found: HealthStatus[] = ['healthy', 'unhealthy', 'unhealthy', 'healthy'];
    const monitor = monitorOf(
      { check: () => ({ status: found.shift() ?? 'healthy' }) },
      { spans: 'all' },
    );
    for (let round = 0; round < 4; round++) await monitor.check();
    expect(telemetry.logs.map(({ severityText, body }) => [severityText, body])).toEqual([
      ['WARN', "Check 'db' changed from healthy to unhealthy"],
      ['INFO', "Check 'db' changed from unhealthy to healthy"],
    ]);
    expect(telemetry.logs[0]?.eventName).toBe('temper.health.status_changed');
    expect(telemetry.logs[0]?.spanContext?.spanId).toBe(telemetry.spans[1]?.spanContext().spanId);
  });
});

describe('the option telemetry', () => {
  it('sends metrics and spans to its providers with its attributes, and none elsewhere', async () => {
    const own = telemetry;
    const scope = telemetryScope({
      ...own.providers,
      metricAttributes: { tenant: 'acme' },
    });
    telemetry = new InMemoryTelemetry();
    const monitor = monitorOf({ check: () => false }, { spans: 'all', telemetry: scope });
    await monitor.check();

    const pointsOf = async (of: InMemoryTelemetry) =>
      (await of.collect()).resourceMetrics.scopeMetrics
        .flatMap((one) => one.metrics)
        .flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes }) => ({ metric: descriptor.name, attributes })),
        )
        .filter(({ attributes }) => attributes['temper.policy.name'] === monitor.name);
    const points = await pointsOf(own);
    expect(new Set(points.map(({ metric }) => metric))).toEqual(
      new Set(HEALTH_METRICS.map(({ name }) => name)),
    );
    for (const { attributes } of points) expect(attributes).toMatchObject({ tenant: 'acme' });
    expect(own.spans.map(({ name }) => name)).toEqual(['health db']);
    expect(await pointsOf(telemetry)).toEqual([]);
    expect(telemetry.spans).toEqual([]);

    const unhealthy = () =>
      own.value('temper.health.status', {
        'temper.policy.name': monitor.name,
        'temper.health.status': 'unhealthy',
      });
    expect(await unhealthy()).toBe(1);
    monitor[Symbol.dispose]();
    expect(await unhealthy()).toBe(0);
    await own.close();
  });
});
