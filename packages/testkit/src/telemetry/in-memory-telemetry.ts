import * as api from '@opentelemetry/api';
import type { LogSource, MetricSource, SpanSource } from './recorded.ts';

/** Which signals to record. */
export interface TelemetryOptions {
  /**
   * @defaultValue all signals whose SDK is installed
   * @throws {Error} (as a rejection) when the SDK of a signal that is named here is not installed
   */
  readonly signals?: readonly ('traces' | 'metrics' | 'logs')[];
}

/** Telemetry of this process, in memory. Registered globally until {@link close}. */
export interface InMemoryTelemetry {
  /** Finished spans: for `expectSpan`. */
  readonly spans: SpanSource & readonly object[];
  /** Collects at each question: for `expectMetric`. */
  readonly metrics: MetricSource;
  /** Emitted log records: for `expectLog`. */
  readonly logs: LogSource & readonly object[];
  /** Forgets spans and logs so far. Counters go on. */
  reset(): void;
  /** Unregisters everything, as if there had never been an SDK. */
  close(): Promise<void>;
}

type Module = Record<string, new (...args: never[]) => object>;
type Signal = 'traces' | 'metrics' | 'logs';

/** Packages of each signal's SDK, the newest name first. */
const PACKAGES: Record<Signal, readonly string[]> = {
  traces: ['@opentelemetry/sdk-trace', '@opentelemetry/sdk-trace-base'],
  metrics: ['@opentelemetry/sdk-metrics'],
  logs: ['@opentelemetry/sdk-logs'],
};

/** A span or log processor of any SDK from 1.30 to 3. */
const processor = (kept: object[]) => ({
  onStart() {},
  onEnd: (span: object) => void kept.push(span),
  onEmit: (log: object) => void kept.push(log),
  forceFlush: async () => {},
  shutdown: async () => {},
});

/**
 * Registers the SDK that is installed, whichever from 1.30 to 3 it is, with all that it reports kept in
 * memory. No SDK is loaded before this is called.
 *
 * @throws {Error} (as a rejection) when no SDK is installed
 */
export async function inMemoryTelemetry(
  options: TelemetryOptions = {},
): Promise<InMemoryTelemetry> {
  const { signals } = options;
  const all = Object.keys(PACKAGES) as Signal[];
  const sdks = new Map<Signal, Module>();
  for (const signal of signals ?? all) {
    const sdk = await firstOf(PACKAGES[signal]);
    if (sdk !== undefined) sdks.set(signal, sdk);
    else if (signals !== undefined) throw missing(PACKAGES[signal]);
  }
  if (sdks.size === 0) throw missing(Object.values(PACKAGES).flat());
  unregister();
  const spans: object[] = [];
  const logs: object[] = [];
  const providers = [
    await registerTraces(sdks.get('traces'), spans),
    await registerLogs(sdks.get('logs'), logs),
  ];
  const { provider, reader } = registerMetrics(sdks.get('metrics'));
  return {
    spans,
    logs,
    metrics: reader,
    reset() {
      spans.length = 0;
      logs.length = 0;
    },
    async close() {
      unregister();
      for (const each of [...providers, provider]) await each?.shutdown();
    },
  };
}

interface Provider {
  shutdown(): Promise<void>;
}

async function registerTraces(
  sdk: Module | undefined,
  spans: object[],
): Promise<Provider | undefined> {
  const TracerProvider = sdk?.TracerProvider ?? sdk?.BasicTracerProvider;
  if (TracerProvider === undefined) return undefined;
  const provider = new TracerProvider({ spanProcessors: [processor(spans)] } as never);
  const hooks = await firstOf(['@opentelemetry/context-async-hooks']);
  const Manager = hooks?.AsyncLocalStorageContextManager;
  if (Manager !== undefined) {
    const manager = new Manager() as unknown as { enable(): never };
    api.context.setGlobalContextManager(manager.enable());
  }
  api.trace.setGlobalTracerProvider(provider as never);
  return provider as Provider;
}

function registerMetrics(sdk: Module | undefined): { provider?: Provider; reader: MetricSource } {
  const Reader = sdk?.MetricReader;
  const MeterProvider = sdk?.MeterProvider;
  if (Reader === undefined || MeterProvider === undefined) {
    return { reader: { getMetrics: () => [] } };
  }
  const reader = new (class extends Reader {
    protected async onForceFlush(): Promise<void> {}
    protected async onShutdown(): Promise<void> {}
  })({} as never);
  const provider = new MeterProvider({ readers: [reader] } as never) as unknown as Provider;
  api.metrics.setGlobalMeterProvider(provider as never);
  return { provider, reader: reader as unknown as MetricSource };
}

interface LogsApi {
  setGlobalLoggerProvider(provider: object): void;
}

async function registerLogs(
  sdk: Module | undefined,
  logs: object[],
): Promise<Provider | undefined> {
  const LoggerProvider = sdk?.LoggerProvider;
  if (LoggerProvider === undefined) return undefined;
  const own = processor(logs);
  const provider = new LoggerProvider({ processors: [own] } as never) as unknown as Provider & {
    addLogRecordProcessor?(processor: object): void;
  };
  // Beside 1.x, the constructor knows no processors.
  provider.addLogRecordProcessor?.(own);
  const logsApi = (await firstOf(['@opentelemetry/api-logs'])) as unknown as
    | { logs: LogsApi }
    | undefined;
  const global = (api as { logs?: LogsApi }).logs ?? logsApi?.logs;
  global?.setGlobalLoggerProvider(provider);
  return provider;
}

/** @returns the first of these modules that is installed */
async function firstOf(names: readonly string[]): Promise<Module | undefined> {
  for (const name of names) {
    try {
      return (await import(name)) as Module;
    } catch {
      // not installed
    }
  }
  return undefined;
}

function missing(names: readonly string[]): Error {
  return new Error(
    `inMemoryTelemetry: none of ${names.join(', ')} is installed. Install one as a devDependency.`,
  );
}

function unregister(): void {
  for (const part of [api.metrics, api.trace, api.context, api.diag]) part.disable();
  (api as { logs?: { disable(): void } }).logs?.disable();
}
