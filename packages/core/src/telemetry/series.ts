import { type Attributes, DURATION_BOUNDARIES, type MetricDefinition } from './definitions.ts';
import type { Life } from './life.ts';

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

const joined = new WeakMap<Attributes, WeakMap<Attributes, Attributes>>();

/**
 * Two objects of attributes as one: the same object for the same two, so that its key is computed once.
 * Both should live as long as what they describe.
 */
export function joinAttributes(base: Attributes, variant: Attributes): Attributes {
  let variants = joined.get(base);
  if (variants === undefined) {
    variants = new WeakMap();
    joined.set(base, variants);
  }
  let both = variants.get(variant);
  if (both === undefined) {
    both = Object.freeze({ ...base, ...variant });
    variants.set(variant, both);
  }
  return both;
}

/** What a histogram series needs of OpenTelemetry's own. */
export interface Recorder {
  record(value: number, attributes: Attributes): void;
}

/** The observations of one series in buckets of one shape. */
export interface Buckets {
  count: number;
  sum: number;
  min: number;
  max: number;
  /** Negative values and NaN are dropped, as by OpenTelemetry's own histograms. */
  add(value: number): void;
  /** Adds all that another of the same shape holds. */
  merge(other: Buckets): void;
  /** Takes away what it held at an earlier time. What remains has no known minimum and maximum. */
  subtract(earlier: Buckets): void;
}

/** How observations are divided into buckets. */
export interface BucketShape {
  /** Equal for equal shapes. */
  readonly key: string;
  readonly isExplicit: boolean;
  /** Empty buckets. */
  create(): Buckets;
}

/** Where the observations of a histogram go at present. */
export interface HistogramTarget {
  readonly live: Live;
  /** The instrument of the registered provider, if there is one. */
  recorder: Recorder | undefined;
  /** Receives what the recorder throws. */
  readonly onError: (error: unknown) => void;
  /** The shapes of buckets that metric producers read. */
  shapes: readonly BucketShape[] | undefined;
}

/** One series of a histogram. Records nothing while there is no reader. */
export class HistogramSeries {
  readonly attributes: Attributes;
  readonly life: Life | undefined;
  /** Once the series is dropped: the one that takes its place. */
  successor: (() => HistogramSeries) | undefined;
  readonly #target: HistogramTarget;
  /** Own buckets by the key of their shape, made on first use. */
  buckets: Map<string, Buckets> | undefined;
  /** The shapes that are filled at present, and their buckets. */
  #shapes: readonly BucketShape[] = [];
  #filled: readonly Buckets[] = [];

  constructor(attributes: Attributes, target: HistogramTarget, life: Life | undefined) {
    this.attributes = attributes;
    this.life = life;
    this.successor = undefined;
    this.#target = target;
  }

  /**
   * Never throws. Negative values and NaN are dropped, as by OpenTelemetry's own histograms.
   *
   * @param value - in the metric's unit; durations in seconds
   */
  record(value: number): void {
    if (this.successor !== undefined) {
      this.successor().record(value);
      return;
    }
    const target = this.#target;
    if (target.shapes !== undefined) {
      if (this.#shapes !== target.shapes) this.#fill(target.shapes);
      for (const buckets of this.#filled) buckets.add(value);
    }
    if (target.recorder !== undefined && target.live.metrics) {
      try {
        target.recorder.record(value, this.attributes);
      } catch (error) {
        target.onError(error);
      }
    }
  }

  /** Adds the own buckets of another series. */
  merge(other: HistogramSeries): void {
    for (const [key, buckets] of other.buckets ?? []) {
      this.buckets ??= new Map();
      const own = this.buckets.get(key);
      if (own === undefined) this.buckets.set(key, buckets);
      else own.merge(buckets);
    }
  }

  #fill(shapes: readonly BucketShape[]): void {
    const known = this.buckets ?? new Map<string, Buckets>();
    this.buckets = known;
    this.#shapes = shapes;
    this.#filled = shapes.map(({ key, create }) => {
      const buckets = known.get(key) ?? create();
      known.set(key, buckets);
      return buckets;
    });
  }
}

/** A histogram metric with its series. */
export class HistogramFamily {
  readonly definition: MetricDefinition;
  readonly target: HistogramTarget;
  readonly series: Map<string, HistogramSeries> = new Map();

  constructor(definition: MetricDefinition, live: Live, onError: (error: unknown) => void) {
    this.definition = definition;
    this.target = { live, recorder: undefined, onError, shapes: undefined };
  }

  /** Keeps own buckets of these shapes, or none. */
  keep(shapes: readonly BucketShape[] | undefined): void {
    const distinct = new Map(shapes?.map((shape) => [shape.key, shape]));
    this.target.shapes = shapes && [...distinct.values()];
  }

  get boundaries(): readonly number[] {
    return this.definition.boundaries ?? DURATION_BOUNDARIES;
  }

  /** @param life - what the series ends with; it lives as long as the process without */
  of(attributes: Attributes, life?: Life): HistogramSeries {
    const key = seriesKey(attributes);
    let series = this.series.get(key);
    if (series === undefined) {
      series = new HistogramSeries(attributes, this.target, life);
      this.series.set(key, series);
      life?.note(key);
    }
    return series;
  }
}
