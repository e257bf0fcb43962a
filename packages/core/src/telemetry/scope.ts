import {
  type BatchObservableResult,
  type Logger,
  logs,
  type MeterProvider,
  type Observable,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { Attributes, MetricDefinition } from './definitions.ts';
import { reportTelemetryError } from './diagnostics.ts';
import {
  type Cell,
  CounterFamily,
  type Counts,
  HistogramFamily,
  type HistogramSeries,
  type Live,
  seriesKey,
  Tally,
  type Variants,
} from './series.ts';

/** How a living policy reports its levels when they are read. */
export type Emit = (definition: MetricDefinition, attributes: Attributes, value: number) => void;

/** Reads the levels of an owner. One function per kind of owner, which must not close over it. */
export type ReadLevels<T> = (owner: T, emit: Emit) => void;

/** By metric, then by series. */
type Levels = Map<string, Map<string, { readonly attributes: Attributes; value: number }>>;

/** What describes an instrumentation scope. */
export interface ScopeOptions {
  /** The package's name. */
  readonly name: string;
  /** The package's version. */
  readonly version: string;
  /** Every metric that the package emits. */
  readonly metrics: readonly MetricDefinition[];
}

/** The telemetry of one package: its meter and tracer, and the series it counts in. */
export interface InstrumentationScope {
  readonly name: string;
  readonly live: Live;
  /** The package's tracer. Read it anew for each span: it changes with the registered provider. */
  readonly tracer: Tracer;
  /** The package's logger. */
  readonly logger: Logger;
  /**
   * Counts of `owner`, one for each key of `variants`, at 0: the owner adds to them, and they are read
   * at collection. What an owner has counted stays in the totals when it is garbage collected.
   */
  counts<K extends string>(
    owner: object,
    definition: MetricDefinition,
    base: Attributes,
    variants: Variants<K>,
  ): Counts<K>;
  /**
   * The series of a counter with these attributes: the same for everybody who asks, for as long as
   * the process lives, so that a total never goes down.
   */
  counter(definition: MetricDefinition, attributes: Attributes): Cell;
  /** The series of a histogram with these attributes. */
  histogram(definition: MetricDefinition, attributes: Attributes): HistogramSeries;
  /** Reads levels of `owner` at each collection, until disposed of or until the owner is gone. */
  observe<T extends object>(owner: T, read: ReadLevels<T>): Disposable;
  /**
   * Runs telemetry whose failure a call must not notice: what a sampler, a processor or an exporter
   * throws is logged on `diag`, and goes no further.
   */
  safely(work: () => void): void;
}

/** The living owners of one kind. Weakly held: an owner nobody else holds is dropped. */
class Owners {
  readonly refs = new Set<WeakRef<object>>();
  /** Size at which to look for those that are gone. */
  #sweepAt = 64;

  add(owner: object): Disposable {
    if (this.refs.size >= this.#sweepAt) {
      for (const ref of this.refs) if (ref.deref() === undefined) this.refs.delete(ref);
      this.#sweepAt = Math.max(64, this.refs.size * 2);
    }
    return new Observed(this.refs, owner);
  }
}

class Observed implements Disposable {
  readonly #refs: Set<WeakRef<object>>;
  readonly #ref: WeakRef<object>;

  constructor(refs: Set<WeakRef<object>>, owner: object) {
    this.#refs = refs;
    this.#ref = new WeakRef(owner);
    refs.add(this.#ref);
  }

  [Symbol.dispose](): void {
    this.#refs.delete(this.#ref);
  }
}

/** @internal The one implementation; the hub creates and binds it. */
export class Scope implements InstrumentationScope {
  readonly name: string;
  readonly version: string;
  readonly live: Live;
  tracer: Tracer;
  readonly definitions: Map<string, MetricDefinition> = new Map();
  readonly counters: Map<string, CounterFamily> = new Map();
  readonly histograms: Map<string, HistogramFamily> = new Map();
  readonly #tallies = new Set<Tally>();
  readonly #gone = new FinalizationRegistry<Tally>((tally) => {
    tally.retire();
    this.#tallies.delete(tally);
  });
  readonly #owners = new Map<ReadLevels<never>, Owners>();
  readonly #instruments = new Map<string, Observable>();
  /** The level series that the present provider has seen. */
  #shown: Levels = new Map();
  #unbind: (() => void) | undefined;

  constructor(options: ScopeOptions, live: Live) {
    this.name = options.name;
    this.version = options.version;
    this.live = live;
    this.tracer = trace.getTracer(options.name, options.version);
    this.define(options.metrics);
  }

  get logger(): Logger {
    return logs.getLogger(this.name, this.version);
  }

  safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      reportTelemetryError(this.name, error);
    }
  }

  /** Takes its tracer from a provider that has just been registered. */
  trace(provider: TracerProvider): void {
    this.safely(() => {
      this.tracer = provider.getTracer(this.name, this.version);
    });
  }

  /**
   * Adds metrics that another version of the package knows and this one does not.
   *
   * @returns whether there were any
   */
  define(metrics: readonly MetricDefinition[]): boolean {
    const known = this.definitions.size;
    for (const metric of metrics) {
      if (!this.definitions.has(metric.name)) this.definitions.set(metric.name, metric);
    }
    return this.definitions.size > known;
  }

  counts<K extends string>(
    owner: object,
    definition: MetricDefinition,
    base: Attributes,
    variants: Variants<K>,
  ): Counts<K> {
    const tally = new Tally(this.#counterFamily(definition), base, variants);
    this.#tallies.add(tally);
    this.#gone.register(owner, tally);
    return tally.counts as Counts<K>;
  }

  counter(definition: MetricDefinition, attributes: Attributes): Cell {
    return this.#counterFamily(definition).of(attributes).cell;
  }

  histogram(definition: MetricDefinition, attributes: Attributes): HistogramSeries {
    return this.#histogramFamily(definition).of(attributes);
  }

  #counterFamily(definition: MetricDefinition): CounterFamily {
    let family = this.counters.get(definition.name);
    if (family === undefined) {
      family = new CounterFamily(definition);
      this.counters.set(definition.name, family);
    }
    return family;
  }

  #histogramFamily(definition: MetricDefinition): HistogramFamily {
    let family = this.histograms.get(definition.name);
    if (family === undefined) {
      family = new HistogramFamily(definition, (error) => reportTelemetryError(this.name, error));
      this.histograms.set(definition.name, family);
    }
    return family;
  }

  observe<T extends object>(owner: T, read: ReadLevels<T>): Disposable {
    let owners = this.#owners.get(read as ReadLevels<never>);
    if (owners === undefined) {
      owners = new Owners();
      this.#owners.set(read as ReadLevels<never>, owners);
    }
    return owners.add(owner);
  }

  /** Creates this scope's instruments anew on `provider`, and leaves the previous ones. */
  bind(provider: MeterProvider | undefined, ownBuckets: boolean): void {
    const unbind = this.#unbind;
    this.#unbind = undefined;
    if (unbind !== undefined) this.safely(unbind);
    this.#instruments.clear();
    this.#shown = new Map();
    for (const definition of this.definitions.values()) {
      if (definition.instrument !== 'histogram') continue;
      const { target } = this.#histogramFamily(definition);
      target.recorder = undefined;
      target.ownBuckets = ownBuckets;
    }
    if (provider !== undefined) this.safely(() => this.#makeInstruments(provider, ownBuckets));
  }

  #makeInstruments(provider: MeterProvider, ownBuckets: boolean): void {
    const meter = provider.getMeter(this.name, this.version);
    for (const definition of this.definitions.values()) {
      const { name, unit, description } = definition;
      if (definition.instrument === 'histogram') {
        const family = this.#histogramFamily(definition);
        if (ownBuckets) continue; // a second family of the name would be a duplicate
        family.target.recorder = meter.createHistogram(name, {
          unit,
          description,
          advice: { explicitBucketBoundaries: [...family.boundaries] },
        });
      } else {
        const create = {
          counter: meter.createObservableCounter,
          updowncounter: meter.createObservableUpDownCounter,
          gauge: meter.createObservableGauge,
        }[definition.instrument];
        this.#instruments.set(name, create.call(meter, name, { unit, description }));
      }
    }
    const observables = [...this.#instruments.values()];
    if (observables.length === 0) return; // the SDK warns of a callback without an instrument
    const collect = (result: BatchObservableResult): void => this.#collect(result);
    meter.addBatchObservableCallback(collect, observables);
    this.#unbind = () => meter.removeBatchObservableCallback(collect, observables);
  }

  #collect(result: BatchObservableResult): void {
    this.#collectCounters(result);
    const present = this.#levels();
    for (const [name, levels] of present) {
      const instrument = this.#instruments.get(name);
      if (instrument === undefined) continue;
      for (const { attributes, value } of levels.values()) {
        result.observe(instrument, value, attributes);
      }
    }
    for (const [name, levels] of this.#shown) {
      const instrument = this.#instruments.get(name);
      if (instrument === undefined) continue;
      for (const [key, { attributes }] of levels) {
        if (present.get(name)?.has(key)) continue;
        result.observe(instrument, this.definitions.get(name)?.whenGone ?? 0, attributes);
      }
    }
    this.#shown = present;
  }

  #collectCounters(result: BatchObservableResult): void {
    for (const { series } of this.counters.values()) {
      for (const each of series.values()) each.total = each.cell.value;
    }
    for (const tally of this.#tallies) tally.collect();
    for (const [name, { series }] of this.counters) {
      const instrument = this.#instruments.get(name);
      if (instrument === undefined) continue;
      for (const { attributes, total } of series.values()) {
        result.observe(instrument, total, attributes);
      }
    }
  }

  /** The levels of all living owners, those of one series merged. */
  #levels(): Levels {
    const metrics: Levels = new Map();
    const emit: Emit = (definition, attributes, value) => {
      let series = metrics.get(definition.name);
      if (series === undefined) {
        series = new Map();
        metrics.set(definition.name, series);
      }
      const key = seriesKey(attributes);
      const level = series.get(key);
      if (level === undefined) {
        series.set(key, { attributes, value });
      } else if ((definition.merge ?? DEFAULT_MERGE[definition.instrument]) === 'sum') {
        level.value += value;
      } else {
        level.value = Math.max(level.value, value);
      }
    };
    for (const [read, { refs }] of this.#owners) {
      for (const ref of refs) {
        const owner = ref.deref();
        if (owner === undefined) continue;
        this.safely(() => (read as ReadLevels<object>)(owner, emit));
      }
    }
    return metrics;
  }
}

const DEFAULT_MERGE: Readonly<Record<MetricDefinition['instrument'], 'sum' | 'max'>> = {
  counter: 'sum',
  updowncounter: 'sum',
  gauge: 'max',
  histogram: 'sum',
};
