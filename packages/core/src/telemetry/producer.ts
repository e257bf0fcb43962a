import { systemClock } from '../clock.ts';
import { checkKnown, checkNumber, checkOneOf } from '../options.ts';
import type { MetricDefinition } from './definitions.ts';
import { hub } from './hub.ts';
import { type Levels, mergeLevel, onlyWorst } from './levels.ts';
import {
  CUMULATIVE,
  DELTA,
  DOUBLE,
  EXPONENTIAL_HISTOGRAM,
  GAUGE,
  HISTOGRAM,
  type HrTime,
  histogramPoint,
  hrTime,
  type MetricBase,
  NO_RESOURCE,
  type Point,
  type ProducedMetric,
  SUM,
  type TemperMetricProducer,
} from './metric-data.ts';
import { checkView, type MetricView, type Stream, streamsOf } from './metric-views.ts';
import { COUNTS, type Output, Produced, recordings } from './produced.ts';
import { type ProducerEntry, Producers, type ScopeName } from './producers.ts';
import type { Scope } from './scope.ts';
import { SCHEMA_URL } from './semconv.ts';
import { type BucketShape, type Buckets, seriesKey } from './series.ts';

/** Options of {@link temperMetricProducer}. */
export interface MetricProducerOptions {
  /**
   * Of counters and histograms; up-down counters and gauges have none. Choose what the exporter of the
   * reader is set to: Prometheus needs `cumulative`.
   * @defaultValue 'cumulative'
   */
  readonly temporality?: 'cumulative' | 'delta' | undefined;
  /**
   * The views of the `MeterProvider`, which do not apply to what a producer returns: pass them here too.
   * @defaultValue none
   */
  readonly views?: readonly MetricView[] | undefined;
  /**
   * Most series of a metric, from 1. What is beyond them adds up in one series with the attribute
   * `otel.metric.overflow`.
   * @defaultValue Infinity, as there are as many as the policies you name
   */
  readonly cardinalityLimit?: number | undefined;
}

const OWNER = 'temperMetricProducer';

/**
 * All metrics of Temper, read from its own counts. Pass one to each metric reader before the SDK starts:
 *
 * ```ts
 * new PrometheusExporter({ metricProducers: [temperMetricProducer()] })
 * ```
 *
 * From then on no Temper metric goes through an instrument of the SDK. A duration costs an addition in
 * place of a `histogram.record`; a scrape does not hash the attributes of every series; views, limits
 * and policies of one name add up as each metric means it; a level ends with its last policy. A reader
 * without a producer sees no Temper metrics. Readers take producers from version 1.17 of the SDK on;
 * where none reads it, a warning is logged on `diag`. After `metrics.disable()` it returns nothing.
 *
 * @throws {TypeError | RangeError} for an unknown option, a value out of range, a view that selects
 * nothing in particular
 */
export function temperMetricProducer(options: MetricProducerOptions = {}): TemperMetricProducer {
  checkKnown(OWNER, options, ['temporality', 'views', 'cardinalityLimit']);
  const { temporality = 'cumulative', views = [], cardinalityLimit = Infinity } = options;
  checkOneOf(OWNER, 'temporality', temporality, ['cumulative', 'delta']);
  checkNumber(OWNER, 'cardinalityLimit', cardinalityLimit, { min: 1, integer: true });
  for (const [index, view] of views.entries()) checkView(OWNER, index, view);
  return new Producer(temporality === 'delta', views, cardinalityLimit);
}

class Producer implements TemperMetricProducer {
  readonly #temporality: typeof DELTA | typeof CUMULATIVE;
  readonly #views: readonly MetricView[];
  readonly #limit: number;
  /** By scope, then by metric. */
  readonly #streams = new Map<string, Map<string, readonly Produced[]>>();
  readonly #entry: ProducerEntry;
  readonly #startedAt: HrTime = hrTime(hub().startedAt);
  /** Of the interval that is reported next. */
  #since: HrTime = this.#startedAt;

