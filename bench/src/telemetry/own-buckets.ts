import { temperMetricProducer } from '@temper/core';
import { registerPrometheus } from '../prometheus.ts';
import { floorRow, ourRows } from '../telemetry-rows.ts';
import type { Bench } from '../types.ts';

const group = 'telemetry with the metrics SDK, a Prometheus reader and temperMetricProducer';

registerPrometheus([temperMetricProducer()]);

export const withOwnBuckets: readonly Bench[] = [floorRow(group), ...ourRows(group)];
