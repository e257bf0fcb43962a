import type { TelemetryScope } from '@temper/core';
import { by, byOutcome, type Counts } from '@temper/core/policy';
import {
  ATTR_FETCH_LIMIT,
  FETCH_LIMITS,
  FETCH_RESUMPTIONS,
  type FetchLimit,
  type FetchResumption,
  METRIC_FETCH_LIMITS,
  METRIC_FETCH_REJECTED,
  METRIC_FETCH_RESUMPTIONS,
} from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';

const telemetry = instrumentation([
  METRIC_FETCH_REJECTED,
  METRIC_FETCH_LIMITS,
  METRIC_FETCH_RESUMPTIONS,
]);

/** The one series of a policy has no attribute but its name. */
const REJECTED = { rejected: {} };
const LIMITS = by(ATTR_FETCH_LIMIT.name, FETCH_LIMITS);
const RESUMPTIONS = byOutcome(FETCH_RESUMPTIONS);

/** Ends the series of a policy that is disposed of. */
export function release(
  policy: { readonly name: string },
  within: TelemetryScope | undefined,
): void {
  telemetry.of(within).release(policy);
}

/** What an HTTP policy refuses, cuts short and makes good, counted where telemetry reads it. */
export interface HttpCounts {
  readonly rejected: Counts<'rejected'>;
  readonly limits: Counts<FetchLimit>;
  readonly resumptions: Counts<FetchResumption>;
}

export function httpCounts(
  policy: { readonly name: string },
  within: TelemetryScope | undefined,
): HttpCounts {
  const own = telemetry.of(within);
  return {
    rejected: own.counts(policy, METRIC_FETCH_REJECTED, REJECTED),
    limits: own.counts(policy, METRIC_FETCH_LIMITS, LIMITS),
    resumptions: own.counts(policy, METRIC_FETCH_RESUMPTIONS, RESUMPTIONS),
  };
}
