import { SpanStatusCode } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SHUTDOWN_METRICS, SHUTDOWN_SPANS } from './semconv.ts';
import { shutdownOf } from './shutdown.ts';

let telemetry: InMemoryTelemetry;
let unique = 0;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

const silent = {
  exit: () => {},
  setExitCode: () => {},
  releaseChannel: () => {},
  handles: () => [],
  log: () => {},
};

function setUp(options = {}) {
  const clock = new ManualClock();
  // Series outlive their shutdowns, so every test uses its own name.
  const name = `shop${++unique}`;
  return {
    clock,
    name,
    shutdown: shutdownOf({ name, delayMs: 0, clock, ...options }, silent),
  };
}

describe('metrics', () => {
  it('counts handlers by outcome and records the duration of the shutdown in seconds', async () => {
    const { clock, name, shutdown } = setUp({
      delayMs: 2000,
      timeoutMs: 6000,
      flushTimeoutMs: 1000,
    });
    shutdown.register({ name: 'skipped', run: () => {} });
    shutdown.register({ name: 'hangs', timeoutMs: 3000, run: () => new Promise(() => {}) });
    shutdown.register({
      name: 'fails',
      phase: 'flush',
      run: () => Promise.reject(new Error('no')),
    });
    shutdown.register({ name: 'fine', phase: 'flush', run: () => {} });
    await clock.runUntil(shutdown.shutdown());
    const counts: Record<string, unknown> = {};
    for (const { attributes, value } of await telemetry.points('temper.shutdown.handlers', {
      'temper.policy.name': name,
    })) {
      counts[attributes['temper.outcome'] as string] = value;
    }
    expect(counts).toEqual({ completed: 1, failed: 1, timed_out: 1, skipped: 1 });
    expect(
      await telemetry.value('temper.shutdown.duration', {
        'temper.policy.name': name,
        'temper.outcome': 'timed_out',
      }),
    ).toMatchObject({ count: 1, sum: 5 });
  });

  it('reports work in flight from construction until disposal', async () => {
    const { name, shutdown } = setUp();
    const inFlight = () =>
      telemetry.value('temper.shutdown.in_flight', { 'temper.policy.name': name });
    expect(await inFlight()).toBe(0);
    const work = Promise.withResolvers<void>();
    shutdown.track(work.promise);
    expect(await inFlight()).toBe(1);
    work.resolve();
    await work.promise;
    expect(await inFlight()).toBe(0);
    shutdown[Symbol.dispose]();
    shutdown.track(new Promise(() => {}));
    expect(await inFlight()).toBe(0);
  });

  it('shows that it is in progress from its beginning to its end', async () => {
    const { name, shutdown } = setUp();
    const stopping = () =>
      telemetry.value('temper.shutdown.stopping', { 'temper.policy.name': name });
    expect(await stopping()).toBe(0);
    const work = Promise.withResolvers<void>();
    let during: unknown;
    shutdown.register(async () => {
      during = await stopping();
      work.resolve();
    });
    const done = shutdown.shutdown();
    await work.promise;
    await done;
    expect(during).toBe(1);
    expect(await stopping()).toBe(0);
  });

  it('records metrics with documented attributes only', async () => {
    const { shutdown } = setUp();
    shutdown.register(() => {});
    await shutdown.shutdown();
    const metrics = await telemetry.metrics();
    for (const definition of SHUTDOWN_METRICS) {
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
  it('creates a span tree of shutdown, phases and handlers with documented attributes only', async () => {
    const { clock, name, shutdown } = setUp({ delayMs: 10, auditLog: { close: () => {} } });
    shutdown.register({ name: 'db', run: () => {} });
    shutdown.register({ name: 'cache', run: () => Promise.reject(new Error('gone')) });
    await clock.runUntil(shutdown.shutdown());
    const { spans } = telemetry;
    const tree = spans.map((span) => {
      const parent = spans.find(
        (each) => each.spanContext().spanId === span.parentSpanContext?.spanId,
      );
      return [span.name, parent?.name, span.status.code];
    });
    const { UNSET, ERROR } = SpanStatusCode;
    expect(tree).toEqual([
      ['phase delay', 'shutdown', UNSET],
      ['handler cache', 'phase close', ERROR],
      ['handler db', 'phase close', UNSET],
      ['phase close', 'shutdown', ERROR],
      ['handler audit log', 'phase audit', UNSET],
      ['phase audit', 'shutdown', UNSET],
      ['shutdown', undefined, ERROR],
    ]);
    for (const span of spans) {
      const definition = SHUTDOWN_SPANS.find(
        (each) => each.name.split(' ')[0] === span.name.split(' ')[0],
      );
      const known = definition?.attributes.map((attribute) => attribute.name);
      expect(known).toEqual(expect.arrayContaining(Object.keys(span.attributes)));
      expect(span.attributes['temper.policy.name']).toBe(name);
    }
    expect(spans.at(-1)?.attributes).toMatchObject({
      'temper.shutdown.reason': 'call',
      'temper.outcome': 'failed',
      'error.type': 'failed',
    });
  });

  it('ends every span before telemetry is exported', async () => {
    let ended: string[] = [];
    let logged = 0;
    const { shutdown } = setUp({
      telemetry: {
        forceFlush: async () => {
          ended = telemetry.spans.map(({ name }) => name);
          logged = telemetry.logs.length;
        },
      },
    });
    shutdown.register({ name: 'db', run: () => {} });
    await shutdown.shutdown();
    expect(ended).toEqual(['handler db', 'phase close', 'shutdown']);
    expect(logged).toBe(1);
    expect(telemetry.spans).toHaveLength(3);
  });
});

describe('log record', () => {
  it('emits one log record with the report in the context of the shutdown span', async () => {
    const { name, shutdown } = setUp();
    await shutdown.shutdown('a deployment');
    const [record] = telemetry.logs;
    expect(record).toMatchObject({
      eventName: 'temper.shutdown.finished',
      severityText: 'INFO',
      body: `Shutdown '${name}' (a deployment) completed after 0 ms, exit code 0.`,
    });
    expect(record?.spanContext?.spanId).toBe(telemetry.spans.at(-1)?.spanContext().spanId);
  });
});
