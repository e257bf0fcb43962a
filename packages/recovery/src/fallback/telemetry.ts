import type { Clock, SpanMode } from '@temper/core';
import { byOutcome, CallObserver, type Counts } from '@temper/core/policy';
import { FALLBACK_OUTCOMES, type FallbackOutcome, METRIC_FALLBACK_CALLS } from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';

const telemetry = instrumentation([METRIC_FALLBACK_CALLS]);
const OUTCOMES = byOutcome(FALLBACK_OUTCOMES);

/** The counts of a fallback, which are its metric. */
export function countCalls(policy: { readonly name: string }): Counts<FallbackOutcome> {
  return telemetry.counts(policy, METRIC_FALLBACK_CALLS, OUTCOMES);
}

/** Ends the series of a policy that is disposed of. */
export function release(policy: { readonly name: string }): void {
  telemetry.release(policy);
}

/** Creates the spans of a fallback. */
export function observeCalls(options: {
  readonly name: string;
  readonly spans: SpanMode;
  readonly clock: Clock;
}): CallObserver<FallbackOutcome> {
  const { name, spans, clock } = options;
  return new CallObserver({
    telemetry,
    policy: name,
    kind: 'fallback',
    spans,
    clock,
    outcomes: OUTCOMES,
  });
}
