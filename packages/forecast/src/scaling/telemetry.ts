import type { TelemetryScope } from '@temper/core';
import { type Emit, Instrumentation, policyAttributes } from '@temper/core/policy';
import {
  ATTR_MODE,
  EVENT_MODE,
  METRIC_DESIRED,
  METRIC_FORECAST_ERROR,
  METRIC_LOWER,
  METRIC_MODE,
  METRIC_UPPER,
} from '../semconv.ts';
import { VERSION } from '../version.ts';
import { MODES, type ScalingMode } from './modes.ts';
import type { Recommendation } from './recommendation.ts';

const telemetry = new Instrumentation({
  name: '@temper/forecast',
  version: VERSION,
  metrics: [METRIC_DESIRED, METRIC_LOWER, METRIC_UPPER, METRIC_MODE, METRIC_FORECAST_ERROR],
});

/** A signal as it is read at each metric collection. */
interface Observable {
  readonly name: string;
  recommendation(): Recommendation;
}

/** Reports the recommendation at each collection. */
export function observeScaling(signal: Observable, within: TelemetryScope | undefined): Disposable {
  return telemetry.of(within).observe(signal, readRecommendation);
}

function readRecommendation(signal: Observable, emit: Emit): void {
  const { name, mode, desired, lower, upper, error } = signal.recommendation();
  const base = policyAttributes(name);
  for (const each of MODES) {
    emit(METRIC_MODE, { ...base, [ATTR_MODE.name]: each }, each === mode ? 1 : 0);
  }
  if (error !== undefined) emit(METRIC_FORECAST_ERROR, base, error);
  // A number that is not known is not reported: an autoscaler keeps its last one then.
  if (desired === undefined || mode === 'no-data') return;
  emit(METRIC_DESIRED, base, desired);
  emit(METRIC_LOWER, base, lower as number);
  emit(METRIC_UPPER, base, upper as number);
}

/** Writes a log record when the mode changes. */
export function reportMode(
  name: string,
  from: ScalingMode,
  to: ScalingMode,
  error: number | undefined,
  within: TelemetryScope | undefined,
): void {
  const of = error === undefined ? '' : `, at ${error.toFixed(2)} of the error of "as now"`;
  telemetry.of(within).log({
    event: EVENT_MODE,
    severity: to === 'inaccurate' || to === 'no-data' ? 'WARN' : 'INFO',
    body: `Scaling signal '${name}' is ${to}, after ${from}${of}`,
    attributes: { ...policyAttributes(name), [ATTR_MODE.name]: to },
  });
}
