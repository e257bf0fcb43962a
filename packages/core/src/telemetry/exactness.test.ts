import { diag, metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  AggregationType,
  createAllowListAttributesProcessor,
  createDenyListAttributesProcessor,
  type DataPoint,
  MeterProvider,
  type MetricProducer,
  MetricReader,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Attributes, MetricDefinition } from './definitions.ts';
import { Instrumentation } from './instrumentation.ts';
import { type MetricProducerOptions, temperMetricProducer } from './producer.ts';
import { joinAttributes } from './series.ts';

const CALLS: MetricDefinition = {
  name: 'exact.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls.',
  attributes: [],
};
const RUNNING: MetricDefinition = { ...CALLS, name: 'exact.running', instrument: 'updowncounter' };
const DURATION: MetricDefinition = {
  ...CALLS,
  name: 'exact.duration',
  instrument: 'histogram',
  unit: 's',
};
const STATE: MetricDefinition = {
  ...CALLS,
  name: 'exact.state',
  instrument: 'gauge',
  states: { attribute: 'state', worstFirst: ['open', 'half-open', 'closed'] },
};
const AVAILABLE: MetricDefinition = {
  ...CALLS,
  name: 'exact.available',
  instrument: 'gauge',
  merge: 'min',
};
const METRICS = [CALLS, RUNNING, DURATION, STATE, AVAILABLE];

let made = 0;
const newPackage = (): Instrumentation =>
  new Instrumentation({ name: `@test/exact-${++made}`, version: '1.0.0', metrics: METRICS });

class Reader extends MetricReader {
  constructor(temporality: AggregationTemporality, producers: readonly MetricProducer[]) {
    super({
      aggregationTemporalitySelector: () => temporality,
      metricProducers: [...producers],
    });
  }

  /** Points of a metric of one package, by their attributes. */
  async points(scope: string, metric: string): Promise<Map<string, DataPoint<unknown>['value']>> {
    const { resourceMetrics } = await this.collect();
    return new Map(
      resourceMetrics.scopeMetrics
        .filter((one) => one.scope.name === scope)
        .flatMap((one) => one.metrics.filter(({ descriptor }) => descriptor.name === metric))
        .flatMap(({ dataPoints }): DataPoint<unknown>[] => dataPoints)
        .map(({ attributes, value }) => [text(attributes), value]),
    );
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const text = (attributes: object): string =>
  Object.entries(attributes)
    .sort()
    .map((pair) => pair.join('='))
    .join();

/** Without and with a producer: the exported numbers are the same. */
const WAYS = ['instruments', 'producer'] as const;

function readerOf(
  way: (typeof WAYS)[number],
  temporality: 'cumulative' | 'delta',
  views: ViewOptions[] = [],
  options: MetricProducerOptions = {},
): { reader: Reader; views: ViewOptions[] } {
  const sdk =
    temporality === 'delta' ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
  const producers =
    way === 'producer' ? [temperMetricProducer({ temporality, views, ...options })] : [];
  return { reader: new Reader(sdk, producers), views };
}

function register(reader: Reader, views: ViewOptions[]): void {
  metrics.disable();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader], views }));
}

afterEach(() => metrics.disable());

interface Views {
  readonly title: string;
  readonly views: ViewOptions[];
  /** Name of the exported metric; `undefined` when it is dropped. */
  readonly exported: (name: string) => string | undefined;
  readonly remaining: (attributes: Attributes) => Attributes;
}

const VIEWS: readonly Views[] = [
  { title: 'no view', views: [], exported: (name) => name, remaining: (all) => all },
  {
    title: 'a view that keeps one attribute',
    views: [
      {
        instrumentName: 'exact.*',
        attributesProcessors: [createAllowListAttributesProcessor(['policy'])],
      },
    ],
    exported: (name) => name,
    remaining: ({ policy }) => ({ policy: policy as string }),
  },
  {
    title: 'a view that drops all attributes',
    views: [
      {
        instrumentName: '*',
        attributesProcessors: [createDenyListAttributesProcessor(['policy', 'outcome'])],
      },
    ],
    exported: (name) => name,
    remaining: () => ({}),
  },
  {
    title: 'views that rename',
    views: METRICS.map(({ name }) => ({ instrumentName: name, name: `my.${name}` })),
    exported: (name) => `my.${name}`,
    remaining: (all) => all,
  },
  {
    title: 'a view that drops the metric',
    views: [{ instrumentName: 'exact.*', aggregation: { type: AggregationType.DROP } }],
    exported: () => undefined,
    remaining: (all) => all,
  },
];

