import { by, type Call, type Counts, type GuardedSpan } from '@temper/core/policy';
import {
  ATTR_CHAOS_KIND,
  CHAOS_KINDS,
  type ChaosKind,
  METRIC_CHAOS_INJECTIONS,
} from '../semconv.ts';
import { eventSpan, instrumentation } from '../telemetry.ts';
import type { ResolvedChaosOptions } from './options.ts';

const telemetry = instrumentation([METRIC_CHAOS_INJECTIONS]);
const KINDS = by(ATTR_CHAOS_KIND.name, CHAOS_KINDS);

/** The counts of a chaos policy, which are its metric. */
export function countInjections(policy: { readonly name: string }): Counts<ChaosKind> {
  return telemetry.counts(policy, METRIC_CHAOS_INJECTIONS, KINDS);
}

/** Ends the series of a policy that is disposed of. */
export function release(policy: { readonly name: string }): void {
  telemetry.release(policy);
}

/** @returns the span of an injection; `undefined` when it gets none */
export function injectionSpan(
  kind: ChaosKind,
  call: Call,
  { name: policy, spans, clock }: ResolvedChaosOptions,
): GuardedSpan | undefined {
  if (!telemetry.live.traces || spans === 'none') return undefined;
  return eventSpan({ telemetry, policy, kind: 'chaos' }, call, KINDS[kind], clock.now());
}
