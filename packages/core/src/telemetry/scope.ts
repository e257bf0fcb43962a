import type { MeterProvider, Tracer, TracerProvider } from '@opentelemetry/api';
import {
  CounterFamily,
  type CounterSeries,
  type Counts,
  Tally,
  type Variants,
} from './counters.ts';
import { type Attributes, type Cell, type MetricDefinition, OVERFLOW } from './definitions.ts';
import { reportTelemetryError } from './diagnostics.ts';
import type { Emit, ReadLevels } from './levels.ts';
import type { Life } from './life.ts';
import { Lives, type SeriesOfLives } from './lives.ts';
import { Owner, readLevels } from './owners.ts';
import { type ApiGlobal, processLogger, type RecordLogger } from './process-api.ts';
import type { Producers } from './producers.ts';
import { Received, SdkInstruments } from './sdk-instruments.ts';
import { SCHEMA_URL } from './semconv.ts';
import { HistogramFamily, type HistogramSeries, type Live, seriesKey } from './series.ts';

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
   *
   * @param base - attributes of all series of the owner, which end together; see {@link release}
   */
  counts<K extends string>(
    owner: object,
    definition: MetricDefinition,
    base: Attributes,
    variants: Variants<K>,
  ): Counts<K>;
  /**
   * The series of a counter with these attributes: the same for everybody who asks, so that a total
   * never goes down.
   *
   * @param base - of owners that the series ends with; it lives as long as the process without
   */
  counter(definition: MetricDefinition, attributes: Attributes, base?: Attributes): Cell;
  /**
   * The series of a histogram with these attributes.
   *
   * @param base - as for a counter
   */
  histogram(
    definition: MetricDefinition,
    attributes: Attributes,
    base?: Attributes,
  ): HistogramSeries;
  /**
   * Ends the series of `owner`, which is disposed of. When it is the last with its base attributes, all
   * series with these are exported once more, and then no longer. What the owner counts after that opens
   * them again.
   */
  release(owner: object): void;
  /** What the series of owners with these attributes end with. */
  life(base: Attributes): Life;
  /**
   * Reads levels of `owner` at each collection, until disposed of or until the owner is gone.
   *
   * @param ended - called with an owner whose observation is disposed of
   */
  observe<T extends object>(
    owner: T,
    read: ReadLevels<T>,
    ended?: (owner: object) => void,
  ): Disposable;
  /**
   * Runs telemetry whose failure a call must not notice: what a sampler, a processor or an exporter
   * throws is logged on `diag`, and goes no further.
   */
  safely(work: () => void): void;
}

/** Number of owners from which on it is looked for those that are gone. */
const MANY = 64;

/** @internal The one implementation; the hub creates and binds it. */
export class Scope implements InstrumentationScope, SeriesOfLives {
  readonly name: string;
  readonly version: string;
  readonly live: Registered;
  readonly definitions: Map<string, MetricDefinition> = new Map();
  readonly counters: Map<string, CounterFamily> = new Map();
  readonly histograms: Map<string, HistogramFamily> = new Map();
  readonly #owners = new Set<Owner>();
  /** The first one of each object, which has its counts. */
  readonly #ownerOf = new WeakMap<object, Owner>();
  /** Number of owners at which to look for those that are gone. */
  #sweepAt = MANY;
  /** Of owners that were disposed of and still exist. */
  readonly #settled = new Set<Tally>();
  readonly #lives = new Map<string, Life>();
  readonly #ends: Lives = new Lives(this);
  #instruments: SdkInstruments | undefined;
  #producers: Producers | undefined;
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
        this.#tracer = provider?.getTracer(this.name, this.version, { schemaUrl: SCHEMA_URL });
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
    const own = this.#own(owner);
    const life = this.life(base);
    const tally = new Tally(this.#counterFamily(definition), base, variants, life);
    own.tallies = own.tallies.concat(tally);
    if (own.isReleased) {
      this.#settled.add(tally);
    } else if (own.life === undefined) {
      own.life = life;
      this.#ends.enter(life);
    }
    return tally.counts as Counts<K>;
  }

  counter(definition: MetricDefinition, attributes: Attributes, base?: Attributes): Cell {
    return this.#counterFamily(definition).of(attributes, base && this.life(base)).cell;
  }

  histogram(
    definition: MetricDefinition,
    attributes: Attributes,
    base?: Attributes,
  ): HistogramSeries {
    return this.histogramFamily(definition).of(attributes, base && this.life(base));
  }

