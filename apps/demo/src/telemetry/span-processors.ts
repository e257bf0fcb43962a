import { getNumberFromEnv, getStringFromEnv } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { TraceExporterName } from './environment.ts';

/**
 * Creates the span processors for the exporters that the environment selects. The SDK creates them
 * only when no custom processor is added, and the demo adds one for the page.
 */
export async function exportingProcessors(
  names: readonly TraceExporterName[],
): Promise<SpanProcessor[]> {
  return Promise.all(
    names.map(async (name) =>
      name === 'console'
        ? new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() })
        : batched(name === 'zipkin' ? await zipkin() : await otlp()),
    ),
  );
}

function batched(exporter: SpanExporter): SpanProcessor {
  const positive = (name: string): number | undefined => {
    const value = getNumberFromEnv(name);
    return value !== undefined && value > 0 ? value : undefined;
  };
  const given = {
    maxQueueSize: positive('OTEL_BSP_MAX_QUEUE_SIZE'),
    scheduledDelayMillis: positive('OTEL_BSP_SCHEDULE_DELAY'),
    exportTimeoutMillis: positive('OTEL_BSP_EXPORT_TIMEOUT'),
    maxExportBatchSize: positive('OTEL_BSP_MAX_EXPORT_BATCH_SIZE'),
  };
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value));
  return new BatchSpanProcessor({ exporter, ...stated });
}

async function otlp(): Promise<SpanExporter> {
  const protocol =
    getStringFromEnv('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ??
    getStringFromEnv('OTEL_EXPORTER_OTLP_PROTOCOL');
  const { OTLPTraceExporter } = await (protocol === 'grpc'
    ? import('@opentelemetry/exporter-trace-otlp-grpc')
    : protocol === 'http/json'
      ? import('@opentelemetry/exporter-trace-otlp-http')
      : import('@opentelemetry/exporter-trace-otlp-proto'));
  return new OTLPTraceExporter();
}

async function zipkin(): Promise<SpanExporter> {
  const { ZipkinExporter } = await import('@opentelemetry/exporter-zipkin');
  return new ZipkinExporter();
}
