import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  createAllowListAttributesProcessor,
  type DataPoint,
  MeterProvider,
  type MetricProducer,
  MetricReader,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshHub } from '../../test/fresh-hub.ts';
import type { Counts } from './counters.ts';
import type { MetricDefinition } from './definitions.ts';
import type { ErrorTypeCells } from './error-types.ts';
import { byOutcome, Instrumentation } from './instrumentation.ts';
import { temperMetricProducer } from './producer.ts';
import type { HistogramSeries } from './series.ts';

const CALLS: MetricDefinition = {
  name: 'end.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls.',
  attributes: [],
};
const ERRORS: MetricDefinition = { ...CALLS, name: 'end.errors' };
const DURATION: MetricDefinition = { ...CALLS, name: 'end.duration', instrument: 'histogram' };
const VARIANTS = byOutcome(['success', 'failure']);

let made = 0;
const newPackage = (): Instrumentation =>
  new Instrumentation({
    name: `@test/end-${++made}`,
    version: '1.0.0',
    metrics: [CALLS, ERRORS, DURATION],
  });

/** A policy: counts by outcome, errors by type, durations. */
class Policy {
  readonly name: string;
  readonly counts: Counts<'success' | 'failure'>;
  readonly #telemetry: Instrumentation;
  readonly #duration: HistogramSeries;
  readonly #errors: ErrorTypeCells;

  constructor(telemetry: Instrumentation, name: string) {
    this.name = name;
    this.#telemetry = telemetry;
    this.counts = telemetry.counts(this, CALLS, VARIANTS);
    this.#duration = telemetry.histogram(DURATION, name);
    this.#errors = telemetry.errorTypes(ERRORS, name);
  }

  call(n = 1): void {
    this.counts.success += n;
    for (let i = 0; i < n; i++) this.#duration.record(0.02);
  }

  fail(): void {
    this.counts.failure++;
    const error = Object.assign(new Error('x'), { code: 'E_FAILED' });
    this.#errors.of(error).value++;
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

  async read(scope: string, metric = CALLS.name): Promise<Map<string, DataPoint<unknown>>> {
    const { resourceMetrics } = await this.collect();
    return new Map(
      resourceMetrics.scopeMetrics
        .filter((one) => one.scope.name === scope)
        .flatMap((one) => one.metrics.filter(({ descriptor }) => descriptor.name === metric))
        .flatMap(({ dataPoints }): DataPoint<unknown>[] => dataPoints)
        .map((point) => [Object.values(point.attributes).join(' '), point]),
    );
  }

  async values(scope: string, metric?: string): Promise<Record<string, unknown>> {
    const points = await this.read(scope, metric);
    return Object.fromEntries([...points].map(([key, { value }]) => [key, value]));
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

type Temporality = 'cumulative' | 'delta';
const SDK = {
  cumulative: AggregationTemporality.CUMULATIVE,
  delta: AggregationTemporality.DELTA,
};

/** Registers a provider with a reader for each. */
function producing(temporalities: readonly Temporality[], views: ViewOptions[] = []): Reader[] {
  const readers = temporalities.map(
    (temporality) => new Reader(SDK[temporality], [temperMetricProducer({ temporality, views })]),
  );
  metrics.disable();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers }));
  return readers;
}

beforeEach(freshHub);
afterEach(() => metrics.disable());

describe('with the instruments of the SDK, a policy made again under its name', () => {
  it.each(['cumulative', 'delta'] as const)(
    'goes on from where the SDK stands, %s',
    async (temporality) => {
      const reader = new Reader(SDK[temporality], []);
      metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
      const telemetry = newPackage();
      const { name } = telemetry.scope;
      let total = 0;
      // More than are kept, so that the first ones are dropped.
      for (const round of [1, 2, 3]) {
        for (let i = 0; i < 1_300; i++) {
          const policy = new Policy(telemetry, `p${i}`);
          policy.call(round);
          total += round;
          policy.dispose();
        }
        const values = await reader.values(name);
        const sum = Object.values(values).reduce((all: number, n) => all + (n as number), 0);
        expect(sum).toBe(total);
        if (temporality === 'delta') total = 0;
        // One more that has nothing new, after which the oldest are dropped.
        await reader.values(name);
      }
    },
  );
});

