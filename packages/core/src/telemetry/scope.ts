import {
  type BatchObservableResult,
  diag,
  type Logger,
  logs,
  type MeterProvider,
  type Observable,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { Attributes, MetricDefinition } from './definitions.ts';
import {
  type Cell,
  CounterFamily,
  HistogramFamily,
  type HistogramSeries,
  type Live,
  seriesKey,
} from './series.ts';

/** How a living policy tells its levels, when they are read. */
export type Emit = (definition: MetricDefinition, attributes: Attributes, value: number) => void;

/** By metric, then by series. */
type Levels = Map<string, Map<string, { readonly attributes: Attributes; value: number }>>;

interface Owner {
  readonly ref: WeakRef<object>;
  readonly read: (owner: object, emit: Emit) => void;
}

/** What describes an instrumentation scope. */
export interface ScopeOptions {
  /** The package's name. */
  readonly name: string;
  /** The package's version. */
  readonly version: string;
  /** Every metric that the package writes. */
  readonly metrics: readonly MetricDefinition[];
}

/** The telemetry of one package: its meter and tracer, and the series it counts in. */
export interface InstrumentationScope {
  readonly live: Live;
  /** The package's tracer. Read it anew for each span: it changes with the registered provider. */
  readonly tracer: Tracer;
  /** The package's logger, for the few events that deserve a record. */
  readonly logger: Logger;
  /**
   * The series of a counter with these attributes. The same for everybody who asks, and for as long
   * as the process lives, so that a total never goes down.
   */
  counter(definition: MetricDefinition, attributes: Attributes): Cell;
  /** The series of a histogram with these attributes. */
  histogram(definition: MetricDefinition, attributes: Attributes): HistogramSeries;
  /**
   * Reads levels from `owner` at each collection, until disposed of or until nothing else holds the
   * owner. `read` must not close over it.
   */
  observe<T extends object>(owner: T, read: (owner: T, emit: Emit) => void): Disposable;
  /** Reports that user code threw, on OpenTelemetry's diagnostics. Never throws. */
  readonly onListenerError: (error: unknown) => void;
  /**
   * Does telemetry of which a call must not notice that it failed: what a sampler, a processor or an
   * exporter throws is reported, and goes no further.
   */
  safely(work: () => void): void;
}

/** @internal The one implementation; the hub makes and binds it. */
export class Scope implements InstrumentationScope {
  readonly name: string;
  readonly version: string;
  readonly live: Live;
  tracer: Tracer;
  readonly onListenerError: (error: unknown) => void;
  readonly definitions: Map<string, MetricDefinition> = new Map();
  readonly counters: Map<string, CounterFamily> = new Map();
  readonly histograms: Map<string, HistogramFamily> = new Map();
  readonly #owners = new Set<Owner>();
  readonly #gone = new FinalizationRegistry<Owner>((owner) => this.#owners.delete(owner));
  readonly #instruments = new Map<string, Observable>();
  /** The level series that the present provider has seen. */
  #shown: Levels = new Map();
  #unbind: (() => void) | undefined;

  constructor(options: ScopeOptions, live: Live) {
    this.name = options.name;
    this.version = options.version;
    this.live = live;
    this.tracer = trace.getTracer(options.name, options.version);
    this.onListenerError = (error) => {
      try {
        diag.error(`${this.name}: a listener threw; the call went on.`, error);
      } catch {
        // The logger of the diagnostics is user code too, and there is nobody left to tell.
      }
    };
    this.define(options.metrics);
  }

  get logger(): Logger {
    return logs.getLogger(this.name, this.version);
  }

  safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.onListenerError(error);
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

  counter(definition: MetricDefinition, attributes: Attributes): Cell {
    let family = this.counters.get(definition.name);
    if (family === undefined) {
      family = new CounterFamily(definition);
      this.counters.set(definition.name, family);
    }
    return family.cell(attributes);
  }

  histogram(definition: MetricDefinition, attributes: Attributes): HistogramSeries {
    return this.#histogramFamily(definition).of(attributes);
  }

  #histogramFamily(definition: MetricDefinition): HistogramFamily {
    let family = this.histograms.get(definition.name);
    if (family === undefined) {
      family = new HistogramFamily(definition, this.onListenerError);
      this.histograms.set(definition.name, family);
    }
    return family;
  }

  observe<T extends object>(owner: T, read: (owner: T, emit: Emit) => void): Disposable {
    const entry: Owner = { ref: new WeakRef(owner), read: read as Owner['read'] };
    this.#owners.add(entry);
    this.#gone.register(owner, entry, entry);
    return {
      [Symbol.dispose]: () => {
        this.#owners.delete(entry);
        this.#gone.unregister(entry);
      },
    };
  }

  /** Makes this scope's instruments anew on `provider`, and leaves the ones it had. */
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
    for (const [name, family] of this.counters) {
      const instrument = this.#instruments.get(name);
      if (instrument === undefined) continue;
      for (const { attributes, cell } of family.series.values()) {
        result.observe(instrument, cell.value, attributes);
      }
    }
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
    for (const { ref, read } of this.#owners) {
      const owner = ref.deref();
      if (owner === undefined) continue;
      try {
        read(owner, emit);
      } catch (error) {
        this.onListenerError(error);
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
