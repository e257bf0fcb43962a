import { createRequire } from 'node:module';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import {
  type Environment,
  SERVICE_NAME,
  type TelemetryPlan,
  telemetryPlan,
} from './environment.ts';
import type { MetricsEndpoint } from './metrics-endpoint.ts';
import type { TraceRing } from './trace-ring.ts';

/** What the rest of the process needs to know of telemetry. */
export interface Telemetry {
  /** The last traces of this process; undefined when the SDK is disabled. */
  readonly traces: TraceRing | undefined;
  /** Where Prometheus scrapes, when it can. */
  readonly metricsUrl: string | undefined;
  /** Whether spans leave the process. */
  readonly exportsTraces: boolean;
  /** Exports what is still held, for a bounded time: a dead collector holds nobody up. */
  shutdown(): Promise<void>;
}

const SHUTDOWN_LIMIT_MS = 2_000;
/** Requests that are long by nature, or that somebody makes every few seconds for ever. */
const UNTRACED = /^\/(?:v1\/events|livez|readyz|startupz)(?:\?|$)/;

const NOTHING: Telemetry = {
  traces: undefined,
  metricsUrl: undefined,
  exportsTraces: false,
  shutdown: async () => undefined,
};

/**
 * Starts OpenTelemetry as the environment says, before anything that it instruments is loaded. What
 * goes wrong is said, once, and the service works without it.
 */
export async function startTelemetry(
  env: Environment,
  log: (line: string) => void,
): Promise<Telemetry> {
  const plan = telemetryPlan(env);
  for (const complaint of plan.complaints) log(`telemetry: ${complaint}.`);
  if (plan.disabled) return NOTHING;
  try {
    return await start(plan, env, log);
  } catch (error) {
    log(`telemetry: not started: ${(error as Error).message}`);
    return NOTHING;
  }
}

async function start(
  plan: TelemetryPlan,
  env: Environment,
  log: (line: string) => void,
): Promise<Telemetry> {
  const [
    { diag, DiagLogLevel },
    { NodeSDK },
    { HttpInstrumentation },
    { UndiciInstrumentation },
    { defaultResource, resourceFromAttributes },
    { processMetrics },
    { TraceRing },
    { exportingProcessors },
    { onceLogger },
  ] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/instrumentation-http'),
    import('@opentelemetry/instrumentation-undici'),
    import('@opentelemetry/resources'),
    import('@temper/health'),
    import('./trace-ring.ts'),
    import('./span-processors.ts'),
    import('./once-logger.ts'),
  ]);
  // With OTEL_LOG_LEVEL the SDK sets a logger of its own, which says everything.
  if ((env.OTEL_LOG_LEVEL ?? '').trim() === '') {
    diag.setLogger(
      onceLogger((line) => log(`telemetry: ${line} (said once)`)),
      DiagLogLevel.WARN,
    );
  }
  const traces = new TraceRing();
  const spanProcessors: SpanProcessor[] = [
    traces,
    ...(await exportingProcessors(plan.traceExporters)),
  ];
  const prometheus = plan.metrics === 'ours' ? await openPrometheus(plan, log) : undefined;
  const sdk = new NodeSDK({
    // Below what the environment's detectors find, so that OTEL_SERVICE_NAME wins.
    resource: defaultResource().merge(resourceFromAttributes({ 'service.name': SERVICE_NAME })),
    instrumentations: [
      new HttpInstrumentation({
        disableOutgoingRequestInstrumentation: true,
        ignoreIncomingRequestHook: ({ url }) => UNTRACED.test(url ?? ''),
      }),
      new UndiciInstrumentation(),
    ],
    spanProcessors,
    ...(plan.metrics === 'environment'
      ? {}
      : { metricReaders: prometheus === undefined ? [] : [prometheus.exporter] }),
    ...(plan.logs ? {} : { logRecordProcessors: [] }),
  });
  sdk.start();
  processMetrics();
  // The instrumentation patches `Server.prototype`, which every importer shares, when it sees a
  // require() of the module. An ES import would pass it by unless a loader hook were registered.
  createRequire(import.meta.url)('node:http');

  return {
    traces,
    metricsUrl: prometheus?.endpoint?.url,
    exportsTraces: plan.traceExporters.length > 0,
    shutdown: () =>
      atMost(SHUTDOWN_LIMIT_MS, async () => {
        await prometheus?.endpoint?.close();
        await sdk.shutdown();
      }),
  };
}

async function openPrometheus(
  plan: TelemetryPlan,
  log: (line: string) => void,
): Promise<{
  readonly exporter: import('@opentelemetry/exporter-prometheus').PrometheusExporter;
  readonly endpoint: MetricsEndpoint | undefined;
}> {
  const [{ PrometheusExporter }, { temperMetricProducer }, { serveMetrics }] = await Promise.all([
    import('@opentelemetry/exporter-prometheus'),
    import('@temper/core'),
    import('./metrics-endpoint.ts'),
  ]);
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    metricProducers: [temperMetricProducer()],
  });
  const { host, port } = plan.prometheus;
  try {
    return { exporter, endpoint: await serveMetrics(exporter, plan.prometheus) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be had (${message})`;
    log(
      `telemetry: ${host}:${port} ${why}; no metrics are served. Choose another with OTEL_EXPORTER_PROMETHEUS_PORT.`,
    );
    return { exporter, endpoint: undefined };
  }
}

async function atMost(limitMs: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work().catch(() => undefined), limit]);
  clearTimeout(timer);
}
