/**
 * Starts OpenTelemetry. This module is the first that the process loads.
 *
 * The variables keep the meaning that OpenTelemetry gives them, with one default of ours: without
 * an endpoint or an exporter stated, a signal is not exported, where the SDK would try
 * `localhost:4318` for ever.
 */
import { createRequire } from 'node:module';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';

export const SERVICE_NAME = 'parsercraft-registry';

const SHUTDOWN_TIMEOUT_MS = 2_000;

type Environment = Readonly<Record<string, string | undefined>>;

/** Which signals the environment asks to be exported. */
export function exportedSignals(env: Environment): {
  readonly traces: boolean;
  readonly metrics: boolean;
  readonly logs: boolean;
} {
  const stated = (name: string): boolean => (env[name] ?? '').trim() !== '';
  return {
    traces:
      stated('OTEL_TRACES_EXPORTER') ||
      stated('OTEL_EXPORTER_OTLP_ENDPOINT') ||
      stated('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'),
    // The general endpoint is often a tracing backend alone, so it does not switch these two on.
    metrics: stated('OTEL_METRICS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'),
    logs: stated('OTEL_LOGS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'),
  };
}

function start(env: Environment): NodeSDK | undefined {
  if ((env.OTEL_SDK_DISABLED ?? '').trim().toLowerCase() === 'true') return undefined;
  const signals = exportedSignals(env);
  const sdk = new NodeSDK({
    // Below what the environment's detectors find, so that OTEL_SERVICE_NAME wins.
    resource: defaultResource().merge(resourceFromAttributes({ 'service.name': SERVICE_NAME })),
    instrumentations: [new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true })],
    ...(signals.traces ? {} : { spanProcessors: [] }),
    ...(signals.metrics ? {} : { metricReaders: [] }),
    ...(signals.logs ? {} : { logRecordProcessors: [] }),
  });
  sdk.start();
  // The instrumentation patches `Server.prototype`, which every importer shares, when it sees a
  // require() of the module. An ES import would pass it by unless a loader hook were registered.
  createRequire(import.meta.url)('node:http');
  return sdk;
}

const sdk = start(process.env);

/** Exports what is still held, for at most two seconds: a dead collector holds nobody up. */
export async function shutdownTelemetry(): Promise<void> {
  if (sdk === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, SHUTDOWN_TIMEOUT_MS);
  });
  await Promise.race([sdk.shutdown().catch(() => undefined), limit]);
  clearTimeout(timer);
}
