import type {
  BatchObservableResult,
  Counter,
  Meter,
  MeterProvider,
  Observable,
  UpDownCounter,
} from '@opentelemetry/api';
import type { CounterFamily, CounterSeries } from './counters.ts';
import type { MetricDefinition } from './definitions.ts';
import { warn } from './diagnostics.ts';
import { type Emit, type Level, type Levels, mergeLevel, onlyWorst } from './levels.ts';
import type { ApiGlobal } from './process-api.ts';
import type { Producers } from './producers.ts';
import { SCHEMA_URL } from './semconv.ts';
import { type HistogramFamily, seriesKey } from './series.ts';

/** Where we warn: three quarters of the SDK's default limit of attribute sets of a metric. */
const MANY_SERIES = 1_500;

/** What is exported of an instrumentation scope. */
export interface ExportedScope {
  readonly name: string;
  readonly version: string;
  readonly live: { readonly api: ApiGlobal | undefined };
  readonly definitions: ReadonlyMap<string, MetricDefinition>;
  readonly counters: ReadonlyMap<string, CounterFamily>;
  histogramFamily(definition: MetricDefinition): HistogramFamily;
  readTotals(): void;
  readLevels(emit: Emit): void;
  collected(reader: object): void;
}

/** What the instruments of a provider have received from a scope. It adds up, so it outlives them. */
export class Received {
  readonly counters: WeakMap<CounterSeries, number> = new WeakMap();
  levels: ReadonlyMap<string, Levels> = new Map();
}

/**
 * A scope's metrics as instruments of the registered provider.
 *
 * Counters are synchronous instruments that receive, whenever a reader collects, what was counted since:
 * the SDK calls observers before it collects. Views that drop attributes, the overflow series beyond
 * the limit of attribute sets, and readers of either temporality then add up. Asynchronous instruments
 * would not do: of two observations that fall into one series, the SDK for JavaScript keeps the last.
 *
 * Gauges have no sum; they are observed.
 */
export class SdkInstruments {
  readonly #scope: ExportedScope;
  readonly #counters = new Map<string, Counter | UpDownCounter>();
  readonly #gauges = new Map<string, Observable>();
  readonly #received: Received;
  readonly #warned = new Set<string>();
  /** Whether metric producers read in place of the instruments. */
  readonly isReplaced: boolean;
  #leave: () => void = () => {};

  /** @param producers - what may read the metrics in place of instruments */
  constructor(
    scope: ExportedScope,
    provider: MeterProvider,
    received: Received,
    producers: Producers | undefined,
  ) {
    this.#scope = scope;
    this.#received = received;
    const meter = provider.getMeter(scope.name, scope.version, { schemaUrl: SCHEMA_URL });
    this.isReplaced = producers?.replace(provider) === true;
    if (!this.isReplaced) {
      for (const definition of scope.definitions.values()) this.#create(meter, definition);
    }
    const observables = [...this.#gauges.values()];
    // Something to be called for. As nothing is ever observed on it, no reader shows it.
    if (observables.length === 0)
      observables.push(meter.createObservableGauge('temper.collections'));
    const collect = (result: BatchObservableResult): void => {
      // `metrics.disable()` ends it, although the reader of the provider may live on.
      if (scope.live.api?.metrics !== provider) return;
      if (this.isReplaced) producers?.collected(provider, scope.name);
      else this.#collect(result);
    };
    meter.addBatchObservableCallback(collect, observables);
    this.#leave = () => meter.removeBatchObservableCallback(collect, observables);
  }

  unbind(): void {
    this.#leave();
  }

  #create(meter: Meter, definition: MetricDefinition): void {
    const { name, unit, description, instrument } = definition;
    switch (instrument) {
      case 'histogram': {
        const family = this.#scope.histogramFamily(definition);
        family.target.recorder = meter.createHistogram(name, {
          unit,
          description,
          advice: { explicitBucketBoundaries: [...family.boundaries] },
        });
        break;
      }
      case 'counter':
        this.#counters.set(name, meter.createCounter(name, { unit, description }));
        break;
      case 'updowncounter':
        this.#counters.set(name, meter.createUpDownCounter(name, { unit, description }));
        break;
      default:
        this.#gauges.set(name, meter.createObservableGauge(name, { unit, description }));
    }
  }

  #collect(result: BatchObservableResult): void {
    this.#scope.readTotals();
    for (const [name, { series }] of this.#scope.counters) {
      const counter = this.#counters.get(name);
      if (counter === undefined) continue;
      this.#watchNumber(name, series.size);
      for (const each of series.values()) {
        const before = this.#received.counters.get(each);
        if (before === each.total) continue;
        // Another provider has received what ended before this one was registered.
        if (before === undefined && each.life?.hasEnded) continue;
        this.#received.counters.set(each, each.total);
        counter.add(each.total - (before ?? 0), each.attributes);
      }
    }
    const present = this.#levels();
    for (const [name, levels] of present) {
      this.#watchNumber(name, levels.size);
      for (const [key, level] of levels) this.#show(result, name, level, key);
    }
    for (const [name, levels] of this.#received.levels) {
      const whenGone = this.#scope.definitions.get(name)?.whenGone ?? 0;
      for (const [key, { attributes }] of levels) {
        if (present.get(name)?.has(key)) continue;
        this.#show(result, name, { attributes, value: whenGone }, key);
      }
    }
    this.#received.levels = present;
    this.#scope.collected(this);
  }

  #levels(): Map<string, Levels> {
    const metrics = new Map<string, Levels>();
    this.#scope.readLevels((definition, attributes, value) => {
      let levels = metrics.get(definition.name);
      if (levels === undefined) {
        levels = new Map();
        metrics.set(definition.name, levels);
      }
      mergeLevel(levels, definition, seriesKey(attributes), attributes, value);
    });
    for (const [name, levels] of metrics) {
      const definition = this.#scope.definitions.get(name);
      if (definition !== undefined) onlyWorst(levels, definition);
    }
    return metrics;
  }

  #show(result: BatchObservableResult, name: string, level: Level, key: string): void {
    const { attributes, value } = level;
    const counter = this.#counters.get(name);
    const gauge = this.#gauges.get(name);
    if (counter !== undefined) {
      const before = this.#received.levels.get(name)?.get(key)?.value;
      if (value !== before) counter.add(value - (before ?? 0), attributes);
    } else if (gauge !== undefined) {
      result.observe(gauge, value, attributes);
    }
  }

  #watchNumber(metric: string, series: number): void {
    if (series < MANY_SERIES || this.#warned.has(metric)) return;
    this.#warned.add(metric);
    warn(
      `${this.#scope.name}: ${metric} has ${series} series. Beyond its limit, 2000 unless a view sets ` +
        'another, the SDK adds up what counts in one series of the attribute otel.metric.overflow, and ' +
        'drops gauges. Pass temperMetricProducer() to the metric reader, which has no limit.',
    );
  }
}
