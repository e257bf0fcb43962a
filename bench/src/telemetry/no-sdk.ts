import { trace } from '@opentelemetry/api';
import { answer } from '../retry-floor.ts';
import { floorRow, ourRows } from '../telemetry-rows.ts';
import type { Bench } from '../types.ts';

const group = 'telemetry without an SDK';
const tracer = trace.getTracer('bench');

export const withoutSdk: readonly Bench[] = [
  floorRow(group),
  ...ourRows(group),
  {
    group,
    name: 'OpenTelemetry: active span',
    fn: () =>
      tracer.startActiveSpan('work', async (span) => {
        const value = await answer();
        span.end();
        return value;
      }),
  },
];
