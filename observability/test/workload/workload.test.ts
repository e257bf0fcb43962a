import { type MeterProvider as ApiProvider, metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { telemetryScope, temperMetricProducer } from '@temper/core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  COPIES,
  type Common,
  ENDINGS,
  type Member,
  type Series,
  SUBJECTS,
  type Subject,
  WORST_FIRST,
} from './policies.ts';

/** Readers of one provider, side by side. */
const TEMPORALITIES = ['cumulative', 'delta'] as const;
type Temporality = (typeof TEMPORALITIES)[number];
/** Whether the provider has the metric producer, or the instruments of the SDK. */
type Way = 'producer' | 'instruments';

class Reader extends MetricReader {
  /** What deltas have come to, by series. */
  readonly #sums = new Map<string, number>();

  constructor(temporality: Temporality, way: Way) {
    super({
      aggregationTemporalitySelector: () =>
        AggregationTemporality[temporality === 'delta' ? 'DELTA' : 'CUMULATIVE'],
      metricProducers: way === 'producer' ? [temperMetricProducer({ temporality })] : [],
    });
  }

  /** The number of each series: the sum of counters and of values of histograms, and the level of gauges. */
  async numbers(): Promise<ReadonlyMap<string, number>> {
    const { resourceMetrics, errors } = await this.collect();
    expect(errors).toEqual([]);
    const found = new Map<string, number>();
    for (const { metrics: all } of resourceMetrics.scopeMetrics) {
      for (const metric of all) {
        const add =
          metric.dataPointType !== DataPointType.GAUGE &&
          metric.aggregationTemporality === AggregationTemporality.DELTA;
        const into = add ? this.#sums : found;
        for (const { attributes, value } of metric.dataPoints as DataPoint<number | Histogram>[]) {
          const { 'temper.policy.name': policy, 'error.type': _, ...rest } = attributes;
          const key = keyOf(String(policy), [
            metric.descriptor.name,
            ...Object.keys(rest)
              .sort()
              .map((name) => String(rest[name])),
          ]);
          const number = typeof value === 'number' ? value : value.count;
          into.set(key, (into.get(key) ?? 0) + number);
        }
      }
    }
    return new Map([...this.#sums, ...found]);
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const keyOf = (policy: string, [metric, ...attributes]: Series): string =>
  [metric, policy, ...attributes].join(' ');
const metricOf = (key: string): string => key.split(' ', 1)[0] as string;

interface Provider {
  readonly provider: ApiProvider;
  readonly readers: readonly Reader[];
}

function newProvider(way: Way): Provider {
  const readers = TEMPORALITIES.map((temporality) => new Reader(temporality, way));
  return { provider: new MeterProvider({ readers }), readers };
}

/** Levels by series, of which the worst state is 1 and the rest is the sum. */
function levelsOf(members: Iterable<readonly [name: string, member: Member]>): Map<string, number> {
  const levels = new Map<string, number>();
  const worst = new Map<string, { readonly key: string; readonly rank: number }>();
  for (const [name, member] of members) {
    for (const { series, value } of member.levels?.() ?? []) {
      const key = keyOf(name, series);
      const states = WORST_FIRST[series[0]];
      if (states === undefined) {
        levels.set(key, (levels.get(key) ?? 0) + value);
        continue;
      }
      levels.set(key, 0);
      if (value !== 1) continue;
      const of = keyOf(name, series.slice(0, -1) as unknown as Series);
      const rank = states.indexOf(series.at(-1) as string);
      const other = worst.get(of);
      if (other === undefined || rank < other.rank) worst.set(of, { key, rank });
    }
  }
  for (const { key } of worst.values()) levels.set(key, 1);
  return levels;
}

/** What a workload does. */
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(...Object.keys(SUBJECTS)),
      copy: fc.nat({ max: COPIES.length - 1 }),
      ending: fc.constantFrom(...ENDINGS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('collect', 'swap', 'restart', 'end', 'disturb'),
  },
);

let runs = 0;

afterEach(() => metrics.disable());

describe.each<Way>(['instruments', 'producer'])(
  'of a random workload over all policies, %s',
  (way) => {
    it('every exported number is that of an independent count', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 120 }), async (steps) => {
          const run = ++runs;
          const counted = new Map<string, number>();
          const members = new Map<string, { readonly name: string; readonly member: Member }>();
          let { provider, readers } = newProvider(way);
          metrics.disable();
          metrics.setGlobalMeterProvider(provider as ApiProvider);
          const spare = newProvider(way);

          /** Series whose members have ended, and those of them that were exported since. */
          const ended = new Set<string>();
          const over = new Set<string>();
          const count = (name: string, series: readonly Series[]): void => {
            for (const each of series) {
              const key = keyOf(name, each);
              counted.set(key, (counted.get(key) ?? 0) + 1);
              // It goes on from where the last policy of its name has ended.
              ended.delete(key);
              over.delete(key);
            }
          };
          const end = async (): Promise<void> => {
            for (const { member } of members.values()) await member.end();
            members.clear();
          };

          const expectExported = async (): Promise<void> => {
            const levels = levelsOf(
              [...members.values()].map(({ name, member }) => [name, member]),
            );
            for (const [index, reader] of readers.entries()) {
              const numbers = await reader.numbers();
              const which = TEMPORALITIES[index];
              for (const [key, n] of counted) {
                // A series that was exported after the end of its policy need not be exported again.
                if (over.has(key) && !numbers.has(key)) continue;
                expect(numbers.get(key) ?? 0, `${which} ${key}`).toBe(n);
              }
              for (const [key, n] of levels) expect(numbers.get(key), `${which} ${key}`).toBe(n);
              for (const [key, n] of numbers) {
                if (!key.includes(` w${run}-`) || n === 0) continue;
                const known = LEVELS.has(metricOf(key)) ? levels : counted;
                if (!LEVELS.has(metricOf(key)) && !COUNTED.has(metricOf(key))) continue;
                expect(known.has(key), `${which} ${key} was not counted`).toBe(true);
              }
            }
          };
          for (const [index, each] of steps.entries()) {
            if (each === 'collect') {
              await expectExported();
              for (const key of ended) over.add(key);
            } else if (each === 'swap' || each === 'restart') {
              // To another provider and back, or to a new one: nothing that was counted is lost.
              metrics.disable();
              if (each === 'swap') {
                metrics.setGlobalMeterProvider(spare.provider);
                metrics.disable();
              } else {
                ({ provider, readers } = newProvider(way));
                // The instruments of the SDK keep the values of histograms, and go with their provider.
                if (way === 'instruments') {
                  for (const key of counted.keys()) {
                    if (HISTOGRAMS.test(metricOf(key))) counted.delete(key);
                  }
                }
              }
              metrics.setGlobalMeterProvider(provider);
            } else if (each === 'end') {
              await end();
              for (const key of counted.keys()) ended.add(key);
            } else if (each === 'disturb') {
              for (const { name, member } of members.values())
                count(name, member.disturb?.() ?? []);
            } else {
              const { kind, copy, ending } = each;
              const { create, counted: series } = SUBJECTS[kind] as Subject;
              const name = `w${run}-${kind}`;
              const id = `${copy} ${kind}`;
              let made = members.get(id);
              if (made === undefined) {
                made = { name, member: create(COPIES[copy] as (typeof COPIES)[0], { name }) };
                members.set(id, made);
              }
              await made.member.call(ending, `key ${index}`);
              count(name, series[ending]);
            }
          }
          await expectExported();
          await end();
        }),
        { numRuns: 12 },
      );
    });

    it('every number of a scope of its own is in its provider', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              kind: fc.constantFrom(...Object.keys(SUBJECTS)),
              tenant: fc.constantFrom('a', 'b'),
              ending: fc.constantFrom(...ENDINGS),
            }),
            { minLength: 5, maxLength: 60 },
          ),
          async (calls) => {
            const run = ++runs;
            // A scope has the instruments of its provider, whatever the registered one has.
            const { provider, readers } = newProvider('instruments');
            const elsewhere = newProvider(way);
            metrics.disable();
            metrics.setGlobalMeterProvider(elsewhere.provider);
            const scopes = { a: telemetryScope({ meterProvider: provider }), b: undefined };
            const counted = { a: new Map<string, number>(), b: new Map<string, number>() };
            const members = new Map<string, Member>();
            for (const [index, { kind, tenant, ending }] of calls.entries()) {
              const { create, counted: series } = SUBJECTS[kind] as Subject;
              const telemetry = scopes[tenant as 'a' | 'b'];
              const common: Common = {
                name: `w${run}-${kind}`,
                ...(telemetry === undefined ? {} : { telemetry }),
              };
              const id = `${tenant} ${kind}`;
              const member = members.get(id) ?? create(COPIES[0] as (typeof COPIES)[0], common);
              members.set(id, member);
              await member.call(ending, `key ${index}`);
              const own = counted[tenant as 'a' | 'b'];
              for (const each of series[ending]) {
                const key = keyOf(common.name, each);
                own.set(key, (own.get(key) ?? 0) + 1);
              }
            }
            for (const [tenant, all] of [
              ['a', readers],
              ['b', elsewhere.readers],
            ] as const) {
              for (const reader of all) {
                const numbers = await reader.numbers();
                const exported = [...numbers].filter(
                  ([key, n]) => n > 0 && key.includes(` w${run}-`) && COUNTED.has(metricOf(key)),
                );
                expect(
                  new Map(exported),
                  `${tenant} ${TEMPORALITIES[all.indexOf(reader)]}`,
                ).toEqual(counted[tenant]);
              }
            }
            for (const member of members.values()) await member.end();
          },
        ),
        { numRuns: 10 },
      );
    });
  },
);

/** What members count, besides what disturbs them. */
const COUNTED: ReadonlySet<string> = new Set(
  Object.values(SUBJECTS).flatMap(({ counted }) =>
    ENDINGS.flatMap((ending) => counted[ending].map(([metric]) => metric)),
  ),
);
const HISTOGRAMS = /\.duration$/;
const LEVELS: ReadonlySet<string> = new Set([
  ...Object.keys(WORST_FIRST),
  'temper.cache.keys',
  'temper.ratelimit.keys',
  'temper.audit.pending',
]);
