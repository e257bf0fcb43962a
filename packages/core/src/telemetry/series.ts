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
      ([key, attributes]) => [key, this.family.of(joinAttributes(this.#base, attributes))] as const,
    );
    return this.#series;
  }
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
  readonly #target: HistogramTarget;
  /** Own buckets by the key of their shape, made on first use. */
  buckets: Map<string, Buckets> | undefined;
  /** The shapes that are filled at present, and their buckets. */
  #shapes: readonly BucketShape[] = [];
  #filled: readonly Buckets[] = [];

  constructor(attributes: Attributes, target: HistogramTarget) {
    this.attributes = attributes;
    this.#target = target;
  }

  /**
   * Never throws. Negative values and NaN are dropped, as by OpenTelemetry's own histograms.
   *
   * @param value - in the metric's unit; durations in seconds
   */
  record(value: number): void {
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

  of(attributes: Attributes): HistogramSeries {
    const key = seriesKey(attributes);
    let series = this.series.get(key);
    if (series === undefined) {
      series = new HistogramSeries(attributes, this.target);
      this.series.set(key, series);
    }
    return series;
  }
}