  constructor(delta: boolean, views: readonly MetricView[], limit: number) {
    this.#temporality = delta ? DELTA : CUMULATIVE;
    this.#views = views;
    this.#limit = limit;
    const producers = hub().producers((rebind, current) => new Producers(rebind, current));
    this.#entry = producers.add(
      (scope, definition) =>
        definition.instrument === 'histogram'
          ? this.#streamsOf(scope, definition).flatMap(({ stream: { shape } }) => shape ?? [])
          : [],
      (scope, definition, series) => {
        for (const produced of this.#streamsOf(scope, definition)) {
          const { shape } = produced.stream;
          if ('cell' in series) produced.carry(series, COUNTS);
          else if (shape !== undefined) produced.carry(series, recordings(shape));
        }
      },
    );
  }

  async collect(): ReturnType<TemperMetricProducer['collect']> {
    const shared = hub();
    const scopeMetrics = [];
    if (this.#entry.ask()) {
      const now = hrTime(systemClock.now());
      for (const scope of shared.scopes.values()) {
        const metrics = this.#collectScope(scope, now);
        scope.collected(this.#entry);
        if (metrics.length === 0) continue;
        const { name, version } = scope;
        scopeMetrics.push({ scope: { name, version, schemaUrl: SCHEMA_URL }, metrics });
      }
      if (this.#temporality === DELTA) this.#since = now;
    }
    return { resourceMetrics: { resource: NO_RESOURCE, scopeMetrics }, errors: [] };
  }

  #collectScope(scope: Scope, now: HrTime): ProducedMetric[] {
    const metrics: ProducedMetric[] = [];
    scope.readTotals();
    for (const { definition, series } of scope.counters.values()) {
      for (const produced of this.#streamsOf(scope, definition)) {
        this.#push(metrics, this.#sum(produced, produced.gather(series, COUNTS), now));
      }
    }
    for (const { definition, series } of scope.histograms.values()) {
      for (const produced of this.#streamsOf(scope, definition)) {
        const { shape } = produced.stream;
        if (shape === undefined) continue;
        const outputs = produced.gather(series, recordings(shape));
        this.#push(metrics, this.#histogram(produced, outputs, now));
      }
    }
    for (const [{ stream }, levels] of this.#levels(scope)) {
      this.#push(metrics, {
        ...this.#base(stream, CUMULATIVE),
        ...(stream.kind === 'gauge'
          ? { dataPointType: GAUGE }
          : { dataPointType: SUM, isMonotonic: false }),
        dataPoints: [...levels.values()].map(({ attributes, value }) => ({
          startTime: this.#startedAt,
          endTime: now,
          attributes,
          value,
        })),
      });
    }
    return metrics;
  }

  #push(metrics: ProducedMetric[], metric: ProducedMetric): void {
    if (metric.dataPoints.length > 0) metrics.push(metric);
  }

  /** The levels of all living owners in each stream. */
  #levels(scope: Scope): Map<Produced, Levels> {
    const all = new Map<Produced, Levels>();
    scope.readLevels((definition, attributes, value) => {
      for (const produced of this.#streamsOf(scope, definition)) {
        let levels = all.get(produced);
        if (levels === undefined) {
          levels = new Map();
          all.set(produced, levels);
        }
        const own = produced.place(attributes, seriesKey(attributes), attributes, levels);
        mergeLevel(levels, definition, own.key, own.attributes, value);
      }
    });
    for (const [{ stream }, levels] of all) onlyWorst(levels, stream.definition);
    return all;
  }

  #sum(produced: Produced, sums: Map<string, Output<number>>, now: HrTime): ProducedMetric {
    const points = this.#points(produced, sums, now, (value, before) =>
      value === before ? undefined : value - before,
    );
    return {
      ...this.#base(produced.stream, this.#temporality),
      dataPointType: SUM,
      isMonotonic: true,
      dataPoints: points,
    };
  }

  #histogram(
    produced: Produced,
    outputs: Map<string, Output<Buckets>>,
    now: HrTime,
  ): ProducedMetric {
    const { stream } = produced;
    if (stream.kind === 'sum') {
      const sums = new Map(
        [...outputs].map(([key, output]) => [key, { ...output, value: output.value.sum }]),
      );
      return this.#sum(produced, sums, now);
    }
    const points = this.#points(produced, outputs, now, (value, before) => {
      if (value.count === before.count) return undefined;
      const since = (stream.shape as BucketShape).create();
      since.merge(value);
      since.subtract(before);
      return since;
    });
    return {
      ...this.#base(stream, this.#temporality),
      dataPointType: stream.shape?.isExplicit ? HISTOGRAM : EXPONENTIAL_HISTOGRAM,
      // Each point has buckets of the stream's shape.
      dataPoints: points.map((point) => histogramPoint(point, stream.minMax)),
    } as ProducedMetric;
  }

  /**
   * The points of a counter or histogram: all of it, or what was added since the last collection, where
   * anything was. A new series is reported at 0 as well.
   */
  #points<T extends number | Buckets>(
    produced: Produced,
    outputs: Map<string, Output<T>>,
    endTime: HrTime,
    since: (value: T, before: T) => T | undefined,
  ): Point<T>[] {
    const isDelta = this.#temporality === DELTA;
    const points: Point<T>[] = [];
    for (const [key, output] of outputs) {
      const { attributes, value, isLiving } = output;
      const before = isDelta ? (produced.before.get(key)?.value as T | undefined) : undefined;
      if (!isLiving && before === undefined) continue;
      const reported = before === undefined ? value : since(value, before);
      if (reported === undefined) continue;
      const startTime = isDelta || output.since === undefined ? this.#since : hrTime(output.since);
      points.push({ startTime, endTime, attributes, value: reported });
    }
    if (isDelta) produced.before = outputs;
    return points;
  }

  #base(stream: Stream, aggregationTemporality: typeof DELTA | typeof CUMULATIVE): MetricBase {
    const { name, description, definition, type } = stream;
    const { unit } = definition;
    const descriptor = { name, description, unit, type, valueType: DOUBLE, advice: {} } as const;
    return { descriptor, aggregationTemporality };
  }

  #streamsOf(scope: ScopeName, definition: MetricDefinition): readonly Produced[] {
    let metrics = this.#streams.get(scope.name);
    if (metrics === undefined) {
      metrics = new Map();
      this.#streams.set(scope.name, metrics);
    }
    let streams = metrics.get(definition.name);
    if (streams === undefined) {
      streams = streamsOf(this.#views, this.#limit, scope, definition).map(
        (stream) => new Produced(stream),
      );
      metrics.set(definition.name, streams);
    }
    return streams;
  }
}
