import type { TelemetryScope } from '@temper/core';
import { type Emit, Instrumentation, policyAttributes } from '@temper/core/policy';
import {
  ATTR_LIMIT_MODE,
  EVENT_LIMIT_MODE,
  METRIC_LIMIT,
  METRIC_LIMIT_ERROR,
  METRIC_LIMIT_EXPECTED,
  METRIC_LIMIT_MODE,
} from '../semconv.ts';
import { VERSION } from '../version.ts';
import type { LimitForecast } from './limit-forecast.ts';
import { LIMIT_MODES, type LimitMode } from './modes.ts';

const telemetry = new Instrumentation({
  name: '@temper/forecast',
  version: VERSION,
  metrics: [METRIC_LIMIT, METRIC_LIMIT_EXPECTED, METRIC_LIMIT_MODE, METRIC_LIMIT_ERROR],
});

/** A limit as it is read at each metric collection. */
interface Observable {
  readonly name: string;
  forecast(): LimitForecast;
}

/** Reports the limit and its forecast at each collection. */
export function observeLimit(limit: Observable, within: TelemetryScope | undefined): Disposable {
  return telemetry.of(within).observe(limit, readForecast);
}

function readForecast(limit: Observable, emit: Emit): void {
  const { name, mode, limit: units, expected, error } = limit.forecast();
  const base = policyAttributes(name);
  for (const each of LIMIT_MODES) {
    emit(METRIC_LIMIT_MODE, { ...base, [ATTR_LIMIT_MODE.name]: each }, each === mode ? 1 : 0);
  }
  emit(METRIC_LIMIT, base, units);
  if (expected !== undefined) emit(METRIC_LIMIT_EXPECTED, base, expected);
  if (error !== undefined) emit(METRIC_LIMIT_ERROR, base, error);
}

/** Writes a log record when the mode changes. */
export function reportLimitMode(
  name: string,
  from: LimitMode,
  to: LimitMode,
  error: number | undefined,
  within: TelemetryScope | undefined,
): void {
  const of = error === undefined ? '' : `, with a mean error of ${(error * 100).toFixed(0)} %`;
  telemetry.of(within).log({
    event: EVENT_LIMIT_MODE,
    severity: to === 'inaccurate' ? 'WARN' : 'INFO',
    body: `Predictive limit '${name}' is ${to}, after ${from}${of}`,
    attributes: { ...policyAttributes(name), [ATTR_LIMIT_MODE.name]: to },
  });
}
