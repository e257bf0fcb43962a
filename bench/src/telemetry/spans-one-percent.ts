import { TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { spanRows } from '../spans.ts';
import type { Bench } from '../types.ts';

export const spans: readonly Bench[] = spanRows(
  'spans, 1 % sampled',
  new TraceIdRatioBasedSampler(0.01),
);
