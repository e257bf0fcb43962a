import { metrics } from '@opentelemetry/api';
import prometheus from 'prom-client';
import { registerPrometheus } from '../prometheus.ts';
import { ATTRIBUTES, floorRow, ourRows } from '../telemetry-rows.ts';
import type { Bench } from '../types.ts';

const group = 'telemetry with the metrics SDK and a Prometheus reader';

registerPrometheus();
const meter = metrics.getMeter('bench');
const counter = meter.createCounter('theirs.calls');
const histogram = meter.createHistogram('theirs.duration', { unit: 's' });
const plain = new prometheus.Counter({
  name: 'plain_calls_total',
  help: 'Calls.',
  labelNames: ['policy', 'outcome', 'type'],
});
const labels = { policy: 'bench', outcome: 'failure', type: 'ECONNREFUSED' };

export const withMetrics: readonly Bench[] = [
  floorRow(group),
  ...ourRows(group),
  { group, name: 'OpenTelemetry: counter.add, no attributes', fn: () => counter.add(1) },
  {
    group,
    name: 'OpenTelemetry: counter.add, three attributes',
    fn: () => counter.add(1, ATTRIBUTES),
  },
  {
    group,
    name: 'OpenTelemetry: histogram.record, three attributes',
    fn: () => histogram.record(0.25, ATTRIBUTES),
  },
  { group, name: 'prom-client: counter.inc, three labels', fn: () => plain.inc(labels) },
];
