import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import {
  type DataPoint,
  MeterProvider,
  type MetricProducer,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshHub } from '../../test/fresh-hub.ts';
import { DURATION_BOUNDARIES, type MetricDefinition } from './definitions.ts';
import { Instrumentation } from './instrumentation.ts';
import { temperMetricProducer } from './producer.ts';
import type { InstrumentationScope } from './scope.ts';
import { seriesKey } from './series.ts';

const DURATION: MetricDefinition = {
  name: 'test.call.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Time of a call.',
  attributes: [],
};
const CALLS: MetricDefinition = { ...DURATION, name: 'test.calls', instrument: 'counter' };

let scope: InstrumentationScope;
beforeEach(() => {
  freshHub();
  const metrics = [DURATION, CALLS];
  ({ scope } = new Instrumentation({ name: '@test/package', version: '1.2.3', metrics }));
});

let telemetry: InMemoryTelemetry | undefined;
afterEach(async () => {
  await telemetry?.close();
  telemetry = undefined;
});

describe('temperMetricProducer', () => {
  it('has the type of the MetricProducer of the SDK', () => {
    const producer: MetricProducer = temperMetricProducer();
    expect(producer.collect).toBeTypeOf('function');
  });

  it('adds each histogram once to the collection of its reader', async () => {
    telemetry = new InMemoryTelemetry({ metricProducers: [temperMetricProducer()] });
    const where = { test: 'once' };
    scope.histogram(DURATION, where).record(0.03);
    scope.histogram(DURATION, { test: 'never recorded' });
    const { resourceMetrics } = await telemetry.collect();
    const found = resourceMetrics.scopeMetrics
      .filter((one) => one.scope.name === '@test/package')
      .flatMap((one) => one.metrics)
      .filter((metric) => metric.descriptor.name === 'test.call.duration');
    expect(found).toHaveLength(1);
    expect(found[0]?.descriptor).toMatchObject({ unit: 's', description: 'Time of a call.' });
    expect(found[0]?.dataPoints.map((point) => point.attributes)).toEqual([where]);
  });

  it('keeps what is recorded before a provider is registered', async () => {
    temperMetricProducer();
    const where = { test: 'early' };
    scope.histogram(DURATION, where).record(0.3);
    telemetry = new InMemoryTelemetry({ metricProducers: [temperMetricProducer()] });
    expect(await telemetry.value('test.call.duration', where)).toMatchObject({ count: 1 });
  });

  it('is served by a Prometheus exporter beside the counters', async () => {
    const exporter = new PrometheusExporter({
      host: '127.0.0.1',
      port: 0,
      preventServerStart: true,
      metricProducers: [temperMetricProducer()],
    });
    const provider = new MeterProvider({ readers: [exporter] });
    metrics.disable();
    metrics.setGlobalMeterProvider(provider);
    const where = { test: 'prometheus' };
    scope.counter(CALLS, where).value = 2;
    for (const seconds of [0.0005, 0.2, 30]) scope.histogram(DURATION, where).record(seconds);
    const text = await scrape(exporter);
    const lines = text.split('\n').filter((line) => line.includes('test="prometheus"'));
    expect(lines).toContainEqual(expect.stringMatching(/^test_calls_total\{.*\} 2$/));
    const bucket = (le: string): string | undefined =>
      lines.find((line) => line.includes(`le="${le}"`))?.replace(/^.*\} /, '');
    expect(bucket('0.001')).toBe('1');
    expect(bucket('0.1')).toBe('1');
    expect(bucket('0.25')).toBe('2');
    expect(bucket('10')).toBe('2');
    expect(bucket('+Inf')).toBe('3');
    expect(lines).toContainEqual(expect.stringMatching(/^test_call_duration_count\{.*\} 3$/));
    expect(text.match(/# TYPE test_call_duration histogram/g)).toHaveLength(1);
    metrics.disable();
    await provider.shutdown();
  });

  it('counts any value as the histogram of the SDK does', async () => {
    const producer: MetricProducer = temperMetricProducer();
    telemetry = new InMemoryTelemetry();
    const edges = fc.constantFrom(...DURATION_BOUNDARIES, 0, -1, Number.NaN, 1e9);
    const seconds = fc
      .oneof(edges, fc.double({ min: 0, max: 20, noNaN: true }), fc.double())
      .map((value) => (value === 0 ? 0 : value)); // no duration is -0
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(seconds, { maxLength: 40 }), async (values) => {
        const where = { run: ++run };
        const reader = new Reader();
        const histogram = new MeterProvider({ readers: [reader] })
          .getMeter('theirs')
          .createHistogram('theirs', {
            advice: { explicitBucketBoundaries: [...DURATION_BOUNDARIES] },
          });
        const ours = scope.histogram(DURATION, where);
        for (const value of values) {
          histogram.record(value);
          ours.record(value);
        }
        const theirs = (await reader.collect()).resourceMetrics.scopeMetrics[0]?.metrics[0];
        const collected = await producer.collect();
        const point = collected.resourceMetrics.scopeMetrics
          .flatMap((one) =>
            one.metrics.flatMap((metric): DataPoint<unknown>[] => metric.dataPoints),
          )
          .find(({ attributes }) => attributes.run === where.run);
        const expected = theirs?.dataPoints[0]?.value as { count: number } | undefined;
        // After nothing but NaN the SDK has an empty point; we leave the series out.
        expect(point?.value).toEqual(expected?.count === 0 ? undefined : expected);
      }),
      { numRuns: 100 },
    );
  });
});

describe('seriesKey', () => {
  it('is equal for equal attributes in any order, and for no others', () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const attributes = fc.dictionary(fc.string(), value, { maxKeys: 5 });
    fc.assert(
      fc.property(attributes, attributes, (first, second) => {
        const shuffled = Object.fromEntries(Object.entries(first).reverse());
        expect(seriesKey(shuffled)).toBe(seriesKey(first));
        const equal =
          Object.keys(first).length === Object.keys(second).length &&
          Object.entries(first).every(([key, own]) => Object.is(second[key], own));
        expect(seriesKey(second) === seriesKey(first)).toBe(equal);
      }),
    );
  });
});

/** What a GET request to the endpoint of the exporter returns. */
function scrape(exporter: PrometheusExporter): Promise<string> {
  return new Promise((resolve) => {
    exporter.getMetricsRequestHandler(
      {} as never,
      {
        statusCode: 0,
        setHeader() {},
        end: (text: string) => resolve(text),
      } as never,
    );
  });
}

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