  release(owner: object): void {
    const own = this.#own(owner);
    if (own.isReleased) return;
    own.isReleased = true;
    for (const tally of own.tallies) {
      tally.settle();
      this.#settled.add(tally);
    }
    if (own.life !== undefined) this.#ends.leave(own.life);
  }

  life(base: Attributes): Life {
    const key = seriesKey(base);
    let life = this.#lives.get(key);
    if (life === undefined) {
      life = this.#ends.create(base);
      this.#lives.set(key, life);
    }
    return life;
  }

  #own(owner: object): Owner {
    let own = this.#ownerOf.get(owner);
    if (own === undefined) {
      own = this.#add(owner);
      this.#ownerOf.set(owner, own);
    }
    return own;
  }

  #add(owner: object): Owner {
    if (this.#owners.size >= this.#sweepAt) {
      this.#sweep();
      this.#sweepAt = Math.max(MANY, this.#owners.size * 2);
    }
    const own = new Owner(owner);
    this.#owners.add(own);
    return own;
  }

  /** Forgets the owners that no longer exist. */
  #sweep(): void {
    for (const own of this.#owners) if (own.ref.deref() === undefined) this.#forget(own);
  }

  /** The owner no longer exists. Unless it was disposed of, its series stay. */
  #forget(own: Owner): void {
    const { tallies, life, isReleased } = own;
    this.#owners.delete(own);
    for (const tally of tallies) {
      if (isReleased) this.#countOn(tally);
      tally.retire();
      this.#settled.delete(tally);
    }
    if (life !== undefined && !isReleased) life.owners--;
  }

  /** Opens the series of a policy that counts although it was disposed of, until the next export. */
  #countOn(tally: Tally): void {
    if (!tally.countsOn()) return;
    tally.life = this.life(tally.base);
    this.#ends.end(tally.life);
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

  observe<T extends object>(
    owner: T,
    read: ReadLevels<T>,
    ended?: (owner: object) => void,
  ): Disposable {
    let own = this.#own(owner);
    if (own.read !== undefined) own = this.#add(owner); // two kinds of levels
    own.observe(read as ReadLevels<never>, ended);
    return own;
  }

  /** Brings the total of every counter series up to date. */
  readTotals(): void {
    this.#sweep();
    for (const tally of this.#settled) this.#countOn(tally);
    for (const { series } of this.counters.values()) {
      for (const each of series.values()) each.total = each.cell.value;
    }
    for (const { tallies } of this.#owners) for (const tally of tallies) tally.collect();
  }

  overflow(lives: ReadonlySet<Life>): void {
    this.readTotals();
    this.#eachSeries(
      lives,
      (family, series) => {
        family.of(OVERFLOW).cell.value += series.total;
      },
      (family, series) => family.of(OVERFLOW).merge(series),
    );
  }

  drop(lives: ReadonlySet<Life>, read: boolean): void {
    const producers = read ? this.#producers : undefined;
    this.#eachSeries(
      lives,
      ({ definition, series }, each, key) => {
        series.delete(key);
        producers?.dropped(this, definition, each);
      },
      ({ definition, series }, each, key, { base }) => {
        series.delete(key);
        each.successor = () => this.histogram(definition, each.attributes, base);
        producers?.dropped(this, definition, each);
      },
    );
    for (const { base } of lives) this.#lives.delete(seriesKey(base));
    for (const tally of this.#settled) if (lives.has(tally.life)) tally.drop();
  }

  #eachSeries(
    lives: Iterable<Life>,
    counter: (family: CounterFamily, series: CounterSeries, key: string) => void,
    histogram: (family: HistogramFamily, series: HistogramSeries, key: string, life: Life) => void,
  ): void {
    for (const life of lives) {
      for (const key of life.keys ?? []) {
        for (const family of this.counters.values()) {
          const series = family.series.get(key);
          if (series?.life === life) counter(family, series, key);
        }
        for (const family of this.histograms.values()) {
          const series = family.series.get(key);
          if (series?.life === life) histogram(family, series, key, life);
        }
      }
    }
  }

  /** To be called when a reader has read all metrics. */
  collected(reader: object): void {
    const { api } = this.live;
    const readers: object[] = this.#producers?.reading(api?.metrics as object | undefined) ?? [];
    if (this.#instruments?.isReplaced === false) readers.push(this.#instruments);
    this.#ends.collected(reader, readers);
  }

  /** Calls `emit` with every level of every living owner. */
  readLevels(emit: Emit): void {
    readLevels(this.#owners, (work) => this.safely(work), emit);
  }

  /** Creates this scope's instruments anew on the registered provider, and leaves the previous ones. */
  bind(producers: Producers | undefined): void {
    this.#producers = producers;
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
