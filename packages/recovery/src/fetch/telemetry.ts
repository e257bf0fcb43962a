import type { Counts } from '@temper/core/policy';
import { METRIC_FETCH_REJECTED } from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';

const telemetry = instrumentation([METRIC_FETCH_REJECTED]);

/** The one series of a policy has no attribute but its name. */
const REJECTED = { rejected: {} };

/** Ends the series of a policy that is disposed of. */
export function release(policy: { readonly name: string }): void {
  telemetry.release(policy);
}

/** Rejected requests, counted where telemetry reads them. */
export function rejectedCounts(policy: { readonly name: string }): Counts<'rejected'> {
  return telemetry.counts(policy, METRIC_FETCH_REJECTED, REJECTED);
}
