import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  MeterProvider,
  type MetricProducer,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import type { Counts } from './counters.ts';
import type { MetricDefinition } from './definitions.ts';
import { byOutcome, Instrumentation } from './instrumentation.ts';
import { temperMetricProducer } from './producer.ts';

const CALLS: MetricDefinition = {
  name: 'end.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls.',
  attributes: [],
};
const VARIANTS = byOutcome(['success', 'failure']);

let made = 0;
const newPackage = (): Instrumentation =>
  new Instrumentation({
    name: `@test/any-${++made}`,
    version: '1.0.0',
    metrics: [CALLS],
  });

class Policy {
  readonly name: string;
  readonly counts: Counts<'success' | 'failure'>;
  readonly #telemetry: Instrumentation;

  constructor(telemetry: Instrumentation, name: string) {
    this.name = name;
    this.#telemetry = telemetry;
    this.counts = telemetry.counts(this, CALLS, VARIANTS);
  }

  dispose(): void {
    this.#telemetry.release(this);
  }
}

class Reader extends MetricReader {
  constructor(temporality: AggregationTemporality, producers: readonly MetricProducer[]) {
    super({
      aggregationTemporalitySelector: () => temporality,
      metricProducers: [...producers],
    });
  }

  async values(scope: string): Promise<[series: string, value: number][]> {
    const { resourceMetrics } = await this.collect();
    return resourceMetrics.scopeMetrics
      .filter((one) => one.scope.name === scope)
      .flatMap((one) => one.metrics)
      .flatMap(({ dataPoints }): DataPoint<unknown>[] => dataPoints)
      .map(({ attributes, value }) => [Object.values(attributes).join(' '), value as number]);
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

type Temporality = 'cumulative' | 'delta';

/** Registers a provider with a reader for each. */
function producing(temporalities: readonly Temporality[]): Reader[] {
  const readers = temporalities.map((temporality) => {
    const { CUMULATIVE, DELTA } = AggregationTemporality;
    const sdk = temporality === 'delta' ? DELTA : CUMULATIVE;
    return new Reader(sdk, [temperMetricProducer({ temporality })]);
  });
  metrics.disable();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers }));
  return readers;
}

afterEach(() => metrics.disable());

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ make: fc.constantFrom('a', 'b', 'c', 'd') }) },
  { weight: 6, arbitrary: fc.record({ use: fc.nat(20), n: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ dispose: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ collect: fc.constantFrom(0, 1, 2) }) },
);

it('loses nothing of policies made, used, disposed of and collected in any order, and no total falls', async () => {
  const readers = producing(['cumulative', 'delta', 'delta']);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { size: 'max', maxLength: 80 }), async (steps) => {
      const telemetry = newPackage();
      const { name } = telemetry.scope;
      const policies: Policy[] = [];
      const counted = new Map<string, number>();
      const read = readers.map(() => new Map<string, number>());
      const collect = async (index: number): Promise<void> => {
        const values = await (readers[index] as Reader).values(name);
        const sums = read[index] as Map<string, number>;
        for (const [key, value] of values) {
          const before = sums.get(key) ?? 0;
          expect(value).toBeGreaterThanOrEqual(index === 0 ? before : 0);
          sums.set(key, index === 0 ? value : before + value);
        }
      };
      for (const each of steps) {
        if ('make' in each) policies.push(new Policy(telemetry, each.make));
        else if ('collect' in each) await collect(each.collect);
        else {
          const index = 'use' in each ? each.use : each.dispose;
          const policy = policies[index % Math.max(1, policies.length)];
          if (policy === undefined) continue;
          if ('dispose' in each) {
            policy.dispose();
            continue;
          }
          policy.counts.success += each.n;
          const key = `${policy.name} success`;
          counted.set(key, (counted.get(key) ?? 0) + each.n);
        }
      }
      for (const index of [0, 1, 2]) await collect(index);
      for (const sums of read) {
        for (const [key, n] of counted) expect(sums.get(key), key).toBe(n);
      }
    }),
    { numRuns: 40 },
  );
});
