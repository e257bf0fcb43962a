/** What the service is called where the environment does not call it otherwise. */
export const SERVICE_NAME = 'parsercraft-registry';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Which signals the environment asks to be exported.
 *
 * The variables keep the meaning that OpenTelemetry gives them, with one default of ours: a signal
 * without a stated exporter or endpoint is not exported, where the SDK would try `localhost:4318`
 * for ever.
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
    // The general endpoint is often a tracing backend alone, so it does not switch these two on.
    metrics: stated('OTEL_METRICS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'),
    logs: stated('OTEL_LOGS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'),
  };
}
