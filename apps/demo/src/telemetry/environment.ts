/** What this process is called where the environment does not call it otherwise. */
export const SERVICE_NAME = 'parsercraft';

/** Where the metrics are, as OpenTelemetry's own defaults have it, but never beyond this machine. */
const PROMETHEUS_HOST = '127.0.0.1';
export const PROMETHEUS_PORT = 9464;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names of trace exporters that OpenTelemetry's environment variables know. */
export type TraceExporterName = 'otlp' | 'console' | 'zipkin';

/** What the environment asks of us. */
export interface TelemetryPlan {
  /** `OTEL_SDK_DISABLED`: nothing at all. */
  readonly disabled: boolean;
  readonly traceExporters: readonly TraceExporterName[];
  /** `ours`: Prometheus with Temper's own buckets; `environment`: what `OTEL_METRICS_EXPORTER` lists. */
  readonly metrics: 'ours' | 'environment' | 'none';
  readonly prometheus: { readonly host: string; readonly port: number };
  readonly logs: boolean;
  /** Values that were not understood, for people. */
  readonly complaints: readonly string[];
}

/**
 * Reads OpenTelemetry's variables. They keep their meaning, with two defaults of ours: metrics are
 * served for Prometheus, and traces go out only when somebody says whereto, as the SDK would try
 * `localhost:4318` for ever.
 */
export function telemetryPlan(env: Environment): TelemetryPlan {
  const complaints: string[] = [];
  const stated = (name: string): boolean => (env[name] ?? '').trim() !== '';
  const list = (name: string): string[] =>
    [...new Set((env[name] ?? '').split(',').map((item) => item.trim()))].filter(Boolean);

  const traces = list('OTEL_TRACES_EXPORTER');
  const toOtlp =
    stated('OTEL_EXPORTER_OTLP_ENDPOINT') || stated('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const known = traces.filter((name) => {
    if (['otlp', 'console', 'zipkin', 'none'].includes(name)) return true;
    complaints.push(`OTEL_TRACES_EXPORTER: there is no exporter '${name}'`);
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
      port: portOf(env.OTEL_EXPORTER_PROMETHEUS_PORT, complaints),
    },
    logs: stated('OTEL_LOGS_EXPORTER') || stated('OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'),
    complaints,
  };
}

function portOf(given: string | undefined, complaints: string[]): number {
  const text = (given ?? '').trim();
  if (text === '') return PROMETHEUS_PORT;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  complaints.push(
    `OTEL_EXPORTER_PROMETHEUS_PORT: '${text}' is no port; ${PROMETHEUS_PORT} is taken`,
  );
  return PROMETHEUS_PORT;
}
