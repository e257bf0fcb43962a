import type { MeterProvider, Tracer, TracerProvider } from '@opentelemetry/api';
import type { Attributes, MetricDefinition } from './definitions.ts';
import { reportTelemetryError } from './diagnostics.ts';
import { type Emit, type ReadLevels, readLevels } from './levels.ts';
import { Owners } from './owners.ts';
import { type ApiGlobal, processLogger, type RecordLogger } from './process-api.ts';
import type { Producers } from './producers.ts';
import { Received, SdkInstruments } from './sdk-instruments.ts';
import {
  type Cell,
  CounterFamily,
  type Counts,
  HistogramFamily,
  type HistogramSeries,
  type Live,
  Tally,
  type Variants,
} from './series.ts';

/** What describes an instrumentation scope. */
export interface ScopeOptions {
  /** The package's name. */
  readonly name: string;
  /** The package's version. */
  readonly version: string;
  /** Every metric that the package emits. */
  readonly metrics: readonly MetricDefinition[];
}

/** What is registered now. */
export interface Registered extends Live {
  /** The global object of the API, once there is one. */
  readonly api: ApiGlobal | undefined;
}

/** The telemetry of one package: its meter and tracer, and the series it counts in. */
export interface InstrumentationScope {
  readonly name: string;
  readonly live: Live;
  /**
   * The package's tracer, `undefined` while no provider is registered. Read it anew for each span: it
   * changes with the registered provider.
   */
  readonly tracer: Tracer | undefined;
  /** The package's logger, `undefined` while no provider is registered. Read it anew as well. */
  readonly logger: RecordLogger | undefined;
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

/** @internal The one implementation; the hub creates and binds it. */
export class Scope implements InstrumentationScope {
  readonly name: string;
  readonly version: string;
  readonly live: Registered;
  readonly definitions: Map<string, MetricDefinition> = new Map();
  readonly counters: Map<string, CounterFamily> = new Map();
  readonly histograms: Map<string, HistogramFamily> = new Map();
  readonly #tallies = new Set<Tally>();
  readonly #gone = new FinalizationRegistry<Tally>((tally) => {
    tally.retire();
    this.#tallies.delete(tally);
  });
  readonly #owners = new Map<ReadLevels<never>, Owners>();
  #instruments: SdkInstruments | undefined;
  readonly #received = new WeakMap<MeterProvider, Received>();
  #tracer: Tracer | undefined;
  /** What {@link #tracer} was taken from. */
  #tracedBy: unknown;

  constructor(options: ScopeOptions, live: Registered) {
    this.name = options.name;
    this.version = options.version;
    this.live = live;
    this.define(options.metrics);
  }

  get tracer(): Tracer | undefined {
    const provider = this.live.api?.trace as TracerProvider | undefined;
    if (provider !== this.#tracedBy) {
      this.#tracedBy = provider;
      this.#tracer = undefined;
      this.safely(() => {
        this.#tracer = provider?.getTracer(this.name, this.version);
      });
    }
    return this.#tracer;
  }

  get logger(): RecordLogger | undefined {
    return processLogger(this.name, this.version);
  }

  safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      reportTelemetryError(this.name, error);
    }
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
    return this.histogramFamily(definition).of(attributes);
  }

  #counterFamily(definition: MetricDefinition): CounterFamily {
    let family = this.counters.get(definition.name);
    if (family === undefined) {
      family = new CounterFamily(definition);
      this.counters.set(definition.name, family);
    }
    return family;
  }

  histogramFamily(definition: MetricDefinition): HistogramFamily {
    let family = this.histograms.get(definition.name);
    if (family === undefined) {
      const onError = (error: unknown): void => reportTelemetryError(this.name, error);
      family = new HistogramFamily(definition, this.live, onError);
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

  /** Totals of every counter series as of now. */
  readTotals(): void {
    for (const { series } of this.counters.values()) {
      for (const each of series.values()) each.total = each.cell.value;
    }
    for (const tally of this.#tallies) tally.collect();
  }

  /** Calls `emit` with every level of every living owner. */
  readLevels(emit: Emit): void {
    readLevels(this.#owners, (work) => this.safely(work), emit);
  }

  /** Creates this scope's instruments anew on the registered provider, and leaves the previous ones. */
  bind(producers: Producers | undefined): void {
    const provider = this.live.api?.metrics as MeterProvider | undefined;
    const previous = this.#instruments;
    this.#instruments = undefined;
    if (previous !== undefined) this.safely(() => previous.unbind());
    for (const definition of this.definitions.values()) {
      if (definition.instrument !== 'histogram') continue;
      const family = this.histogramFamily(definition);
      family.target.recorder = undefined;
      family.keep(producers?.shapesOf(provider, this, definition));
    }
    if (provider === undefined) return;
    const received = this.#received.get(provider) ?? new Received();
    this.#received.set(provider, received);
    this.safely(() => {
      this.#instruments = new SdkInstruments(this, provider, received, producers);
    });
  }
}
