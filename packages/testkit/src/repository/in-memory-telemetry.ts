import { context, diag, logs, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type ReadableLogRecord,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs';
import {
  type CollectionResult,
  MeterProvider,
  type MetricData,
  type MetricProducer,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

class CollectingReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** One exported value of a metric. */
export interface Point {
  readonly attributes: Readonly<Record<string, unknown>>;
  /** A number, or a histogram's `{ count, sum, buckets, … }`. */
  readonly value: unknown;
}

/** Which signals to register. All three by default. */
export interface TelemetryOptions {
  readonly metrics?: boolean;
  readonly traces?: boolean;
  readonly logs?: boolean;
  readonly metricProducers?: MetricProducer[];
  readonly sampler?: Sampler;
}

/** The real SDK with exporters in memory, registered globally until {@link close}. */
export class InMemoryTelemetry {
  readonly #spans = new InMemorySpanExporter();
  readonly #logs = new InMemoryLogRecordExporter();
  readonly #reader: CollectingReader;
  readonly #meterProvider: MeterProvider;
  readonly #tracerProvider: TracerProvider;
  readonly #loggerProvider: LoggerProvider;

  constructor(options: TelemetryOptions = {}) {
    unregister();
    this.#reader = new CollectingReader({ metricProducers: options.metricProducers ?? [] });
    this.#meterProvider = new MeterProvider({ readers: [this.#reader] });
    this.#tracerProvider = new TracerProvider({
      spanProcessors: [new SimpleSpanProcessor({ exporter: this.#spans })],
      ...(options.sampler === undefined ? {} : { sampler: options.sampler }),
    });
    this.#loggerProvider = new LoggerProvider({
      processors: [new SimpleLogRecordProcessor({ exporter: this.#logs })],
    });
    if (options.metrics !== false) metrics.setGlobalMeterProvider(this.#meterProvider);
    if (options.traces !== false) {
      context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
      trace.setGlobalTracerProvider(this.#tracerProvider);
    }
    if (options.logs !== false) logs.setGlobalLoggerProvider(this.#loggerProvider);
  }

  /** For what is given its providers, whichever are registered. */
  get providers(): {
    readonly meterProvider: MeterProvider;
    readonly tracerProvider: TracerProvider;
    readonly loggerProvider: LoggerProvider;
  } {
    return {
      meterProvider: this.#meterProvider,
      tracerProvider: this.#tracerProvider,
      loggerProvider: this.#loggerProvider,
    };
  }

  /** All that a reader collects. Rejects with the first error of a callback. */
  async collect(): Promise<CollectionResult> {
    const result = await this.#reader.collect();
    if (result.errors.length > 0) throw result.errors[0];
    return result;
  }

  /** Every metric with at least one series, by name. Of two scopes' metrics of one name, the last. */
  async metrics(): Promise<ReadonlyMap<string, MetricData>> {
    const { resourceMetrics } = await this.collect();
    return new Map(
      resourceMetrics.scopeMetrics.flatMap((scope) =>
        scope.metrics.map((metric) => [metric.descriptor.name, metric] as const),
      ),
    );
  }

  /** The series of one metric, of all scopes: a series that is exported twice is here twice. */
  async points(name: string, where: Readonly<Record<string, unknown>> = {}): Promise<Point[]> {
    const { resourceMetrics } = await this.collect();
    return resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .filter((metric) => metric.descriptor.name === name)
      .flatMap((metric) => [...metric.dataPoints])
      .map(({ attributes, value }) => ({ attributes, value }))
      .filter(({ attributes }) =>
        Object.entries(where).every(([key, value]) => attributes[key] === value),
      );
  }

  /** The value of the one series that matches; `undefined` when there is none. */
  async value(name: string, where: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const points = await this.points(name, where);
    if (points.length > 1) throw new Error(`${points.length} series of ${name} match.`);
    return points[0]?.value;
  }

  /** Finished spans, in order of their end. */
  get spans(): readonly ReadableSpan[] {
    return this.#spans.getFinishedSpans();
  }

  /** Emitted log records. */
  get logs(): readonly ReadableLogRecord[] {
    return this.#logs.getFinishedLogRecords();
  }

  /** Forgets spans and logs so far. Counters go on. */
  reset(): void {
    this.#spans.reset();
    this.#logs.reset();
  }

  /** Unregisters everything, as if there had never been an SDK. */
  async close(): Promise<void> {
    unregister();
    await Promise.all([
      this.#meterProvider.shutdown(),
      this.#tracerProvider.shutdown(),
      this.#loggerProvider.shutdown(),
    ]);
  }
}

function unregister(): void {
  metrics.disable();
  trace.disable();
  context.disable();
  logs.disable();
  diag.disable();
}
