// One process of the fleet: a service with one kind of policy, and a fault that its parent switches on and off.
// Arguments: the kind, and the port of its metrics.
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { temperMetricProducer } from '@temper/core';
import { KINDS, type Kind } from './kinds.ts';

const [kind, port] = process.argv.slice(2);
const exporter = new PrometheusExporter({
  host: '127.0.0.1',
  port: Number(port),
  metricProducers: [temperMetricProducer()],
});
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));

const service = await KINDS[kind as Kind]();
process.on('message', (message) => {
  // A fault that cannot be switched would look like an alert that does not fire.
  Promise.resolve(message === 'fault' ? service.fault() : service.calm()).then(
    () => process.send?.({ done: message }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ done: 'started' });
