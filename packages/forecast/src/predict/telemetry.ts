import type { Attributes, TelemetryScope } from '@temper/core';
import {
  ATTR_POLICY_NAME,
  activeContext,
  type Emit,
  Instrumentation,
  policyAttributes,
  spanOf,
} from '@temper/core/policy';
import {
  ATTR_DRIVER,
  ATTR_PROBABILITY,
  ATTR_SCORE,
  ATTR_SIGNAL,
  EVENT_CLEARED,
  EVENT_WARNING,
  METRIC_PROBABILITY,
  METRIC_SCORE,
  METRIC_WARNING,
} from '../semconv.ts';
import { VERSION } from '../version.ts';
import type { Prediction } from './prediction.ts';
import { SIGNALS, type Signal } from './signals.ts';

const telemetry = new Instrumentation({
  name: '@temper/forecast',
  version: VERSION,
  metrics: [METRIC_PROBABILITY, METRIC_SCORE, METRIC_WARNING],
});

/** A predictor as it is read at each metric collection. */
interface Observable {
  readonly name: string;
  prediction(): Prediction;
}

/** Reports the prediction at each collection. */
export function observePredictor(
  predictor: Observable,
  within: TelemetryScope | undefined,
): Disposable {
  return telemetry.of(within).observe(predictor, readPrediction);
}

function readPrediction(predictor: Observable, emit: Emit): void {
  const { status, probability, scores } = predictor.prediction();
  const base = policyAttributes(predictor.name);
  emit(METRIC_WARNING, base, status === 'warning' ? 1 : 0);
  if (status === 'learning') return;
  emit(METRIC_PROBABILITY, base, probability);
  for (const signal of SIGNALS) {
    emit(METRIC_SCORE, { ...base, [ATTR_SIGNAL.name]: signal satisfies Signal }, scores[signal]);
  }
}

/** Adds an event to the span that is active, and writes a log record. Never throws. */
export function reportWarning(prediction: Prediction, within: TelemetryScope | undefined): void {
  const { live, scope } = telemetry.of(within);
  const attributes: Attributes = {
    [ATTR_POLICY_NAME.name]: prediction.name,
    [ATTR_DRIVER.name]: prediction.drivers[0]?.signal ?? 'none',
    [ATTR_SCORE.name]: prediction.score,
    [ATTR_PROBABILITY.name]: prediction.probability,
  };
  if (live.traces) {
    scope.safely(() => void spanOf(activeContext())?.addEvent(EVENT_WARNING, attributes));
  }
  const body = (): string => `Predictor '${prediction.name}' warns: ${prediction.reason}`;
  telemetry.of(within).log({ event: EVENT_WARNING, severity: 'WARN', body, attributes });
}

/** Writes the log record of a warning that is over. */
export function reportCleared(name: string, within: TelemetryScope | undefined): void {
  telemetry.of(within).log({
    event: EVENT_CLEARED,
    severity: 'INFO',
    body: `Predictor '${name}' no longer warns`,
    attributes: policyAttributes(name),
  });
}
