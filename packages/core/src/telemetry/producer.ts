import { systemClock } from '../clock.ts';
import type { Attributes, MetricDefinition } from './definitions.ts';
import { hub } from './hub.ts';
import type { HistogramSeries } from './series.ts';

type HrTime = [number, number];

/** OpenTelemetry SDK's `DataPointType.HISTOGRAM`, `AggregationTemporality.CUMULATIVE`, `ValueType.DOUBLE`. */
const HISTOGRAM = 0;
const CUMULATIVE = 1;
const DOUBLE = 1;

interface HistogramPoint {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly attributes: Attributes;
  readonly value: {
    readonly buckets: { boundaries: number[]; counts: number[] };
    readonly sum: number;
    readonly count: number;
    readonly min: number;
    readonly max: number;
  };
}

interface HistogramData {
  readonly descriptor: {
    readonly name: string;
    readonly description: string;
    readonly unit: string;
    readonly valueType: typeof DOUBLE;
    readonly advice: object;
  };
  readonly aggregationTemporality: typeof CUMULATIVE;
  readonly dataPointType: typeof HISTOGRAM;
  readonly dataPoints: HistogramPoint[];
}

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
      scopeMetrics: { scope: { name: string; version: string }; metrics: HistogramData[] }[];
    };
    errors: unknown[];
  }>;
}

const NO_RESOURCE: EmptyResource = {
  attributes: {},
  merge: (other) => other ?? NO_RESOURCE,
  getRawAttributes: () => [],
};

/**
 * Durations at a twentieth of the price. Pass it to the metric reader before the SDK starts:
 *
 * ```ts
 * new PrometheusExporter({ metricProducers: [temperMetricProducer()] })
 * ```
 *
 * From then on every duration histogram of this process is kept in our own buckets, and read by that
 * reader, in place of one `histogram.record` per call. Temporality is always cumulative; a reader
 * without the producer sees no Temper histograms, and views do not apply to them.
 */
export function temperMetricProducer(): TemperMetricProducer {
  const shared = hub();
  shared.keepBuckets();
  return {
    collect: async () => {
      const startTime = hrTime(shared.startedAt);
      const endTime = hrTime(systemClock.now());
      const scopeMetrics = [];
      for (const scope of shared.scopes.values()) {
        const metrics: HistogramData[] = [];
        for (const { definition, series } of scope.histograms.values()) {
          const dataPoints = [...series.values()]
            .filter((one) => one.count > 0)
            .map((one) => point(one, startTime, endTime));
          if (dataPoints.length > 0) metrics.push(data(definition, dataPoints));
        }
        const { name, version } = scope;
        if (metrics.length > 0) scopeMetrics.push({ scope: { name, version }, metrics });
      }
      return { resourceMetrics: { resource: NO_RESOURCE, scopeMetrics }, errors: [] };
    },
  };
}

function data(definition: MetricDefinition, dataPoints: HistogramPoint[]): HistogramData {
  const { name, description, unit } = definition;
  return {
    descriptor: { name, description, unit, valueType: DOUBLE, advice: {} },
    aggregationTemporality: CUMULATIVE,
    dataPointType: HISTOGRAM,
    dataPoints,
  };
}

function point(series: HistogramSeries, startTime: HrTime, endTime: HrTime): HistogramPoint {
  const { attributes, boundaries, count, sum, min, max } = series;
  const counts = [...(series.counts ?? [])];
  const buckets = { boundaries: [...boundaries], counts };
  return { startTime, endTime, attributes, value: { buckets, sum, count, min, max } };
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
