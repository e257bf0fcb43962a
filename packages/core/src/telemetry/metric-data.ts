import { ExplicitBuckets, type ExponentialBuckets } from './buckets.ts';
import type { Attributes } from './definitions.ts';
import type { Buckets } from './series.ts';

export type HrTime = [number, number];

/** OpenTelemetry SDK's `DataPointType`, `AggregationTemporality` and `ValueType.DOUBLE`. */
export const HISTOGRAM = 0;
export const EXPONENTIAL_HISTOGRAM = 1;
export const GAUGE = 2;
export const SUM = 3;
export const DELTA = 0;
export const CUMULATIVE = 1;
export const DOUBLE = 1;

export interface Point<T> {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly attributes: Attributes;
  readonly value: T;
}

export interface MetricBase {
  readonly descriptor: {
    readonly name: string;
    readonly description: string;
    readonly unit: string;
    // biome-ignore lint/suspicious/noExplicitAny: an enum of the SDK, which only version 1 has here
    readonly type: any;
    readonly valueType: typeof DOUBLE;
    readonly advice: object;
  };
  readonly aggregationTemporality: typeof DELTA | typeof CUMULATIVE;
}

interface Summary {
  readonly sum: number;
  readonly count: number;
  readonly min?: number;
  readonly max?: number;
}

interface HistogramValue extends Summary {
  readonly buckets: { boundaries: number[]; counts: number[] };
}

interface ExponentialValue extends Summary {
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: { offset: number; bucketCounts: number[] };
  readonly negative: { offset: number; bucketCounts: number[] };
}

export type ProducedMetric = MetricBase &
  (
    | { readonly dataPointType: typeof SUM; dataPoints: Point<number>[]; isMonotonic: boolean }
    | { readonly dataPointType: typeof GAUGE; dataPoints: Point<number>[] }
    | { readonly dataPointType: typeof HISTOGRAM; dataPoints: Point<HistogramValue>[] }
    | {
        readonly dataPointType: typeof EXPONENTIAL_HISTOGRAM;
        dataPoints: Point<ExponentialValue>[];
      }
  );

interface EmptyResource {
  readonly attributes: Record<string, never>;
  // biome-ignore lint/suspicious/noExplicitAny: the SDK's Resource, which core does not depend on
  merge(other: any): any;
  getRawAttributes(): [];
}

/** The shape of the SDK's `MetricProducer`, stated here so that core needs no SDK. */
export interface TemperMetricProducer {
  collect(): Promise<{
    resourceMetrics: {
      resource: EmptyResource;
      scopeMetrics: {
        scope: { name: string; version: string; schemaUrl: string };
        metrics: ProducedMetric[];
      }[];
    };
    errors: unknown[];
  }>;
}

export const NO_RESOURCE: EmptyResource = {
  attributes: {},
  merge: (other) => other ?? NO_RESOURCE,
  getRawAttributes: () => [],
};

/** A histogram's point: its buckets in the SDK's form. */
export function histogramPoint(
  point: Point<Buckets>,
  minMax: boolean,
): Point<HistogramValue | ExponentialValue> {
  return { ...point, value: sdkValue(point.value, summaryOf(point.value, minMax)) };
}

function summaryOf({ sum, count, min, max }: Buckets, minMax: boolean): Summary {
  return minMax && !Number.isNaN(min) ? { sum, count, min, max } : { sum, count };
}

function sdkValue(buckets: Buckets, summary: Summary): HistogramValue | ExponentialValue {
  if (buckets instanceof ExplicitBuckets) {
    const { boundaries, counts } = buckets;
    return { ...summary, buckets: { boundaries: [...boundaries], counts: [...counts] } };
  }
  const { scale, zeroCount, offset, counts } = buckets as ExponentialBuckets;
  return {
    ...summary,
    // Of zeros alone any scale is right, and the SDK sends this one.
    scale: zeroCount === summary.count ? 0 : scale,
    zeroCount,
    positive: { offset, bucketCounts: [...counts] },
    negative: { offset: 0, bucketCounts: [] },
  };
}

export function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