describe('series of a disposed policy', () => {
  it('are exported once more by every reader, and then no longer', async () => {
    const [first, second] = producing(['cumulative', 'cumulative']) as [Reader, Reader];
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    const policy = new Policy(telemetry, 'gone');
    policy.call();
    policy.fail();
    const living = new Policy(telemetry, 'living');
    living.call(5);
    expect(await first.values(name)).toMatchObject({ 'gone success': 1, 'living success': 5 });
    policy.call(2);
    policy.dispose();
    policy.dispose();
    for (const _ of [1, 2]) {
      expect(await first.values(name)).toMatchObject({ 'gone success': 3, 'gone failure': 1 });
    }
    expect(await second.values(name)).toMatchObject({ 'gone success': 3, 'gone failure': 1 });
    for (const reader of [first, second]) {
      expect(await reader.values(name)).toEqual({ 'living success': 5, 'living failure': 0 });
      expect(await reader.values(name, ERRORS.name)).toEqual({});
      expect([...(await reader.read(name, DURATION.name)).keys()]).toEqual(['living']);
    }
  });

  it('stay while another policy of the name lives', async () => {
    const [reader] = producing(['cumulative']) as [Reader];
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    const [one, other] = [new Policy(telemetry, 'p'), new Policy(telemetry, 'p')];
    one.call();
    other.call();
    one.dispose();
    for (const _ of [1, 2, 3]) expect(await reader.values(name)).toMatchObject({ 'p success': 2 });
    other.dispose();
    await reader.values(name);
    expect(await reader.values(name)).toEqual({});
  });

  it('go on from where they stood with a policy of the same name', async () => {
    const [reader, delta] = producing(['cumulative', 'delta']) as [Reader, Reader];
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    for (let total = 1; total < 5; total++) {
      const policy = new Policy(telemetry, 'p');
      policy.call();
      policy.dispose();
      expect(await reader.values(name)).toMatchObject({ 'p success': total });
      expect((await reader.values(name, DURATION.name)).p).toMatchObject({ count: total });
      expect((await delta.values(name))['p success']).toBe(1);
      expect(await delta.values(name)).toEqual({});
      expect(await reader.values(name)).toEqual({});
    }
  });

  it('open again for what ends after the disposal, until it is exported', async () => {
    const [reader] = producing(['cumulative']) as [Reader];
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    const late = new Policy(telemetry, 'late');
    late.call();
    late.dispose();
    await reader.values(name);
    expect(await reader.values(name)).toEqual({});
    late.call();
    expect(await reader.values(name)).toMatchObject({ 'late success': 2 });
    expect(await reader.values(name)).toEqual({});
  });

  it('begin anew, with another start, once so many others have ended that they were dropped', async () => {
    const [reader, delta] = producing(['cumulative', 'delta']) as [Reader, Reader];
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    const collect = async (): Promise<void> => {
      await delta.values(name);
      await reader.values(name);
    };
    const first = new Policy(telemetry, 'p');
    first.call(7);
    for (let i = 0; i < 4; i++) first.fail();
    const [before] = [(await reader.read(name)).get('p success')];
    first.dispose();
    for (let i = 0; i < 1_500; i++) new Policy(telemetry, `other${i}`).dispose();
    await collect();
    await collect();
    first.call(2); // late, and into series that are gone
    first.fail();
    const again = new Policy(telemetry, 'p');
    again.call();
    const after = (await reader.read(name)).get('p success');
    expect(after?.value).toBe(3);
    expect((await delta.values(name))['p success']).toBe(3);
    expect((await reader.values(name, DURATION.name)).p).toMatchObject({ count: 3 });
    expect(await reader.values(name, ERRORS.name)).toMatchObject({ 'p E_FAILED': 1 });
    const ms = ([s, ns]: [number, number]): number => s * 1e3 + ns / 1e6;
    expect(ms(after?.startTime as [number, number])).toBeGreaterThanOrEqual(
      ms(before?.endTime as [number, number]),
    );
    expect(ms(after?.startTime as [number, number])).toBeLessThanOrEqual(
      ms(after?.endTime as [number, number]),
    );
  });

  it('of more policies than can be told apart between two collections add up in the overflow', async () => {
    metrics.disable();
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    for (let i = 0; i < 10_000; i++) {
      const policy = new Policy(telemetry, `p${i}`);
      policy.call();
      policy.fail();
      policy.dispose();
    }
    const [reader, other] = producing(['cumulative', 'cumulative']) as [Reader, Reader];
    const values = Object.entries(await reader.values(name));
    expect(values.length).toBeLessThan(5_000);
    expect(values.reduce((sum, [, n]) => sum + (n as number), 0)).toBe(20_000);
    expect(values.find(([key]) => key === 'true')?.[1]).toBeGreaterThan(10_000);
    const errors = Object.values(await other.values(name, ERRORS.name)) as number[];
    expect(errors.reduce((sum, n) => sum + n, 0)).toBe(10_000);
    expect(Object.keys(await reader.values(name))).toEqual(['true']);
  });

  it('do not lower a total that names no policy, nor one that other policies count in', async () => {
    const views = [
      {
        instrumentName: CALLS.name,
        attributesProcessors: [createAllowListAttributesProcessor(['temper.outcome'])],
      },
    ];
    const [reader, delta] = producing(['cumulative', 'delta'], views) as [Reader, Reader];
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    let total = 0;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 1_500; i++) {
        const policy = new Policy(telemetry, `p${i}`);
        policy.call();
        total++;
        policy.dispose();
      }
      for (const _ of [1, 2, 3])
        expect(await reader.values(name)).toMatchObject({ success: total });
      expect(await delta.values(name)).toMatchObject({ success: 1_500 });
      expect(await delta.values(name)).toEqual({});
    }
  });

  it('are dropped although a reader that was registered never collects', async () => {
    const [reader] = producing(['cumulative', 'cumulative']) as [Reader];
    const telemetry = newPackage();
    const { name } = telemetry.scope;
    new Policy(telemetry, 'p').dispose();
    for (let i = 0; i < 120; i++) await reader.values(name);
    expect(await reader.values(name)).toEqual({});
  });
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ make: fc.constantFrom('a', 'b', 'c', 'd') }) },
  { weight: 6, arbitrary: fc.record({ use: fc.nat(20), n: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ dispose: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ collect: fc.constantFrom(0, 1, 2) }) },
);

it('loses nothing of policies made, used, disposed of and collected in any order, and no total falls', async () => {
  const readers = producing(['cumulative', 'delta', 'delta']);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const telemetry = newPackage();
      const { name } = telemetry.scope;
      const policies: Policy[] = [];
      const counted = new Map<string, number>();
      const read = readers.map(() => new Map<string, number>());
      const collect = async (index: number): Promise<void> => {
        const values = await (readers[index] as Reader).values(name);
        const sums = read[index] as Map<string, number>;
        for (const [key, each] of Object.entries(values)) {
          const value = each as number;
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
