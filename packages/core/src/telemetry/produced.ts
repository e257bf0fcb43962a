import type { CounterSeries } from './counters.ts';
import { type Attributes, OVERFLOW } from './definitions.ts';
import type { Stream } from './metric-views.ts';
import { ATTR_POLICY_NAME } from './semconv.ts';
import { type BucketShape, type Buckets, type HistogramSeries, seriesKey } from './series.ts';

const OVERFLOW_KEY: string = seriesKey(OVERFLOW);

/** What the series of a metric that fall into one series of a stream come to. */
export interface Output<T> {
  readonly attributes: Attributes;
  value: T;
  /** Wall-clock time in milliseconds since which it counts; `undefined` for the start of the process. */
  since: number | undefined;
  /** Whether a policy that lives, or any policy to come, counts in it. */
  isLiving: boolean;
}

/** The series of a stream that a series of the metric falls into. */
export interface Place {
  readonly key: string;
  readonly attributes: Attributes;
}

/** A series that is counted or recorded in. */
type Source = CounterSeries | HistogramSeries;

/** How values of a kind add up. */
interface Adding<S extends Source, T> {
  /** @returns `undefined` when there is nothing to report */
  valueOf(series: S): T | undefined;
  empty(): T;
  add(sum: T, value: T): T;
}

export const COUNTS: Adding<CounterSeries, number> = {
  valueOf: ({ total }) => total,
  empty: () => 0,
  add: (sum, value) => sum + value,
};

/** Buckets of this shape. */
export function recordings(shape: BucketShape): Adding<HistogramSeries, Buckets> {
  return {
    valueOf: ({ buckets }) => {
      const own = buckets?.get(shape.key);
      return own === undefined || own.count === 0 ? undefined : own;
    },
    empty: () => shape.create(),
    add: (sum, value) => {
      sum.merge(value);
      return sum;
    },
  };
}

/** A stream with what it needs between collections. */
export class Produced {
  readonly stream: Stream;
  /** What was reported of each series by then, where differences are reported. */
  before: Map<string, Output<number | Buckets>> = new Map();
  /** By the series of the metric, or by the attributes of a level. A series keeps its place. */
  readonly #places = new WeakMap<object, Place>();
  /** What series have counted that were dropped. */
  readonly #carried = new Map<string, Output<number | Buckets>>();

  /** Whether each series of the metric is one of the stream. */
  get #keepsAll(): boolean {
    const { attributesOf, limit } = this.stream;
    return attributesOf === undefined && limit === Number.POSITIVE_INFINITY;
  }

  constructor(stream: Stream) {
    this.stream = stream;
  }

  /** The series of the stream as of now. */
  gather<S extends Source, T extends number | Buckets>(
    series: Iterable<readonly [key: string, series: S]>,
    adding: Adding<S, T>,
  ): Map<string, Output<T>> {
    const outputs = new Map<string, Output<T>>();
    for (const [key, each] of series) {
      const value = adding.valueOf(each);
      if (value === undefined) continue;
      const { attributes, life } = each;
      const isLiving = life?.hasEnded !== true;
      if (this.#keepsAll) {
        addTo(outputs, key, attributes, adding, value, life?.since, isLiving);
      } else {
        const place = this.place(each, key, attributes, outputs);
        addTo(outputs, place.key, place.attributes, adding, value, life?.since, isLiving);
      }
    }
    for (const [key, carried] of this.#carried as Map<string, Output<T>>) {
      const { attributes, value, since } = carried;
      // What names no policy goes on with the next one.
      const isLiving = !(ATTR_POLICY_NAME.name in attributes);
      if (isLiving || outputs.has(key)) {
        addTo(outputs, key, attributes, adding, value, since, isLiving);
      } else this.#carried.delete(key);
    }
    return outputs;
  }

  /** Keeps what a series has counted in the series of the stream that others count in as well. */
  carry<S extends Source, T extends number | Buckets>(series: S, adding: Adding<S, T>): void {
    const { attributes, life } = series;
    const place = this.#keepsAll
      ? { key: seriesKey(attributes), attributes }
      : this.#places.get(series);
    const value = adding.valueOf(series);
    if (place === undefined || value === undefined) return;
    const carried = this.#carried as Map<string, Output<T>>;
    addTo(carried, place.key, place.attributes, adding, value, life?.since, false);
  }

  /**
   * @param source - the series, or a level's attributes
   * @param taken - by key, the places that are taken
   */
  place(
    source: object,
    ownKey: string,
    ownAttributes: Attributes,
    taken: ReadonlyMap<string, unknown>,
  ): Place {
    const { attributesOf, limit } = this.stream;
    let place = this.#places.get(source);
    if (place === undefined) {
      place = { key: ownKey, attributes: ownAttributes };
      if (attributesOf !== undefined) {
        const attributes = { ...attributesOf(ownAttributes) };
        place = { key: seriesKey(attributes), attributes };
      }
      // As in the SDK, one of the places is that of the overflow.
      if (taken.size >= limit - 1 && !taken.has(place.key)) {
        place = { key: OVERFLOW_KEY, attributes: OVERFLOW };
      }
      this.#places.set(source, place);
    }
    return place;
  }
}

function addTo<T>(
  outputs: Map<string, Output<T>>,
  key: string,
  attributes: Attributes,
  { add, empty }: Pick<Adding<never, T>, 'add' | 'empty'>,
  value: T,
  since: number | undefined,
  isLiving: boolean,
): void {
  const output = outputs.get(key);
  if (output === undefined) {
    outputs.set(key, { attributes, value: add(empty(), value), since, isLiving });
    return;
  }
  output.value = add(output.value, value);
  output.isLiving ||= isLiving;
  if (since === undefined || output.since === undefined) output.since = undefined;
  else output.since = Math.min(output.since, since);
}
