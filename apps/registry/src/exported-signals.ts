/** Default service name. */
export const SERVICE_NAME = 'parsercraft-registry';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Determines from the environment which signals to export.
 *
 * The variables have their OpenTelemetry meaning, with one different default: a signal without an
 * exporter or endpoint is not exported, while the SDK would keep trying `localhost:4318`.
 */
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
    // The general endpoint is often only a tracing backend, so it does not enable these two.
    metrics: stated('OTEL_METRICS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'),
    logs: stated('OTEL_LOGS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'),
  };
}
