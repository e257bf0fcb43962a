import { AlwaysOffSampler } from '@opentelemetry/sdk-trace';
import { spanRows } from '../spans.ts';
import type { Bench } from '../types.ts';

export const spans: readonly Bench[] = spanRows('spans, never sampled', new AlwaysOffSampler());
