import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, type MetricProducer } from '@opentelemetry/sdk-metrics';

/** Registers the metrics SDK with a Prometheus reader that does not start a server. */
export function registerPrometheus(metricProducers: MetricProducer[] = []): PrometheusExporter {
  const exporter = new PrometheusExporter({ preventServerStart: true, metricProducers });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
  return exporter;
}