/** What a workload does: adds to a series, or collects. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      policy: fc.constantFrom('a', 'b', 'c'),
      outcome: fc.constantFrom('success', 'failure'),
      n: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant('collect' as const) },
);

// The instruments first: a producer, once made, reads all packages of the process.
describe.each(WAYS)('metrics read by %s', (way) => {
  for (const temporality of ['cumulative', 'delta'] as const) {
    it.each(VIEWS)(`are what was counted, ${temporality}, with $title`, async (given) => {
      const { reader } = readerOf(way, temporality, given.views);
      register(reader, given.views);
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const instrumentation = newPackage();
          const { scope } = instrumentation;
          const counted = new Map<string, number>();
          const exported = given.exported(CALLS.name);
          const expectExported = async (): Promise<void> => {
            const points = await reader.points(scope.name, exported ?? CALLS.name);
            if (exported === undefined) expect(points).toEqual(new Map());
            else {
              for (const [key, n] of counted) expect(points.get(key) ?? 0, key).toBe(n);
              expect(points.size).toBeLessThanOrEqual(counted.size);
            }
            if (temporality === 'delta') counted.clear();
          };
          for (const each of steps) {
            if (each === 'collect') {
              await expectExported();
              continue;
            }
            const { policy, outcome, n } = each;
            scope.counter(CALLS, { policy, outcome }).value += n;
            const key = text(given.remaining({ policy, outcome }));
            counted.set(key, (counted.get(key) ?? 0) + n);
          }
          await expectExported();
        }),
        { numRuns: 12 },
      );
    });

    it(`lose nothing beyond the limit of series, ${temporality}`, async () => {
      const views = [{ instrumentName: 'exact.*', aggregationCardinalityLimit: 10 }];
      const { reader } = readerOf(way, temporality, views);
      register(reader, views);
      const { scope } = newPackage();
      let total = 0;
      const add = (): void => {
        for (let i = 0; i < 40; i++) {
          scope.counter(CALLS, { policy: `p${i}` }).value += i + 1;
          total += i + 1;
        }
      };
      const sum = async (): Promise<[number, boolean, number]> => {
        const points = await reader.points(scope.name, CALLS.name);
        return [
          [...points.values()].reduce((all: number, value) => all + (value as number), 0),
          points.has('otel.metric.overflow=true'),
          points.size,
        ];
      };
      add();
      expect(await sum()).toEqual([total, true, 10]);
      if (temporality === 'delta') total = 0;
      add();
      expect(await sum()).toEqual([total, true, 10]);
    });
  }

  it('add up the levels of what runs, under a view that drops what tells them apart', async () => {
    const views = [
      {
        instrumentName: RUNNING.name,
        attributesProcessors: [createAllowListAttributesProcessor([])],
      },
    ];
    const { reader } = readerOf(way, 'cumulative', views);
    register(reader, views);
    const instrumentation = newPackage();
    const { scope } = instrumentation;
    const owners = [1, 2, 4].map((running, i) => ({ running, attributes: { policy: `p${i}` } }));
    const watched = owners.map((owner) =>
      scope.observe(owner, (one, emit) => emit(RUNNING, one.attributes, one.running)),
    );
    const total = async () => (await reader.points(scope.name, RUNNING.name)).get('');
    expect(await total()).toBe(7);
    (owners[0] as { running: number }).running = 10;
    expect(await total()).toBe(16);
    expect(await total()).toBe(16);
    watched[1]?.[Symbol.dispose]();
    expect(await total()).toBe(14);
  });

  it('say the worst of the states that policies of one name are in, and the least that is available', async () => {
    const { reader } = readerOf(way, 'cumulative');
    register(reader, []);
    const { scope } = newPackage();
    const circuits = ['closed', 'open', 'half-open', 'closed'].map((state, i) => ({ state, i }));
    const watched = circuits.map((circuit) =>
      scope.observe(circuit, ({ state, i }, emit) => {
        const policy = i < 3 ? { policy: 'one' } : { policy: 'other' };
        for (const each of ['closed', 'open', 'half-open']) {
          emit(STATE, joinAttributes(policy, STATES[each] as Attributes), each === state ? 1 : 0);
        }
        emit(AVAILABLE, policy, 10 - i);
      }),
    );
    expect(Object.fromEntries(await reader.points(scope.name, STATE.name))).toEqual({
      'policy=one,state=closed': 0,
      'policy=one,state=open': 1,
      'policy=one,state=half-open': 0,
      'policy=other,state=closed': 1,
      'policy=other,state=open': 0,
      'policy=other,state=half-open': 0,
    });
    expect(Object.fromEntries(await reader.points(scope.name, AVAILABLE.name))).toEqual({
      'policy=one': 8,
      'policy=other': 7,
    });
    watched[1]?.[Symbol.dispose]();
    expect((await reader.points(scope.name, STATE.name)).get('policy=one,state=half-open')).toBe(1);
    expect((await reader.points(scope.name, STATE.name)).get('policy=one,state=open')).toBe(0);
  });
});

const STATES: Record<string, Attributes> = {
  closed: { state: 'closed' },
  open: { state: 'open' },
  'half-open': { state: 'half-open' },
};

describe('many series', () => {
  it('are warned of once before the limit of the SDK, unless a producer reads them', async () => {
    const warnings: string[] = [];
    const quiet = (): void => {};
    const logger = { error: quiet, info: quiet, debug: quiet, verbose: quiet };
    diag.setLogger({ ...logger, warn: (message) => void warnings.push(message) });
    for (const way of WAYS) {
      const { reader } = readerOf(way, 'cumulative');
      register(reader, []);
      const { scope } = newPackage();
      for (let i = 0; i < 1_499; i++) scope.counter(CALLS, { policy: `p${i}` });
      await reader.points(scope.name, CALLS.name);
      expect(warnings.filter((one) => one.includes(scope.name))).toEqual([]);
      for (let i = 0; i < 3_000; i++) scope.counter(CALLS, { policy: `p${i}` }).value = 1;
      const points = await reader.points(scope.name, CALLS.name);
      await reader.points(scope.name, CALLS.name);
      const total = [...points.values()].reduce((sum: number, n) => sum + (n as number), 0);
      expect(total).toBe(3_000);
      expect(warnings.filter((one) => one.includes(scope.name))).toEqual(
        way === 'producer' ? [] : [expect.stringContaining('exact.calls has 3000 series')],
      );
      expect(points.size).toBe(way === 'producer' ? 3_000 : 2_000);
    }
    diag.disable();
  });
});

describe('a producer', () => {
  it.each(['cumulative', 'delta'] as const)(
    'adds up histograms as the SDK does, explicit and exponential, filtered, %s',
    async (temporality) => {
      const attributesProcessors = [createAllowListAttributesProcessor(['policy'])];
      const shapes: Record<string, ViewOptions['aggregation']> = {
        default: { type: AggregationType.DEFAULT },
        explicit: {
          type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM,
          options: { boundaries: [0.00001, 0.0001, 1] },
        },
        'exponential 160': { type: AggregationType.EXPONENTIAL_HISTOGRAM },
        'exponential 5': {
          type: AggregationType.EXPONENTIAL_HISTOGRAM,
          options: { maxSize: 5 },
        },
      };
      for (const [title, aggregation] of Object.entries(shapes)) {
        const view = { aggregation, attributesProcessors } as ViewOptions;
        const views = [{ ...view, instrumentName: DURATION.name }];
        const { reader } = readerOf('producer', temporality, views);
        register(reader, []);
        const value = fc.oneof(
          fc.constantFrom(0, 1, 2, 0.5, 4, 1024, 1e-5, 5e-324, 2 ** -1022, 2 ** 40),
          fc.double({ min: 0, max: 1e6, noNaN: true }),
          fc.double({ min: 1e-6, max: 1e-3, noNaN: true }),
        );
        const record = fc.record({
          policy: fc.constantFrom('a', 'b'),
          outcome: fc.constantFrom('success', 'failure'),
          value,
        });
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.array(record, { maxLength: 60 }), { maxLength: 3 }),
            async (rounds) => {
              const { scope } = newPackage();
              const theirs = new Reader(
                temporality === 'delta'
                  ? AggregationTemporality.DELTA
                  : AggregationTemporality.CUMULATIVE,
                [],
              );
              const histogram = new MeterProvider({
                readers: [theirs],
                views: [{ ...view, instrumentName: 'theirs' }],
              })
                .getMeter('theirs')
                .createHistogram('theirs', {
                  advice: {
                    explicitBucketBoundaries: [
                      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
                    ],
                  },
                });
              let total = 0;
              for (const records of rounds) {
                for (const { value: seconds, ...attributes } of records) {
                  scope.histogram(DURATION, attributes).record(seconds);
                  histogram.record(seconds, attributes);
                  total += seconds;
                }
                const [ours, expected] = [
                  await reader.points(scope.name, DURATION.name),
                  await theirs.points('theirs', 'theirs'),
                ];
                for (const [key, point] of expected) {
                  same(ours.get(key), point, temporality, `${title} ${key}`, total);
                }
                for (const [key, point] of ours) {
                  expect(expected.has(key), `${key}: ${JSON.stringify(point)}`).toBe(true);
                }
              }
            },
          ),
          { numRuns: 20 },
        );
      }
    },
  );

  it('sends the scale of the SDK for a histogram of zeros', async () => {
    const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const;
    const { reader } = readerOf('producer', 'cumulative', [
      { instrumentName: DURATION.name, aggregation },
    ]);
    register(reader, []);
    const { scope } = newPackage();
    const scaleAfter = async (value: number): Promise<unknown> => {
      scope.histogram(DURATION, {}).record(value);
      return (await reader.points(scope.name, DURATION.name)).get('');
    };
    expect(await scaleAfter(0)).toMatchObject({ scale: 0, zeroCount: 1 });
    expect(await scaleAfter(1)).toMatchObject({ scale: 20, zeroCount: 1 });
  });

  it('takes the largest number there is', async () => {
    const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const;
    const { reader } = readerOf('producer', 'cumulative', [
      { instrumentName: DURATION.name, aggregation },
    ]);
    register(reader, []);
    const { scope } = newPackage();
    scope.histogram(DURATION, {}).record(Number.MAX_VALUE);
    scope.histogram(DURATION, {}).record(Number.POSITIVE_INFINITY);
    const point = (await reader.points(scope.name, DURATION.name)).get('');
    expect(point).toMatchObject({ count: 2, zeroCount: 0, positive: { bucketCounts: [2] } });
  });

  it('sums a histogram where a view asks for a sum', async () => {
    const views = [
      { instrumentName: DURATION.name, aggregation: { type: AggregationType.SUM } } as ViewOptions,
    ];
    const { reader } = readerOf('producer', 'cumulative', views);
    register(reader, []);
    const { scope } = newPackage();
    for (const seconds of [1, 2, 4]) scope.histogram(DURATION, { policy: 'a' }).record(seconds);
    expect(await reader.points(scope.name, DURATION.name)).toEqual(new Map([['policy=a', 7]]));
  });

  it('ends the series of a level with its last policy', async () => {
    const { reader } = readerOf('producer', 'cumulative');
    register(reader, []);
    const { scope } = newPackage();
    const owner = { attributes: { policy: 'gone' } };
    const watched = scope.observe(owner, (one, emit) => emit(RUNNING, one.attributes, 3));
    expect(await reader.points(scope.name, RUNNING.name)).toEqual(new Map([['policy=gone', 3]]));
    watched[Symbol.dispose]();
    expect(await reader.points(scope.name, RUNNING.name)).toEqual(new Map());
  });

  it('returns nothing after metrics.disable()', async () => {
    const { reader } = readerOf('producer', 'cumulative');
    register(reader, []);
    const { scope } = newPackage();
    scope.counter(CALLS, { policy: 'a' }).value++;
    expect((await reader.points(scope.name, CALLS.name)).size).toBe(1);
    metrics.disable();
    expect((await reader.points(scope.name, CALLS.name)).size).toBe(0);
  });

  it.each([
    [{ temporality: 'lowmemory' }, TypeError],
    [{ cardinalityLimit: 0 }, RangeError],
    [{ views: [{ name: 'everything' }] }, TypeError],
    [{ views: [null] }, TypeError],
    [{ veiws: [] }, TypeError],
  ])('refuses %j', (options, type) => {
    expect(() => temperMetricProducer(options as never)).toThrow(type);
  });
});

interface Histogram {
  readonly count: number;
  readonly sum: number;
  readonly min?: number;
  readonly max?: number;
  readonly buckets?: { readonly boundaries: number[]; readonly counts: number[] };
  readonly scale?: number;
  readonly zeroCount?: number;
  readonly positive?: { readonly offset: number; readonly bucketCounts: number[] };
}

function same(
  ours: unknown,
  theirs: unknown,
  temporality: string,
  message: string,
  total: number,
): void {
  const [own, other] = [ours, theirs] as Histogram[] as [Histogram, Histogram];
  expect(own?.count, message).toBe(other.count);
  // Additions in another order, and differences of sums.
  expect(Math.abs(own.sum - other.sum), message).toBeLessThanOrEqual(1e-12 * total);
  if (temporality === 'cumulative') {
    expect([own.min, own.max], message).toEqual([other.min, other.max]);
  }
  expect(own.buckets, message).toEqual(other.buckets);
  if (other.scale === undefined) return;
  expect(own.zeroCount, message).toBe(other.zeroCount);
  // A difference keeps the scale of the whole, which may be coarser.
  const scale = Math.min(own.scale as number, other.scale);
  expect(inScale(own, scale), message).toEqual(inScale(other, scale));
  if (temporality === 'cumulative') expect(own.scale, message).toBe(other.scale);
}

/** Counts by bucket at a coarser scale, empty ones left out. */
function inScale({ positive, scale = 0 }: Histogram, to: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [i, count] of positive?.bucketCounts.entries() ?? []) {
    const index = Math.floor((i + (positive?.offset ?? 0)) / 2 ** (scale - to));
    if (count > 0) counts.set(index, (counts.get(index) ?? 0) + count);
  }
  return counts;
}
