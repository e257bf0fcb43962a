import { Instrumentation, type MetricDefinition } from '@temper/core/policy';
import { registerPrometheus } from '../prometheus.ts';
import { median } from '../statistics.ts';
import type { Measure } from '../types.ts';

const group = 'one scrape of our counters, on the event loop';
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
const exporter = registerPrometheus();
const { scope } = new Instrumentation({
  name: '@temper/bench',
  version: '0',
  metrics: definitions,
});
let perMetric = 0;

/** Median time of a scrape with the given number of series, in milliseconds. */
async function scrape(series: number): Promise<number> {
  for (; perMetric < series / METRICS; perMetric++) {
    const attributes = { 'temper.policy.name': `policy-${perMetric}`, 'temper.outcome': 'success' };
    for (const definition of definitions) scope.counter(definition, attributes).value++;
  }
  const took: number[] = [];
  for (let i = 0; i < 10 + 100_000 / series; i++) {
    const start = performance.now();
    await new Promise<void>((resolve) => {
      exporter.getMetricsRequestHandler({} as never, { setHeader() {}, end: resolve } as never);
    });
    took.push(performance.now() - start);
  }
  return median(took);
}

export const scrapes: readonly Measure[] = [1_000, 10_000, 50_000].map((series) => ({
  group,
  name: `${series.toLocaleString('en').replaceAll(',', ' ')} series`,
  unit: 'ms',
  long: series > 1_000,
  measure: () => scrape(series),
}));
