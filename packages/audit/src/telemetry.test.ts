import { join } from 'node:path';
import { trace } from '@opentelemetry/api';
import { telemetryScope } from '@temper/core';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedSink } from '../test/scripted-sink.ts';
import { temporaryDirectory } from '../test/temporary-directory.ts';
import type { AuditEventInput } from './chain/event.ts';
import { auditLog } from './log/durable-log.ts';
import { AUDIT_METRICS, EVENT_AUDIT, RECORD_ATTRIBUTES } from './semconv.ts';
import { fileCursor, otlpLogs, ship } from './ship/index.ts';
import { SHIP_METRICS } from './ship/semconv.ts';
import { memorySink } from './sinks/memory/memory-sink.ts';
import { otelLogsSink } from './sinks/otel-logs/otel-logs-sink.ts';

const event: AuditEventInput = {
  eventType: 'operation',
  action: 'fetch',
  resource: 'stdlib',
  status: 'success',
};

let telemetry: InMemoryTelemetry;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

describe('metrics', () => {
  it('records events by outcome, sink errors, durations and pending events', async () => {
    const name = 'metrics';
    const clock = new ManualClock();
    const sink = new ScriptedSink('disk');
    const log = auditLog({ name, clock, sinks: [sink], queueLimit: 2 });
    await log.ready();
    sink.hold();
    const appended = log.append(event);
    log.record(event);
    log.record(event);
    log.record(event);
    expect(await telemetry.value('temper.audit.pending', { 'temper.policy.name': name })).toBe(3);
    await clock.advance(30);
    sink.release();
    await appended;
    await expect(log.flush()).rejects.toMatchObject({ lost: 1 });
    sink.failWith = new Error('full');
    await expect(log.append(event)).rejects.toThrow();
    const outcome = (value: string): Promise<unknown> =>
      telemetry.value('temper.audit.events', {
        'temper.policy.name': name,
        'temper.outcome': value,
      });
    expect(await outcome('stored')).toBe(4); // the account of the drop is an event too
    expect(await outcome('dropped')).toBe(1);
    expect(await outcome('refused')).toBe(1);
    expect(await outcome('degraded')).toBe(0);
    expect(
      await telemetry.value('temper.audit.sink.errors', {
        'temper.policy.name': name,
        'temper.audit.sink': 'disk',
      }),
    ).toBe(1);
    expect(
      await telemetry.value('temper.audit.append.duration', { 'temper.policy.name': name }),
    ).toMatchObject({
      count: 3,
      sum: expect.closeTo(0.09, 5),
    });
  });

  it('records metrics with the names, units and attributes of their definitions', async () => {
    const log = auditLog({ name: 'names', sinks: [memorySink()] });
    await log.append(event);
    const exported = await telemetry.metrics();
    for (const { name, unit, description, attributes } of AUDIT_METRICS) {
      const metric = exported.get(name);
      expect(metric?.descriptor).toMatchObject({ name, unit, description });
      const known = attributes.map((attribute) => attribute.name);
      for (const point of metric?.dataPoints ?? []) {
        expect(known).toEqual(expect.arrayContaining(Object.keys(point.attributes)));
      }
    }
  });

  it('stops reporting pending events of a closed log', async () => {
    const log = auditLog({ name: 'closed', sinks: [memorySink()] });
    await log.append(event);
    await log.close();
    expect(
      await telemetry.value('temper.audit.pending', { 'temper.policy.name': 'closed' }),
    ).toBeOneOf([0, undefined]);
  });
});

describe('traces', () => {
  it('stores trace and span id of the span that was active at append', async () => {
    const log = auditLog({ sinks: [memorySink()] });
    const tracer = trace.getTracer('test');
    await tracer.startActiveSpan('request', async (span) => {
      const { traceId, spanId } = span.spanContext();
      expect(await log.append(event)).toMatchObject({ traceId, spanId });
      log.record({ ...event, action: 'recorded' });
      await log.flush();
      const { events } = await log.query({ traceId });
      expect(events.map(({ action, spanId: id }) => [action, id])).toEqual([
        ['recorded', spanId],
        ['fetch', spanId],
      ]);
      span.end();
    });
    expect(await log.append(event)).not.toHaveProperty('traceId');
  });
});

