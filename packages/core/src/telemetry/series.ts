import { type Attributes, DURATION_BOUNDARIES, type MetricDefinition } from './definitions.ts';

/** One counted series. Adding to {@link value} is all there is to it. */
export interface Cell {
  value: number;
}

/** Which signals have a registered provider, as plain fields that a call can afford to read. */
export interface Live {
  /** A meter provider is registered, so durations are measured. */
  readonly metrics: boolean;
  /** A tracer provider is registered, so spans are created. */
  readonly traces: boolean;
}

const keys = new WeakMap<Attributes, string>();

/** A string that is the same for equal attributes in any order. Computed once per object. */
export function seriesKey(attributes: Attributes): string {
  let key = keys.get(attributes);
  if (key === undefined) {
    key = JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
    keys.set(attributes, key);
  }
  return key;
}

/** One exported series of a counter. */
export interface CounterSeries {
  readonly attributes: Attributes;
  /** What is counted in directly, and what policies that no longer exist have counted. */
  readonly cell: Cell;
  /** The value of the present collection. */
  total: number;
}

/** A counted metric with its series, which live as long as the process. */
export class CounterFamily {
  readonly definition: MetricDefinition;
  readonly series: Map<string, CounterSeries> = new Map();

  constructor(definition: MetricDefinition) {
    this.definition = definition;
  }

  of(attributes: Attributes): CounterSeries {
    const key = seriesKey(attributes);
    let series = this.series.get(key);
    if (series === undefined) {
      series = { attributes, cell: { value: 0 }, total: 0 };
      this.series.set(key, series);
    }
    return series;
  }
}

/** For each thing that a policy counts, the attributes of the series that it counts in. */
export type Variants<K extends string> = Readonly<Record<K, Attributes>>;

/** Plain integers that one policy counts in, read at collection. */
export type Counts<K extends string> = Record<K, number>;

/** The counts of one policy, and the series that they add to. */
export class Tally {
  readonly family: CounterFamily;
  readonly counts: Counts<string>;
  readonly #base: Attributes;
  readonly #variants: Variants<string>;
  /** Looked up at the first collection, so that creating a policy stays cheap. */
  #series: readonly (readonly [key: string, series: CounterSeries])[] | undefined;

  constructor(family: CounterFamily, base: Attributes, variants: Variants<string>) {
    this.family = family;
    this.#base = base;
    this.#variants = variants;
    this.counts = {};
    for (const key in variants) this.counts[key] = 0;
  }

  /** Adds the counts to the totals of the present collection. */
  collect(): void {
    for (const [key, series] of this.#resolve()) series.total += this.counts[key] as number;
  }

  /** Moves the counts into the series: their policy no longer exists. */
  retire(): void {
    for (const [key, { cell }] of this.#resolve()) {
      cell.value += this.counts[key] as number;
      this.counts[key] = 0;
    }
  }

  #resolve(): readonly (readonly [string, CounterSeries])[] {
    this.#series ??= Object.entries(this.#variants).map(
      ([key, attributes]) => [key, this.family.of({ ...this.#base, ...attributes })] as const,
    );
    return this.#series;
  }
}

/** What a histogram series needs of OpenTelemetry's own. */
export interface Recorder {
  record(value: number, attributes: Attributes): void;
}

/** Where the observations of a histogram go at present. */
export interface HistogramTarget {
  /** The instrument of the registered provider, if there is one. */
  recorder: Recorder | undefined;
  /** Receives what the recorder throws. */
  readonly onError: (error: unknown) => void;
  /** Whether a metric producer reads our own buckets, which then replace the instrument. */
  ownBuckets: boolean;
}

/** One series of a histogram. Records nothing while there is no reader. */
export class HistogramSeries {
  readonly attributes: Attributes;
  readonly boundaries: readonly number[];
  readonly #target: HistogramTarget;
  /** Own buckets, made on first use. */
  counts: number[] | undefined;
  count = 0;
  sum = 0;
  min: number = Number.POSITIVE_INFINITY;
  max: number = Number.NEGATIVE_INFINITY;

  constructor(attributes: Attributes, boundaries: readonly number[], target: HistogramTarget) {
    this.attributes = attributes;
    this.boundaries = boundaries;
    this.#target = target;
  }

  /**
   * Never throws. Negative values and NaN are dropped, as by OpenTelemetry's own histograms.
   *
   * @param value - in the metric's unit; durations in seconds
   */
  record(value: number): void {
    const target = this.#target;
    if (target.ownBuckets) {
      this.#add(value);
    } else if (target.recorder !== undefined) {
      try {
        target.recorder.record(value, this.attributes);
      } catch (error) {
        target.onError(error);
      }
    }
  }

  #add(value: number): void {
    if (!(value >= 0)) return;
    const { boundaries } = this;
    this.counts ??= new Array<number>(boundaries.length + 1).fill(0);
    // Upper-inclusive, as OpenTelemetry defines explicit buckets. Binary search.
    let low = 0;
    let high = boundaries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (boundaries[middle] as number)) high = middle;
      else low = middle + 1;
    }
    this.counts[low] = (this.counts[low] as number) + 1;
    this.count += 1;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }
}

/** A histogram metric with its series. */
export class HistogramFamily {
  readonly definition: MetricDefinition;
  readonly target: HistogramTarget;
  readonly series: Map<string, HistogramSeries> = new Map();

  constructor(definition: MetricDefinition, onError: (error: unknown) => void) {
    this.definition = definition;
    this.target = { recorder: undefined, onError, ownBuckets: false };
  }

  get boundaries(): readonly number[] {
    return this.definition.boundaries ?? DURATION_BOUNDARIES;
  }

  of(attributes: Attributes): HistogramSeries {
    const key = seriesKey(attributes);
    let series = this.series.get(key);
    if (series === undefined) {
      series = new HistogramSeries(attributes, this.boundaries, this.target);
      this.series.set(key, series);
    }
    return series;
  }
}
