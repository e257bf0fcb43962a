/** Starts OpenTelemetry as the environment says. This module is the first that the process loads. */
import { createRequire } from 'node:module';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { type Environment, exportedSignals, SERVICE_NAME } from './exported-signals.ts';

const SHUTDOWN_TIMEOUT_MS = 2_000;

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
