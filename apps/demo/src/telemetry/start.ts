import { createRequire } from 'node:module';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { messageOf } from '@temper/core/policy';
import {
  type Environment,
  PROMETHEUS_PORT,
  SERVICE_NAME,
  type TelemetryPlan,
  telemetryPlan,
} from './environment.ts';
import type { MetricsEndpoint } from './metrics-endpoint.ts';
import type { TraceRing } from './trace-ring.ts';

/** The running telemetry of this process. */
export interface Telemetry {
  /** The last traces of this process; undefined when the SDK is disabled. */
  readonly traces: TraceRing | undefined;
  /** URL of the Prometheus endpoint; undefined when metrics are not served. */
  readonly metricsUrl: string | undefined;
  /** Whether spans are exported. */
  readonly exportsTraces: boolean;
  /** Flushes pending telemetry, for at most 2 s. */
  shutdown(): Promise<void>;
}

const SHUTDOWN_LIMIT_MS = 2_000;
/** Event streams and health probes are not traced: they are long-lived or frequent. */
const UNTRACED = /^\/(?:v1\/events|livez|readyz|startupz)(?:\?|$)/;

const NOTHING: Telemetry = {
  traces: undefined,
  metricsUrl: undefined,
  exportsTraces: false,
  shutdown: async () => undefined,
};

/**
 * Starts OpenTelemetry as configured by the environment. Must run before the instrumented modules are
 * loaded. Errors are logged, and the service runs without telemetry.
 */
export async function startTelemetry(
  env: Environment,
  log: (line: string) => void,
  allowedHosts: readonly string[] = [],
): Promise<Telemetry> {
  const plan = telemetryPlan(env);
  for (const warning of plan.warnings) log(`telemetry: ${warning}.`);
  if (plan.disabled) return NOTHING;
  try {
    return await start(plan, env, log, allowedHosts);
  } catch (error) {
    log(`telemetry: not started: ${messageOf(error)}`);
    return NOTHING;
  }
}

async function start(
  plan: TelemetryPlan,
  env: Environment,
  log: (line: string) => void,
  allowedHosts: readonly string[],
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
  // With OTEL_LOG_LEVEL the SDK sets its own logger.
  if ((env.OTEL_LOG_LEVEL ?? '').trim() === '') {
    diag.setLogger(
      onceLogger((line) => log(`telemetry: ${line} (logged once)`)),
      DiagLogLevel.WARN,
    );
  }
  const traces = new TraceRing();
  const spanProcessors: SpanProcessor[] = [
    traces,
    ...(await exportingProcessors(plan.traceExporters)),
  ];
  const prometheus =
    plan.metrics === 'ours' ? await openPrometheus(plan, log, allowedHosts) : undefined;
  const sdk = new NodeSDK({
    // Resource detectors override this name, so that OTEL_SERVICE_NAME wins.
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
  // The instrumentation patches `Server.prototype`, which all importers share, on a require() of the
  // module. It does not see an ES import without a loader hook.
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
  allowedHosts: readonly string[],
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
    return { exporter, endpoint: await serveMetrics(exporter, plan.prometheus, allowedHosts) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && port === PROMETHEUS_PORT) {
      // Nobody asked for this port: another service beside this one has it.
      return { exporter, endpoint: await serveMetrics(exporter, { host, port: 0 }, allowedHosts) };
    }
    const why = code === 'EADDRINUSE' ? 'is in use' : `is not available (${messageOf(error)})`;
    log(
      `telemetry: ${host}:${port} ${why}; no metrics are served. Set OTEL_EXPORTER_PROMETHEUS_PORT to another port.`,
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
