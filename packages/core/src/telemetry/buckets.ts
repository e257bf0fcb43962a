import type { BucketShape, Buckets } from './series.ts';

/** Buckets between these boundaries, in ascending order. */
export function explicitShape(boundaries: readonly number[]): BucketShape {
  return {
    key: boundaries.join(),
    isExplicit: true,
    create: () => new ExplicitBuckets(boundaries),
  };
}

/** @param maxSize - most buckets, from 2 */
export function exponentialShape(maxSize: number): BucketShape {
  return {
    key: `exponential ${maxSize}`,
    isExplicit: false,
    create: () => new ExponentialBuckets(maxSize),
  };
}

abstract class CountedBuckets implements Buckets {
  count = 0;
  sum = 0;
  min: number = Number.POSITIVE_INFINITY;
  max: number = Number.NEGATIVE_INFINITY;

  add(value: number): void {
    if (!(value >= 0)) return;
    this.increment(value);
    this.count += 1;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  merge(other: this): void {
    this.combine(other, 1);
    this.count += other.count;
    this.sum += other.sum;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  subtract(earlier: this): void {
    this.combine(earlier, -1);
    this.count -= earlier.count;
    this.sum -= earlier.sum;
    this.min = Number.NaN;
    this.max = Number.NaN;
  }

  protected abstract increment(value: number): void;
  protected abstract combine(other: this, sign: 1 | -1): void;
}

/** Buckets between given boundaries, each with its upper one, as OpenTelemetry defines them. */
export class ExplicitBuckets extends CountedBuckets {
  readonly boundaries: readonly number[];
  readonly counts: number[];

  constructor(boundaries: readonly number[]) {
    super();
    this.boundaries = boundaries;
    this.counts = new Array<number>(boundaries.length + 1).fill(0);
  }

  protected increment(value: number): void {
    const { boundaries, counts } = this;
    let low = 0;
    let high = boundaries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (boundaries[middle] as number)) high = middle;
      else low = middle + 1;
    }
    counts[low] = (counts[low] as number) + 1;
  }

  protected combine({ counts }: this, sign: 1 | -1): void {
    for (let i = 0; i < counts.length; i++) {
      this.counts[i] = (this.counts[i] as number) + sign * (counts[i] as number);
    }
  }
}

/** The finest scale, as OpenTelemetry's SDKs begin with it. */
const MAX_SCALE = 20;
const EXPONENT_BIAS = 1023;
const SMALLEST_NORMAL = 2 ** -1022;

const double = new DataView(new ArrayBuffer(8));

/**
 * OpenTelemetry's exponential histogram: bucket `i` holds what is above `base ** i` and at most
 * `base ** (i + 1)`, where `base` is `2 ** 2 ** -scale`. The scale begins at 20, the finest, and falls
 * when the values span more than `maxSize` buckets.
 *
 * Source: the OpenTelemetry metrics data model, "ExponentialHistogram".
 */
export class ExponentialBuckets extends CountedBuckets {
  readonly maxSize: number;
  scale: number = MAX_SCALE;
  zeroCount = 0;
  /** Index of the first bucket. */
  offset = 0;
  counts: number[] = [];

  constructor(maxSize: number) {
    super();
    this.maxSize = maxSize;
  }

  protected increment(value: number): void {
    if (value === 0) {
      this.zeroCount += 1;
      return;
    }
    if (value === Number.POSITIVE_INFINITY) value = Number.MAX_VALUE;
    this.#cover(bucketIndex(value, this.scale));
    const index = bucketIndex(value, this.scale) - this.offset;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
  }

  protected combine(other: this, sign: 1 | -1): void {
    this.zeroCount += sign * other.zeroCount;
    if (other.counts.length === 0) return;
    if (other.scale < this.scale) this.#coarsen(this.scale - other.scale);
    const last = other.offset + other.counts.length - 1;
    this.#cover(other.offset >> (other.scale - this.scale));
    this.#cover(last >> (other.scale - this.scale));
    // Covering may have made the buckets coarser.
    const shift = other.scale - this.scale;
    for (let i = 0; i < other.counts.length; i++) {
      const index = ((other.offset + i) >> shift) - this.offset;
      this.counts[index] = (this.counts[index] ?? 0) + sign * (other.counts[i] as number);
    }
  }

  /** Makes room for a bucket of the present scale. Afterwards the scale may be another. */
  #cover(index: number): void {
    if (this.counts.length === 0) {
      this.offset = index;
      this.counts = [0];
      return;
    }
    let low = Math.min(index, this.offset);
    let high = Math.max(index, this.offset + this.counts.length - 1);
    let steps = 0;
    while (high - low >= this.maxSize) {
      low >>= 1;
      high >>= 1;
      steps += 1;
    }
    this.#coarsen(steps);
    if (low < this.offset) {
      this.counts.unshift(...new Array<number>(this.offset - low).fill(0));
      this.offset = low;
    }
    while (this.counts.length <= high - this.offset) this.counts.push(0);
  }

  /** Joins `2 ** steps` buckets into one. */
  #coarsen(steps: number): void {
    if (steps === 0) return;
    this.scale -= steps;
    if (this.counts.length === 0) return;
    const first = this.offset >> steps;
    const joined: number[] = [];
    for (let i = 0; i < this.counts.length; i++) {
      const index = ((this.offset + i) >> steps) - first;
      joined[index] = (joined[index] ?? 0) + (this.counts[i] as number);
    }
    this.offset = first;
    this.counts = joined;
  }
}

/** Index of the bucket that holds a positive value. */
function bucketIndex(value: number, scale: number): number {
  double.setFloat64(0, Math.max(value, SMALLEST_NORMAL));
  const high = double.getUint32(0);
  const exponent = ((high >>> 20) & 0x7ff) - EXPONENT_BIAS;
  const isPowerOfTwo = (high & 0xfffff) === 0 && double.getUint32(4) === 0;
  if (scale <= 0) return (isPowerOfTwo ? exponent - 1 : exponent) >> -scale;
  // Exact where a logarithm would not be.
  if (isPowerOfTwo) return exponent * 2 ** scale - 1;
  const index = Math.ceil(Math.log(value) * Math.LOG2E * 2 ** scale) - 1;
  return Math.min(index, (EXPONENT_BIAS + 1) * 2 ** scale - 1);
}
