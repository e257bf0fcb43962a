import {
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
} from '@temper/core/policy';
import { SIGNALS } from './predict/signals.ts';

export const ATTR_SIGNAL: AttributeDefinition = {
  name: 'temper.forecast.signal',
  description: 'The signal that is watched.',
  values: SIGNALS,
};

export const ATTR_DRIVER: AttributeDefinition = {
  name: 'temper.forecast.driver',
  description: 'The signal that is furthest above its usual.',
  values: SIGNALS,
};

export const ATTR_SCORE: AttributeDefinition = {
  name: 'temper.forecast.score',
  description: 'Standard deviations above the usual.',
  example: '12.4',
};

export const ATTR_PROBABILITY: AttributeDefinition = {
  name: 'temper.forecast.probability',
  description: 'Calibrated probability that an incident is under way, from 0 to 1.',
  example: '0.93',
};

export const METRIC_PROBABILITY: MetricDefinition = {
  name: 'temper.forecast.failure.probability',
  instrument: 'gauge',
  unit: '1',
  description: 'Calibrated probability that an incident of the dependency is under way.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_SCORE: MetricDefinition = {
  name: 'temper.forecast.failure.score',
  instrument: 'gauge',
  unit: '{deviation}',
  description: 'Standard deviations of a signal above its usual.',
  attributes: [ATTR_POLICY_NAME, ATTR_SIGNAL],
};

export const METRIC_WARNING: MetricDefinition = {
  name: 'temper.forecast.failure.warning',
  instrument: 'gauge',
  unit: '{warning}',
  description: '1 while the predictor warns, 0 otherwise.',
  attributes: [ATTR_POLICY_NAME],
  alert: '1: the dependency behaves unlike its usual, before or while users notice.',
};

/** The metrics of this package. */
export const FORECAST_METRICS: readonly MetricDefinition[] = [
  METRIC_PROBABILITY,
  METRIC_SCORE,
  METRIC_WARNING,
];

/** Name of the span event and of the log record when a warning begins. */
export const EVENT_WARNING = 'temper.forecast.warning';

/** Name of the log record when a warning ends. */
export const EVENT_CLEARED = 'temper.forecast.cleared';
