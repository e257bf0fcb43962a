import type { Tracer, TracerProvider } from '@opentelemetry/api';
import type { Counts, Variants } from './counters.ts';
import type { Attributes, Cell, MetricDefinition } from './definitions.ts';
import type { ReadLevels } from './levels.ts';
import type { Life } from './life.ts';
import { type LoggerProvider, loggerOf, type RecordLogger } from './process-api.ts';
import type { InstrumentationScope, ScopeOptions } from './scope.ts';
import { SCHEMA_URL } from './semconv.ts';
import type { HistogramSeries, Live } from './series.ts';

/** Where the signals of a scope go. */
interface Destinations {
  /** The scope of the registered providers. */
  readonly shared: InstrumentationScope;
  readonly metrics: InstrumentationScope;
  /** @defaultValue that of the shared scope */
  readonly tracerProvider: TracerProvider | undefined;
  /** @defaultValue that of the shared scope */
  readonly loggerProvider: LoggerProvider | undefined;
}

/** The telemetry of a package, some of which goes to other providers than the registered ones. */
export class OwnScope implements InstrumentationScope {
  readonly name: string;
  readonly live: Live;
  readonly #destinations: Destinations;
  readonly #version: string;
  #tracer: Tracer | undefined;

  constructor({ name, version }: ScopeOptions, destinations: Destinations) {
    this.name = name;
    this.#version = version;
    this.#destinations = destinations;
    const { shared, metrics, tracerProvider } = destinations;
    this.live = {
      get metrics() {
        return metrics.live.metrics;
      },
      get traces() {
        return tracerProvider !== undefined || shared.live.traces;
      },
    };
  }

  get tracer(): Tracer | undefined {
    const { shared, tracerProvider } = this.#destinations;
    if (tracerProvider === undefined) return shared.tracer;
    this.safely(() => {
      this.#tracer ??= tracerProvider.getTracer(this.name, this.#version, {
        schemaUrl: SCHEMA_URL,
      });
    });
    return this.#tracer;
  }

  get logger(): RecordLogger | undefined {
    const { shared, loggerProvider } = this.#destinations;
    return loggerProvider === undefined
      ? shared.logger
      : loggerOf(loggerProvider, this.name, this.#version);
  }

  counts<K extends string>(
    owner: object,
    definition: MetricDefinition,
    base: Attributes,
    variants: Variants<K>,
  ): Counts<K> {
    return this.#destinations.metrics.counts(owner, definition, base, variants);
  }

  counter(definition: MetricDefinition, attributes: Attributes, base?: Attributes): Cell {
    return this.#destinations.metrics.counter(definition, attributes, base);
  }

  histogram(
    definition: MetricDefinition,
    attributes: Attributes,
    base?: Attributes,
  ): HistogramSeries {
    return this.#destinations.metrics.histogram(definition, attributes, base);
  }

  observe<T extends object>(
    owner: T,
    read: ReadLevels<T>,
    ended?: (owner: object) => void,
  ): Disposable {
    return this.#destinations.metrics.observe(owner, read, ended);
  }

  release(owner: object): void {
    this.#destinations.metrics.release(owner);
  }

  life(base: Attributes): Life {
    return this.#destinations.metrics.life(base);
  }

  safely(work: () => void): void {
    this.#destinations.shared.safely(work);
  }
}
