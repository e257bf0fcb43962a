/**
 * Starts OpenTelemetry as the environment says, before anything that it instruments is loaded.
 * Where nothing would be exported, its SDK is not even loaded, which takes longer than the rest
 * of the start.
 */
import { createRequire } from 'node:module';
import { type Environment, exportedSignals, SERVICE_NAME } from './exported-signals.ts';

const SHUTDOWN_TIMEOUT_MS = 2_000;

/** Exports what is still held, for at most two seconds: a dead collector holds nobody up. */
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

  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, SHUTDOWN_TIMEOUT_MS);
    });
    await Promise.race([sdk.shutdown().catch(() => undefined), limit]);
    clearTimeout(timer);
  };
}
