import { type MeterProvider as ApiProvider, metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { type Executor, telemetryScope, temperMetricProducer } from '@temper/core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { COPIES, type Common, ENDINGS, type Ending, SUBJECTS } from './policies.ts';

/** Readers of one provider, side by side. */
const TEMPORALITIES = ['cumulative', 'delta'] as const;
type Temporality = (typeof TEMPORALITIES)[number];
/** Whether the provider has the metric producer, or the instruments of the SDK. */
type Way = 'producer' | 'instruments';

class Reader extends MetricReader {
  readonly #delta: boolean;
  /** What deltas have come to, by series. */
  readonly #sums = new Map<string, number>();

  constructor(temporality: Temporality, way: Way) {
    super({
      aggregationTemporalitySelector: () =>
        AggregationTemporality[temporality === 'delta' ? 'DELTA' : 'CUMULATIVE'],
      metricProducers: way === 'producer' ? [temperMetricProducer({ temporality })] : [],
    });
    this.#delta = temporality === 'delta';
  }

  /** The totals by metric, policy and outcome: counts of calls, and of values of histograms. */
  async totals(): Promise<ReadonlyMap<string, number>> {
    const { resourceMetrics, errors } = await this.collect();
    expect(errors).toEqual([]);
    const found = new Map<string, number>();
    for (const { metrics: all } of resourceMetrics.scopeMetrics) {
      for (const { descriptor, dataPoints } of all) {
        for (const { attributes, value } of dataPoints as DataPoint<number | Histogram>[]) {
          const count = typeof value === 'number' ? value : value.count;
          const key = keyOf(
            descriptor.name,
            String(attributes['temper.policy.name']),
            String(attributes['temper.outcome']),
          );
          found.set(key, (found.get(key) ?? 0) + count);
        }
      }
    }
    if (!this.#delta) return found;
    for (const [key, n] of found) this.#sums.set(key, (this.#sums.get(key) ?? 0) + n);
    return this.#sums;
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const keyOf = (metric: string, policy: string, outcome: string): string =>
  `${metric} ${policy} ${outcome}`;

interface Provider {
  readonly provider: ApiProvider;
  readonly readers: readonly Reader[];
}

function newProvider(way: Way): Provider {
  const readers = TEMPORALITIES.map((temporality) => new Reader(temporality, way));
  return { provider: new MeterProvider({ readers }), readers };
}

/** Makes one call that ends in a way. */
async function call(policy: Executor, ending: Ending, key: string): Promise<void> {
  const caller = new AbortController();
  const running = policy.execute(
    ({ signal }) => {
      if (ending === 'well') return 'well';
      if (ending === 'ill') {
        throw Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
      }
      caller.abort(new Error('left'));
      return new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    },
    { signal: caller.signal, key },
  );
  await running.catch(() => undefined);
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
  { weight: 1, arbitrary: fc.constantFrom('collect', 'swap', 'restart', 'end') },
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
          const policies = new Map<string, Executor & Partial<Disposable>>();
          let { provider, readers } = newProvider(way);
          metrics.disable();
          metrics.setGlobalMeterProvider(provider as ApiProvider);
          const spare = newProvider(way);

          /** Series whose policies have ended, and those of them that were exported since. */
          const ended = new Set<string>();
          const over = new Set<string>();

          const expectExported = async (): Promise<void> => {
            for (const [index, reader] of readers.entries()) {
              const totals = await reader.totals();
              for (const [key, n] of counted) {
                // A series that was exported after the end of its policy need not be exported again.
                if (over.has(key) && !totals.has(key)) continue;
                expect(totals.get(key) ?? 0, `${TEMPORALITIES[index]} ${key}`).toBe(n);
              }
              const ours = [...totals].filter(([key, n]) => key.includes(` w${run}-`) && n > 0);
              for (const [key] of ours.filter(([key]) =>
                COUNTED.has(key.split(' ')[0] as string),
              )) {
                expect(counted.has(key), `${TEMPORALITIES[index]} ${key} was not counted`).toBe(
                  true,
                );
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
                    if (HISTOGRAMS.has(key.split(' ')[0] as string)) counted.delete(key);
                  }
                }
              }
              metrics.setGlobalMeterProvider(provider);
            } else if (each === 'end') {
              // The next policy of a name goes on from where the last one has ended.
              for (const policy of policies.values()) policy[Symbol.dispose]?.();
              policies.clear();
              for (const key of counted.keys()) ended.add(key);
            } else {
              const { kind, copy, ending } = each;
              const { create, counter, outcomes, durations } = SUBJECTS[
                kind
              ] as (typeof SUBJECTS)[string];
              const name = `w${run}-${kind}`;
              const id = `${copy} ${kind}`;
              const policy =
                policies.get(id) ?? create(COPIES[copy] as (typeof COPIES)[0], { name });
              if (!policies.has(id)) {
                // A policy goes on with the series of its name.
                for (const key of [...ended].filter((one) => one.includes(` ${name} `))) {
                  ended.delete(key);
                  over.delete(key);
                }
              }
              policies.set(id, policy);
              await call(policy, ending, `key ${index}`);
              const outcome = outcomes[ending];
              for (const metric of durations === undefined ? [counter] : [counter, durations]) {
                const key = keyOf(metric, name, outcome);
                counted.set(key, (counted.get(key) ?? 0) + 1);
              }
            }
          }
          await expectExported();
          for (const policy of policies.values()) policy[Symbol.dispose]?.();
        }),
        { numRuns: 25 },
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
            const policies = new Map<string, Executor>();
            for (const [index, { kind, tenant, ending }] of calls.entries()) {
              const { create, counter, outcomes } = SUBJECTS[kind] as (typeof SUBJECTS)[string];
              const telemetry = scopes[tenant as 'a' | 'b'];
              const common: Common = {
                name: `w${run}-${kind}`,
                ...(telemetry === undefined ? {} : { telemetry }),
              };
              const id = `${tenant} ${kind}`;
              const policy = policies.get(id) ?? create(COPIES[0] as (typeof COPIES)[0], common);
              policies.set(id, policy);
              await call(policy, ending, `key ${index}`);
              const key = keyOf(counter, common.name, outcomes[ending]);
              const own = counted[tenant as 'a' | 'b'];
              own.set(key, (own.get(key) ?? 0) + 1);
            }
            for (const [tenant, all] of [
              ['a', readers],
              ['b', elsewhere.readers],
            ] as const) {
              for (const reader of all) {
                const totals = await reader.totals();
                const exported = [...totals].filter(
                  ([key, n]) =>
                    n > 0 && key.includes(` w${run}-`) && COUNTERS.has(key.split(' ')[0] as string),
                );
                expect(new Map(exported)).toEqual(counted[tenant]);
              }
            }
          },
        ),
        { numRuns: 10 },
      );
    });
  },
);

const COUNTERS: ReadonlySet<string> = new Set(
  Object.values(SUBJECTS).map(({ counter }) => counter),
);
const HISTOGRAMS: ReadonlySet<string> = new Set(
  Object.values(SUBJECTS).flatMap(({ durations }) => durations ?? []),
);
const COUNTED: ReadonlySet<string> = new Set([...COUNTERS, ...HISTOGRAMS]);
