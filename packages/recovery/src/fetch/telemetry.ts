import type { Counts } from '@temper/core/policy';
import { METRIC_FETCH_REJECTED } from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';

const telemetry = instrumentation([METRIC_FETCH_REJECTED]);

/** The one series of a policy has no attribute but its name. */
const REJECTED = { rejected: {} };

/** Rejected requests, counted where telemetry reads them. */
export function rejectedCounts(policy: { readonly name: string }): Counts<'rejected'> {
  return telemetry.counts(policy, METRIC_FETCH_REJECTED, REJECTED);
}
