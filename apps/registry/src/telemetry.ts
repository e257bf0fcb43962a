/**
 * Starts OpenTelemetry as configured in the environment, before instrumented modules are loaded.
 * Without exporters the SDK is not loaded, because loading it takes longer than the rest of the
 * start.
 */
import { createRequire } from 'node:module';
import { type Environment, exportedSignals, SERVICE_NAME } from './exported-signals.ts';

const SHUTDOWN_TIMEOUT_MS = 2_000;

/**
 * Flushes pending telemetry for at most two seconds, so an unreachable collector does not delay the
 * exit.
 */
type ShutdownTelemetry = () => Promise<void>;

export async function startTelemetry(env: Environment): Promise<ShutdownTelemetry> {
  const signals = exportedSignals(env);
  const disabled = (env.OTEL_SDK_DISABLED ?? '').trim().toLowerCase() === 'true';
  if (disabled || !Object.values(signals).includes(true)) return async () => undefined;

  const [{ NodeSDK }, { HttpInstrumentation }, { defaultResource, resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-node'),
      import('@opentelemetry/instrumentation-http'),
      import('@opentelemetry/resources'),
    ]);
  const sdk = new NodeSDK({
    // Detected resources override this one, so that OTEL_SERVICE_NAME takes precedence.
    resource: defaultResource().merge(resourceFromAttributes({ 'service.name': SERVICE_NAME })),
    instrumentations: [new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true })],
    ...(signals.traces ? {} : { spanProcessors: [] }),
    ...(signals.metrics ? {} : { metricReaders: [] }),
    ...(signals.logs ? {} : { logRecordProcessors: [] }),
  });
  sdk.start();
  // The instrumentation patches the shared `Server.prototype` when it intercepts a require() of the
  // module. It does not see an ES import without a loader hook.
  createRequire(import.meta.url)('node:http');

  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, SHUTDOWN_TIMEOUT_MS);
    });
    await Promise.race([sdk.shutdown().catch(() => undefined), limit]);
    clearTimeout(timer);
  };
}
