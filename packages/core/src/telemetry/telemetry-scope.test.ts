import { metrics } from '@opentelemetry/api';
import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshHub } from '../../test/fresh-hub.ts';
import type { MetricDefinition } from './definitions.ts';
import { byOutcome, Instrumentation } from './instrumentation.ts';
import { type TelemetryScopeOptions, telemetryScope } from './telemetry-scope.ts';
import type { TelemetryScope } from './within.ts';

const CALLS: MetricDefinition = {
  name: 'scope.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls.',
  attributes: [],
};
const DURATION: MetricDefinition = { ...CALLS, name: 'scope.duration', instrument: 'histogram' };
const LEVEL: MetricDefinition = { ...CALLS, name: 'scope.level', instrument: 'updowncounter' };
const OUTCOMES = byOutcome(['success']);

let made = 0;
const newPackage = (): Instrumentation =>
  new Instrumentation({
    name: `@test/scope-${++made}`,
    version: '1.2.3',
    metrics: [CALLS, DURATION, LEVEL],
  });

class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }

  async points(scope: string, metric: string): Promise<[attributes: object, value: unknown][]> {
    const { resourceMetrics } = await this.collect();
    return resourceMetrics.scopeMetrics
      .filter((one) => one.scope.name === scope)
      .flatMap((one) => one.metrics.filter(({ descriptor }) => descriptor.name === metric))
      .flatMap(
        (one) => one.dataPoints.map(({ attributes, value }) => [attributes, value]) as never,
      );
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** A provider that nobody registers, and its reader. */
function own() {
  const reader = new Reader();
  return { reader, meterProvider: new MeterProvider({ readers: [reader] }) };
}

class Policy {
  readonly name: string;
  readonly level: number = 4;
  readonly telemetry: Instrumentation;
  readonly counts: Record<'success', number>;
  readonly levels: Disposable;

  constructor(telemetry: Instrumentation, name: string) {
    this.name = name;
    this.telemetry = telemetry;
    this.counts = telemetry.counts(this, CALLS, OUTCOMES);
    this.levels = telemetry.observe(this, (one, emit) =>
      emit(LEVEL, { 'temper.policy.name': one.name }, one.level),
    );
  }

  call(seconds: number): void {
    this.counts.success++;
    this.telemetry.histogram(DURATION, this.name).record(seconds);
  }
}

let global: InMemoryTelemetry | undefined;
beforeEach(freshHub);
afterEach(async () => {
  await global?.close();
  global = undefined;
  metrics.disable();
});

describe('a scope with a meterProvider', () => {
  it('sends counters, histograms and levels of its policies there, and only there', async () => {
    global = new InMemoryTelemetry();
    const { reader, meterProvider } = own();
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    const inside = new Policy(telemetry.of(telemetryScope({ meterProvider })), 'inside');
    const outside = new Policy(telemetry, 'outside');
    inside.call(1);
    outside.call(2);
    outside.call(2);
    const where = { 'temper.policy.name': 'inside' };
    const success = { ...where, 'temper.outcome': 'success' };
    expect(await reader.points(name, CALLS.name)).toEqual([[success, 1]]);
    expect(await reader.points(name, DURATION.name)).toMatchObject([[where, { count: 1 }]]);
    expect(await reader.points(name, LEVEL.name)).toEqual([[where, 4]]);
    for (const metric of [CALLS, DURATION, LEVEL]) {
      const points = await global.points(metric.name);
      expect(points.map(({ attributes }) => attributes['temper.policy.name'])).toEqual(['outside']);
    }
    expect(inside.telemetry.live).toMatchObject({ metrics: true });
  });

  it('needs no registered provider', async () => {
    const { reader, meterProvider } = own();
    const telemetry = newPackage();
    const policy = new Policy(telemetry.of(telemetryScope({ meterProvider })), 'p');
    policy.call(1);
    expect(await reader.points(telemetry.scope.name, CALLS.name)).toMatchObject([[{}, 1]]);
    policy.levels[Symbol.dispose]();
    policy.call(1);
    expect(await reader.points(telemetry.scope.name, CALLS.name)).toMatchObject([[{}, 2]]);
  });

  it('has the buckets that it asks for', async () => {
    const { reader, meterProvider } = own();
    const bucketBoundaries = { [DURATION.name]: [0.00001, 0.00002] };
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    const scope = telemetryScope({ meterProvider, bucketBoundaries });
    new Policy(telemetry.of(scope), 'p').call(0.000015);
    const [[, value] = []] = await reader.points(name, DURATION.name);
    expect(value).toMatchObject({
      buckets: { boundaries: [0.00001, 0.00002], counts: [0, 1, 0] },
    });
  });
});

describe('metricAttributes', () => {
  it('are on every series, and tell policies of one name apart', async () => {
    global = new InMemoryTelemetry();
    const telemetry = newPackage();
    for (const [tenant, n] of [
      ['acme', 1],
      ['umbrella', 2],
    ] as const) {
      // Other tests of this process may have used up the sets that it has by default.
      const metricAttributes = { tenant, region: 'eu' };
      const scope = telemetryScope({ metricAttributes, maxAttributeSets: 1_000 });
      const policy = new Policy(telemetry.of(scope), 'p');
      for (let i = 0; i < n; i++) policy.call(1);
    }
    const where = { 'temper.policy.name': 'p', region: 'eu' };
    for (const [tenant, n] of [
      ['acme', 1],
      ['umbrella', 2],
    ] as const) {
      expect(await global.value(CALLS.name, { ...where, tenant })).toBe(n);
      expect(await global.value(DURATION.name, { ...where, tenant })).toMatchObject({ count: n });
      expect(await global.value(LEVEL.name, { ...where, tenant })).toBe(4);
    }
  });

  it('are bounded in number: those beyond add up in the overflow', async () => {
    const { reader, meterProvider } = own();
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    const scopes: TelemetryScope[] = [];
    // One provider and one package: all scopes send to the same series.
    for (let i = 0; i < 300; i++) {
      scopes.push(telemetryScope({ metricAttributes: { tenant: `t${i}`, test: 'bounded' } }));
    }
    metrics.setGlobalMeterProvider(meterProvider);
    for (const scope of scopes) new Policy(telemetry.of(scope), 'p').call(1);
    const points = await reader.points(name, CALLS.name);
    expect(points.length).toBeLessThanOrEqual(101);
    expect(points.reduce((sum, [, n]) => sum + (n as number), 0)).toBe(300);
    const overflow = points.filter(([attributes]) => 'otel.metric.overflow' in attributes);
    expect(overflow).toMatchObject([[{ 'temper.policy.name': 'p' }, expect.any(Number)]]);
    expect(overflow[0]?.[1]).toBeGreaterThanOrEqual(200);
    // One that is in use is no further one.
    const again = telemetryScope({ metricAttributes: { tenant: 't0', test: 'bounded' } });
    expect(again.metricAttributes).toEqual({ tenant: 't0', test: 'bounded' });
    const more = { metricAttributes: { tenant: 'x', test: 'bounded' }, maxAttributeSets: 1_000 };
    expect(telemetryScope(more).metricAttributes).toEqual(more.metricAttributes);
    expect(scopes).toHaveLength(300);
  });
});

describe('telemetryScope', () => {
  const { meterProvider } = own();
  it.each<[options: object, message: string]>([
    [{ meterProvder: meterProvider }, 'meterProvder'],
    [{ meterProvider: {} }, 'meterProvider.getMeter'],
    [{ tracerProvider: { getMeter() {} } }, 'tracerProvider.getTracer'],
    [{ loggerProvider: null }, 'loggerProvider'],
    [{ metricAttributes: { 'temper.policy.name': 'x' } }, 'temper.policy.name'],
    [{ metricAttributes: { 'error.type': 'x' } }, 'error.type'],
    [{ metricAttributes: { tenant: {} } }, 'metricAttributes.tenant'],
    [{ metricAttributes: { tenant: 'x'.repeat(129) } }, '128 characters'],
    [{ metricAttributes: Object.fromEntries([...'abcdefghi'].map((a) => [a, 1])) }, '<= 8'],
    [{ maxAttributeSets: 0 }, 'maxAttributeSets'],
    [{ bucketBoundaries: { 'temper.retry.delay': [1] } }, 'needs a meterProvider'],
    [{ meterProvider, bucketBoundaries: { 'temper.retry.delay': [2, 1] } }, '> 2'],
    [{ meterProvider, bucketBoundaries: { 'temper.retry.delay': 1 } }, 'must be an array'],
  ])('refuses %j', (options, message) => {
    expect(() => telemetryScope(options as TelemetryScopeOptions)).toThrow(message);
  });
});
