import { type Attributes, DURATION_BOUNDARIES, type MetricDefinition } from './definitions.ts';

/** One counted series. Add to {@link value}; nothing else is needed. */
export interface Cell {
  value: number;
}

/** What is switched on in this process, as plain fields that a call can afford to read. */
export interface Live {
  /** A meter provider is registered, so durations are worth taking. */
  readonly metrics: boolean;
  /** A tracer provider is registered, so spans go somewhere. */
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

/** A counted metric with its series, which live as long as the process. */
export class CounterFamily {
  readonly definition: MetricDefinition;
  readonly series: Map<string, { readonly attributes: Attributes; readonly cell: Cell }> =
    new Map();

  constructor(definition: MetricDefinition) {
    this.definition = definition;
  }

  cell(attributes: Attributes): Cell {
    const key = seriesKey(attributes);
    let series = this.series.get(key);
    if (series === undefined) {
      series = { attributes, cell: { value: 0 } };
      this.series.set(key, series);
    }
    return series.cell;
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
  /** Hears what the recorder throws. */
  readonly onError: (error: unknown) => void;
  /** Whether a metric producer reads our own buckets, which then replace the instrument. */
  ownBuckets: boolean;
}

/** One series of a histogram. Records nothing while nobody would read it. */
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
   * Never throws. What is negative or NaN is dropped, as OpenTelemetry's own histograms do.
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
