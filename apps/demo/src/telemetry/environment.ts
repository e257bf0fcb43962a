/** Default service name; `OTEL_SERVICE_NAME` overrides it. */
export const SERVICE_NAME = 'parsercraft';

/** Default address of the metrics: OpenTelemetry's default port, on the loopback address only. */
const PROMETHEUS_HOST = '127.0.0.1';
export const PROMETHEUS_PORT = 9464;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Trace exporters that `OTEL_TRACES_EXPORTER` can select. */
export type TraceExporterName = 'otlp' | 'console' | 'zipkin';

/** The telemetry configuration from the environment. */
export interface TelemetryPlan {
  /** From `OTEL_SDK_DISABLED`. When true, telemetry is off. */
  readonly disabled: boolean;
  readonly traceExporters: readonly TraceExporterName[];
  /** `ours`: Prometheus with Temper's buckets. `environment`: the exporters of `OTEL_METRICS_EXPORTER`. */
  readonly metrics: 'ours' | 'environment' | 'none';
  readonly prometheus: { readonly host: string; readonly port: number };
  readonly logs: boolean;
  /** Warnings about invalid values. */
  readonly warnings: readonly string[];
}

/**
 * Reads OpenTelemetry's standard variables, with two different defaults: metrics are served for
 * Prometheus, and traces are exported only when an endpoint is set, because the SDK would retry
 * `localhost:4318` forever.
 */
export function telemetryPlan(env: Environment): TelemetryPlan {
  const warnings: string[] = [];
  const stated = (name: string): boolean => (env[name] ?? '').trim() !== '';
  const list = (name: string): string[] =>
    [...new Set((env[name] ?? '').split(',').map((item) => item.trim()))].filter(Boolean);

  const traces = list('OTEL_TRACES_EXPORTER');
  const toOtlp =
    stated('OTEL_EXPORTER_OTLP_ENDPOINT') || stated('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const known = traces.filter((name) => {
    if (['otlp', 'console', 'zipkin', 'none'].includes(name)) return true;
    warnings.push(`OTEL_TRACES_EXPORTER: unknown exporter '${name}'`);
    return false;
  });
  const metrics = list('OTEL_METRICS_EXPORTER');
  return {
    disabled: (env.OTEL_SDK_DISABLED ?? '').trim().toLowerCase() === 'true',
    traceExporters: known.includes('none')
      ? []
      : traces.length === 0 && toOtlp
        ? ['otlp']
        : (known as TraceExporterName[]),
    metrics: metrics.includes('none')
      ? 'none'
      : metrics.length === 0 || metrics.join() === 'prometheus'
        ? 'ours'
        : 'environment',
    prometheus: {
      host: env.OTEL_EXPORTER_PROMETHEUS_HOST?.trim() || PROMETHEUS_HOST,
      port: portOf(env.OTEL_EXPORTER_PROMETHEUS_PORT, warnings),
    },
    logs: stated('OTEL_LOGS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'),
    warnings,
  };
}

function portOf(given: string | undefined, warnings: string[]): number {
  const text = (given ?? '').trim();
  if (text === '') return PROMETHEUS_PORT;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  warnings.push(`OTEL_EXPORTER_PROMETHEUS_PORT: '${text}' is not a port; using ${PROMETHEUS_PORT}`);
  return PROMETHEUS_PORT;
}
