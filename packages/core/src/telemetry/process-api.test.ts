import { context, createContextKey, metrics, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import { ROOT_CONTEXT as OWN_ROOT } from './api-values.ts';
import type { MetricDefinition } from './definitions.ts';
import { Instrumentation } from './instrumentation.ts';
import { activeContext, type LogRecordFields, processLogger, runInContext } from './process-api.ts';
import { temperMetricProducer } from './producer.ts';
import { SCHEMA_URL } from './semconv.ts';

const API_KEY = Symbol.for('opentelemetry.js.api.1');
const LOGS_KEY = Symbol.for('io.opentelemetry.js.api.logs');
const root = globalThis as unknown as Record<symbol, unknown>;

const CALLS: MetricDefinition = {
  name: 'test.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls of this test.',
  attributes: [],
};
const DURATION: MetricDefinition = { ...CALLS, name: 'test.duration', instrument: 'histogram' };
const LEVEL: MetricDefinition = { ...CALLS, name: 'test.level', instrument: 'gauge' };
const telemetry = new Instrumentation({
  name: '@test/process-api',
  version: '1.0.0',
  metrics: [CALLS, DURATION, LEVEL],
});

let sdk: InMemoryTelemetry | undefined;
afterEach(async () => {
  await sdk?.close();
  sdk = undefined;
  delete root[LOGS_KEY];
});

describe('trace.disable()', () => {
  it('ends the spans, and registering again begins them again', () => {
    sdk = new InMemoryTelemetry();
    telemetry.span('before', {}).end();
    trace.disable();
    const span = telemetry.span('while disabled', {});
    expect(telemetry.live.traces).toBe(false);
    expect(span.recording).toBe(false);
    span.child('child', {}).end();
    expect(span.run(() => 7)).toBe(7);
    span.end();
    expect(sdk.spans.map(({ name }) => name)).toEqual(['before']);
    sdk = new InMemoryTelemetry();
    telemetry.span('after', {}).end();
    expect(sdk.spans.map(({ name }) => name)).toEqual(['after']);
  });

  it('leaves a span that is under way to its provider', () => {
    sdk = new InMemoryTelemetry();
    const span = telemetry.span('under way', {});
    trace.disable();
    span.set({ late: true });
    span.end();
    expect(sdk.spans.map(({ name }) => name)).toEqual(['under way']);
  });
});

describe('metrics.disable()', () => {
  it('ends counters, levels and histograms of a reader that lives on', async () => {
    sdk = new InMemoryTelemetry();
    const where = { test: 'disable' };
    const owner = { name: 'p', level: 3 };
    using _ = telemetry.observe(owner, readLevel);
    telemetry.counter(CALLS, 'p', where).value = 2;
    telemetry.histogram(DURATION, 'p', where).record(1);
    expect(await sdk.value('test.calls', where)).toBe(2);
    metrics.disable();
    telemetry.counter(CALLS, 'p', where).value = 9;
    telemetry.histogram(DURATION, 'p', where).record(1);
    owner.level = 8;
    expect(telemetry.live.metrics).toBe(false);
    expect(await sdk.value('test.duration', where)).toMatchObject({ count: 1 });
    // The SDK repeats the last value of an asynchronous instrument for ever.
    expect([2, undefined]).toContain(await sdk.value('test.calls', where));
    expect([3, undefined]).toContain(await sdk.value('test.level', where));
  });

  it('ends scopes that are made afterwards as well', async () => {
    sdk = new InMemoryTelemetry();
    metrics.disable();
    const late = new Instrumentation({ name: '@test/late', version: '1', metrics: [CALLS] });
    late.counter(CALLS, 'late').value = 1;
    expect(await sdk.points('test.calls', { 'temper.policy.name': 'late' })).toEqual([]);
  });

  it('loses no count when another provider is registered', async () => {
    sdk = new InMemoryTelemetry();
    const where = { test: 'resumed' };
    const cell = telemetry.counter(CALLS, 'p', where);
    cell.value = 1;
    metrics.disable();
    cell.value = 5;
    sdk = new InMemoryTelemetry();
    expect(await sdk.value('test.calls', where)).toBe(5);
  });
});

function readLevel(owner: { level: number }, emit: (...all: never[]) => void): void {
  (emit as (definition: MetricDefinition, attributes: object, value: number) => void)(
    LEVEL,
    { test: 'disable' },
    owner.level,
  );
}

describe('the active context', () => {
  it('is that of the API', () => {
    sdk = new InMemoryTelemetry();
    const key = createContextKey('test');
    const inner = ROOT_CONTEXT.setValue(key, 1);
    expect(context.with(inner, activeContext)).toBe(inner);
    expect(runInContext(inner, () => context.active())).toBe(inner);
    expect(activeContext()).toBe(ROOT_CONTEXT);
  });

  it('is that of a global which an older copy of the API made, and this one does not accept', () => {
    const saved = root[API_KEY];
    const key = createContextKey('test');
    let current = ROOT_CONTEXT;
    const manager = {
      active: () => current,
      with<T>(inner: typeof current, work: () => T): T {
        const outer = current;
        current = inner;
        try {
          return work();
        } finally {
          current = outer;
        }
      },
    };
    root[API_KEY] = { version: '1.3.0', context: manager };
    const inner = ROOT_CONTEXT.setValue(key, 1);
    expect(runInContext(inner, () => [activeContext(), context.active()])).toEqual([
      inner,
      ROOT_CONTEXT,
    ]);
    root[API_KEY] = saved;
  });

  it('is the root where nothing is registered', () => {
    const saved = root[API_KEY];
    delete root[API_KEY];
    expect(runInContext(ROOT_CONTEXT.setValue(createContextKey('x'), 1), activeContext)).toBe(
      OWN_ROOT,
    );
    root[API_KEY] = saved;
  });
});

describe('log records', () => {
  const log = (): void =>
    telemetry.log({ event: 'temper.test', severity: 'WARN', body: 'text', attributes: { a: 1 } });

  /** A provider of `@opentelemetry/api-logs`, registered as that package does it. */
  function registerSeparateLogs(enabled?: () => boolean): LogRecordFields[] {
    const records: LogRecordFields[] = [];
    const logger = {
      emit: (record: LogRecordFields) => records.push(record),
      ...(enabled === undefined ? {} : { enabled }),
    };
    root[LOGS_KEY] = (version: number) => (version === 1 ? { getLogger: () => logger } : undefined);
    return records;
  }

  it('go to the provider of the API', () => {
    sdk = new InMemoryTelemetry();
    const separate = registerSeparateLogs();
    log();
    expect(sdk.logs).toHaveLength(1);
    expect(separate).toEqual([]);
  });

  it('go to the provider of @opentelemetry/api-logs where the API has none', () => {
    sdk = new InMemoryTelemetry({ logs: false });
    const records = registerSeparateLogs(() => true);
    log();
    expect(records).toEqual([
      expect.objectContaining({
        eventName: 'temper.test',
        severityNumber: 13,
        severityText: 'WARN',
        body: 'text',
        attributes: { a: 1 },
      }),
    ]);
  });

  it('carry the name of the event as an attribute where the SDK is too old to have one', () => {
    sdk = new InMemoryTelemetry({ logs: false });
    const records = registerSeparateLogs();
    log();
    expect(records[0]?.attributes).toEqual({ a: 1, 'event.name': 'temper.test' });
  });

  it('are not computed where they are not collected', () => {
    sdk = new InMemoryTelemetry({ logs: false });
    const body = (): string => {
      throw new Error('computed');
    };
    const event = { event: 'e', severity: 'INFO', body, attributes: {} } as const;
    expect(processLogger('x', '1')).toBeUndefined();
    telemetry.log(event);
    const records = registerSeparateLogs(() => false);
    telemetry.log(event);
    expect(records).toEqual([]);
  });

  it.each([
    ['is no function', 5],
    ['knows another version only', () => undefined],
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
  ])('are dropped where the registry of @opentelemetry/api-logs %s', (_, registry) => {
    sdk = new InMemoryTelemetry({ logs: false });
    root[LOGS_KEY] = registry;
    expect(log).not.toThrow();
  });
});

describe('the schema URL of the semantic conventions', () => {
  it('is that of the scope of metrics, spans and log records, and selects metrics in views', async () => {
    sdk = new InMemoryTelemetry();
    telemetry.counter(CALLS, 'p', { test: 'schema' }).value = 1;
    telemetry.span('one', {}).end();
    telemetry.log({ event: 'one', severity: 'INFO', body: 'one', attributes: {} });
    const { resourceMetrics } = await sdk.collect();
    const meter = resourceMetrics.scopeMetrics.find(
      ({ scope }) => scope.name === telemetry.scope.name,
    );
    const producers = [{}, { views: [{ meterSchemaUrl: SCHEMA_URL, name: 'renamed' }] }].map(
      (options) => temperMetricProducer(options),
    );
    const [produced, renamed] = await Promise.all(
      producers.map(async (producer) => {
        const collected = await producer.collect();
        return collected.resourceMetrics.scopeMetrics.find(
          ({ scope }) => scope.name === telemetry.scope.name,
        );
      }),
    );
    const scopes = [
      meter?.scope,
      produced?.scope,
      sdk.spans[0]?.instrumentationScope,
      sdk.logs[0]?.instrumentationScope,
    ];
    expect(scopes.map((scope) => scope?.schemaUrl)).toEqual(scopes.map(() => SCHEMA_URL));
    expect(SCHEMA_URL).toMatch(/^https:\/\/opentelemetry\.io\/schemas\/1\.\d+\.0$/);
    expect(renamed?.metrics.map(({ descriptor }) => descriptor.name)).toContain('renamed');
    const other = temperMetricProducer({ views: [{ meterSchemaUrl: 'other', name: 'renamed' }] });
    const names = (await other.collect()).resourceMetrics.scopeMetrics.flatMap(({ metrics: all }) =>
      all.map(({ descriptor }) => descriptor.name),
    );
    expect(names).not.toContain('renamed');
  });
});