describe('otelLogsSink', () => {
  it('writes each event as a log record in the context of its span', async () => {
    const log = auditLog({ name: 'main', sinks: [otelLogsSink()] });
    const tracer = trace.getTracer('test');
    const span = tracer.startSpan('request');
    const { trace: api, context } = await import('@opentelemetry/api');
    const written = await context.with(api.setSpan(context.active(), span), () =>
      log.append({
        ...event,
        actor: 'ann',
        error: Object.assign(new Error('x'), { code: 'EPIPE' }),
        status: 'failure',
      }),
    );
    await log.append(event);
    const [first, second] = telemetry.logs;
    expect(first).toMatchObject({
      eventName: EVENT_AUDIT,
      severityText: 'WARN',
      spanContext: {
        traceId: span.spanContext().traceId,
        spanId: span.spanContext().spanId,
        traceFlags: 1,
      },
      attributes: {
        'temper.policy.name': 'main',
        [RECORD_ATTRIBUTES.id.name]: written.id,
        [RECORD_ATTRIBUTES.sequence.name]: 1,
        [RECORD_ATTRIBUTES.eventType.name]: 'operation',
        [RECORD_ATTRIBUTES.action.name]: 'fetch',
        [RECORD_ATTRIBUTES.resource.name]: 'stdlib',
        [RECORD_ATTRIBUTES.status.name]: 'failure',
        [RECORD_ATTRIBUTES.actor.name]: 'ann',
        [RECORD_ATTRIBUTES.hash.name]: written.hash,
        'error.type': 'EPIPE',
      },
    });
    expect(JSON.parse(first?.body as string)).toEqual(written);
    expect(second).toMatchObject({ severityText: 'INFO' });
    expect(second?.spanContext).toBeUndefined();
  });

  it('does not count towards the rule beside a durable sink', async () => {
    const durable = new ScriptedSink('durable');
    const log = auditLog({ sinks: [otelLogsSink(), durable] });
    durable.failWith = new Error('full');
    await expect(log.append(event)).rejects.toThrow('needs 1 sink');
  });
});

describe('the option telemetry', () => {
  it('of a log, its shipping and the logs API sends everything to its providers', async () => {
    using directory = temporaryDirectory();
    const own = telemetry;
    telemetry = new InMemoryTelemetry();
    const scope = telemetryScope({ ...own.providers, metricAttributes: { tenant: 'acme' } });
    const name = 'scoped';
    const log = auditLog({
      name,
      telemetry: scope,
      sinks: [memorySink(), otelLogsSink({ telemetry: scope })],
    });
    await log.append(event);
    const target = otlpLogs({ log: name, flush: async () => {}, telemetry: scope });
    const cursor = fileCursor({ path: join(directory.path, 'cursor') });
    const shipping = ship(log, target, { cursor, telemetry: scope });
    await shipping.flush();
    const pointsOf = async (of: InMemoryTelemetry) =>
      (await of.collect()).resourceMetrics.scopeMetrics
        .flatMap((one) => one.metrics)
        .flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes }) => ({ metric: descriptor.name, attributes })),
        )
        .filter(({ attributes }) => attributes['temper.policy.name'] === name);
    const points = await pointsOf(own);
    expect(new Set(points.map(({ metric }) => metric))).toEqual(
      new Set([...AUDIT_METRICS, ...SHIP_METRICS].map((metric) => metric.name)),
    );
    for (const { attributes } of points) expect(attributes).toMatchObject({ tenant: 'acme' });
    // By the sink, and by the shipping.
    expect(own.logs.filter(({ eventName }) => eventName === EVENT_AUDIT)).toHaveLength(2);
    expect(await pointsOf(telemetry)).toEqual([]);
    expect(telemetry.logs).toEqual([]);
    await shipping.close();
    await log.close();
    await own.close();
  });
});
