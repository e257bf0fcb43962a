// One figure of a scrape, in a process of its own: scopes live as long as their process, and every
// provider that is registered after them collects them too. Arguments: what, how, number of series.
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { temperMetricProducer } from '@temper/core';
import { Instrumentation, type MetricDefinition } from '@temper/core/policy';
import { Counter, Registry } from 'prom-client';
import { median } from '../statistics.ts';

/** Each with the series of a thousand policies, more or less, when there are 50 000. */
const METRICS = 50;

const definitions = Array.from(
  { length: METRICS },
  (_, index): MetricDefinition => ({
    name: `bench.metric${index}`,
    instrument: 'counter',
    unit: '{call}',
    description: 'Calls of this benchmark.',
    attributes: [],
  }),
);

interface Scraped {
  /** Gathers the values of all series. */
  readonly collect: () => Promise<unknown>;
  /** Answers a scrape: the text of all series. */
  readonly scrape: () => Promise<unknown>;
  /** Counts once in each series. */
  readonly count: () => void;
}

type Way = 'prom-client' | 'OpenTelemetry: counters' | 'temper' | 'temper, metric producer';

/** What both ways of OpenTelemetry and of Temper have in common. */
const scraping = (exporter: PrometheusExporter): Omit<Scraped, 'count'> => ({
  collect: () => exporter.collect(),
  scrape: () =>
    new Promise<void>((resolve) => {
      exporter.getMetricsRequestHandler({} as never, { setHeader() {}, end: resolve } as never);
    }),
});

/** The labels of each series of a metric, with the separator that the system wants in names. */
const labelsOf = (series: number, separator: string): Record<string, string>[] =>
  Array.from({ length: series / METRICS }, (_, policy) => ({
    [`temper${separator}policy${separator}name`]: `policy-${policy}`,
    [`temper${separator}outcome`]: 'success',
  }));

function setUpPromClient(series: number): Scraped {
  const registry = new Registry();
  const labels = labelsOf(series, '_');
  const counters = definitions.map(
    ({ name, description }) =>
      new Counter({
        name: `${name.replaceAll('.', '_')}_total`,
        help: description,
        labelNames: Object.keys(labels[0] ?? {}),
        registers: [registry],
      }),
  );
  return {
    collect: () => registry.getMetricsAsJSON(),
    scrape: () => registry.metrics(),
    count: () => {
      for (const each of labels) for (const counter of counters) counter.inc(each);
    },
  };
}

/** A registered provider with this number of series. */
function setUp(way: Way, series: number): Scraped {
  if (way === 'prom-client') return setUpPromClient(series);
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    metricProducers: way === 'temper, metric producer' ? [temperMetricProducer()] : [],
  });
  // Beyond the default limit the SDK would have fewer series to export.
  const views = [{ instrumentName: '*', aggregationCardinalityLimit: 2 * series }];
  const provider = new MeterProvider({ readers: [exporter], views });
  metrics.setGlobalMeterProvider(provider);
  const attributes = labelsOf(series, '.');
  if (way === 'OpenTelemetry: counters') {
    const meter = provider.getMeter('bench');
    const counters = definitions.map(({ name, unit }) => meter.createCounter(name, { unit }));
    return {
      ...scraping(exporter),
      count: () => {
        for (const each of attributes) for (const counter of counters) counter.add(1, each);
      },
    };
  }
  const { scope } = new Instrumentation({
    name: '@temper/bench',
    version: '0',
    metrics: definitions,
  });
  const cells = attributes.flatMap((each) =>
    definitions.map((definition) => scope.counter(definition, each)),
  );
  return {
    ...scraping(exporter),
    count: () => {
      for (const cell of cells) cell.value++;
    },
  };
}

/** Median time until a scrape is answered, or collected, in milliseconds. Every series has changed. */
async function time(way: Way, series: number, what: 'scrape' | 'collect'): Promise<number> {
  const { [what]: answer, count } = setUp(way, series);
  const took: number[] = [];
  for (let i = 0; i < 10 + 100_000 / series; i++) {
    count();
    const start = performance.now();
    await answer();
    took.push(performance.now() - start);
  }
  return median(took);
}

/** Heap that a series takes after a scrape, in bytes. */
async function bytes(way: Way, series: number): Promise<number> {
  const collectGarbage = globalThis.gc as () => void;
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const { collect, count } = setUp(way, series);
  count();
  await collect();
  collectGarbage();
  const after = process.memoryUsage().heapUsed;
  count(); // so that it is reachable until here
  return (after - before) / series;
}

const [what, way, series] = process.argv.slice(2) as [string, Way, string];
const measured =
  what === 'bytes'
    ? await bytes(way, Number(series))
    : await time(way, Number(series), what as 'scrape' | 'collect');
console.log(measured);
