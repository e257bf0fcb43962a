import type { CounterSeries } from './counters.ts';
import type { MetricDefinition } from './definitions.ts';
import { warn } from './diagnostics.ts';
import type { BucketShape, HistogramSeries } from './series.ts';

/** A scope's name and version. */
export interface ScopeName {
  readonly name: string;
  readonly version: string;
}

/** The shapes of buckets in which a producer wants a histogram; none when it leaves it out. */
export type ShapesOf = (scope: ScopeName, definition: MetricDefinition) => readonly BucketShape[];

/** Hears that a series was dropped, as its policy is gone. */
export type Dropped = (
  scope: ScopeName,
  definition: MetricDefinition,
  series: CounterSeries | HistogramSeries,
) => void;

/** Collections without a question to a producer after which it is taken for forgotten. */
const PATIENCE = 2;

/** A metric producer, and the provider whose reader reads it. */
export class ProducerEntry {
  readonly shapesOf: ShapesOf;
  readonly dropped: Dropped;
  readonly #current: () => object | undefined;
  /** `null` when no provider was registered at its first question: its reader is somebody's own. */
  #owner: object | null | undefined;
  #isForgotten = false;
  #warned = false;

  constructor(shapesOf: ShapesOf, dropped: Dropped, current: () => object | undefined) {
    this.shapesOf = shapesOf;
    this.dropped = dropped;
    this.#current = current;
  }

  /** To be called when a reader asks. @returns whether the metrics are this producer's to report */
  ask(): boolean {
    const current = this.#current();
    if (this.#owner === undefined) this.#owner = current ?? null;
    const isReading = this.isReading(current);
    if (!isReading && current !== undefined && !this.#warned) {
      this.#warned = true;
      warn(
        'temperMetricProducer: a producer was read that belongs to another MeterProvider, or was not ' +
          'read for long; it returns nothing. Make a new one for each metric reader.',
      );
    }
    return isReading;
  }

  /** Whether what it asks for is kept while this provider is registered. */
  isReading(provider: object | undefined): boolean {
    if (this.#isForgotten) return false;
    return this.#owner === undefined || this.#owner === null || this.#owner === provider;
  }

  /** Whether it reads in place of the instruments of this provider. */
  replaces(provider: object): boolean {
    return this.isFresh || this.#owner === provider;
  }

  /** Whether a reader of this provider has asked it. */
  belongsTo(provider: object): boolean {
    return this.#owner === provider;
  }

  /** Whether nobody has asked it. */
  get isFresh(): boolean {
    return this.#owner === undefined && !this.#isForgotten;
  }

  forget(): void {
    this.#isForgotten = true;
  }
}

/** The metric producers of this process. A provider whose readers have none gets instruments. */
export class Producers {
  readonly #entries = new Set<ProducerEntry>();
  readonly #rebind: () => void;
  /** Collections by scope while no producer was read. */
  readonly #collected = new Map<string, number>();

  readonly #current: () => object | undefined;

  /**
   * @param rebind - called when other instruments are needed than before
   * @param current - the registered provider
   */
  constructor(rebind: () => void, current: () => object | undefined) {
    this.#rebind = rebind;
    this.#current = current;
  }

  /** Adds a producer, which then reads in place of the provider's instruments. */
  add(shapesOf: ShapesOf, dropped: Dropped): ProducerEntry {
    const entry = new ProducerEntry(shapesOf, dropped, this.#current);
    this.#entries.add(entry);
    this.#collected.clear();
    this.#rebind();
    return entry;
  }

  /** Whether producers read in place of the instruments of this provider. */
  replace(provider: object): boolean {
    return [...this.#entries].some((entry) => entry.replaces(provider));
  }

  /** The producers that read while this provider is registered. */
  reading(provider: object | undefined): ProducerEntry[] {
    return [...this.#entries].filter((entry) => entry.isReading(provider));
  }

  /** Tells all producers that a series was dropped. */
  dropped(...dropped: Parameters<Dropped>): void {
    for (const entry of this.#entries) entry.dropped(...dropped);
  }

  /** The shapes in which a histogram is kept; `undefined` without a producer. */
  shapesOf(
    provider: object | undefined,
    scope: ScopeName,
    definition: MetricDefinition,
  ): BucketShape[] | undefined {
    const reading = this.reading(provider);
    return reading.length === 0
      ? undefined
      : reading.flatMap((entry) => entry.shapesOf(scope, definition));
  }

  /**
   * To be called when a reader of this provider collects a scope without instruments; its producers are
   * asked after that. Where none ever is, the metrics go to instruments.
   */
  collected(provider: object, scope: string): void {
    const entries = [...this.#entries];
    const fresh = entries.filter((entry) => entry.isFresh);
    if (fresh.length === 0 || entries.some((entry) => entry.belongsTo(provider))) return;
    const times = (this.#collected.get(scope) ?? 0) + 1;
    this.#collected.set(scope, times);
    if (times < PATIENCE) return;
    this.#collected.clear();
    for (const entry of fresh) {
      entry.forget();
      this.#entries.delete(entry);
    }
    warn(
      'temperMetricProducer: no metric reader has read the producer, so metrics go through the ' +
        'instruments of the MeterProvider. Pass one to each reader as `metricProducers`, which needs ' +
        'version 1.17 or later of @opentelemetry/sdk-metrics, or do not create it.',
    );
    this.#rebind();
  }
}
