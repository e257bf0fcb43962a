import type { TelemetryScope } from '@temper/core';
import { ATTR_POLICY_NAME, type Counts, type Emit, Instrumentation } from '@temper/core/policy';
import { VERSION } from '../version.ts';
import { ATTR_TARGET, METRIC_SHIP_ERRORS, METRIC_SHIP_LAG, SHIP_METRICS } from './semconv.ts';

const telemetry = new Instrumentation({
  name: '@temper/audit/ship',
  version: VERSION,
  metrics: SHIP_METRICS,
});

/** One log and one target, as telemetry knows them. */
export interface ObservedShipping {
  /** Name of the log. */
  readonly name: string;
  readonly target: string;
  lag(): number;
}

/** The count of failures, which `stats()` and the metric read. */
export function errorCounts(
  shipping: ObservedShipping,
  within: TelemetryScope | undefined,
): Counts<'errors'> {
  return telemetry.of(within).counts(shipping, METRIC_SHIP_ERRORS, {
    errors: { [ATTR_TARGET.name]: shipping.target },
  });
}

/** Observes the lag at each collection. */
export function observeLag(
  shipping: ObservedShipping,
  within: TelemetryScope | undefined,
): Disposable {
  return telemetry.of(within).observe(shipping, readLag);
}

function readLag(shipping: ObservedShipping, emit: Emit): void {
  const attributes = {
    [ATTR_POLICY_NAME.name]: shipping.name,
    [ATTR_TARGET.name]: shipping.target,
  };
  emit(METRIC_SHIP_LAG, attributes, shipping.lag());
}
