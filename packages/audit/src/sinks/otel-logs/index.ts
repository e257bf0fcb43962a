export { type OtelLogsSinkOptions, otelLogsSink } from './otel-logs-sink.ts';
