import {
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
} from '@temper/core/policy';
import { LIMIT_MODES } from './limit/modes.ts';
import { SIGNALS } from './predict/signals.ts';
import { MODES } from './scaling/modes.ts';
import { CHANGE_OUTCOMES } from './tuning/change.ts';
import { TUNING_SETTINGS } from './tuning/setting-names.ts';

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

export const ATTR_SETTING: AttributeDefinition = {
  name: 'temper.forecast.tuning.setting',
  description: 'The setting that a change is of.',
  values: TUNING_SETTINGS,
};

export const ATTR_CHANGE: AttributeDefinition = {
  name: 'temper.forecast.tuning.change',
  description: 'What became of a change: applied for a trial, kept, undone, or not applied.',
  values: CHANGE_OUTCOMES,
};

export const METRIC_PROPOSALS: MetricDefinition = {
  name: 'temper.forecast.tuning.proposals',
  instrument: 'gauge',
  unit: '{proposal}',
  description: 'Changes of settings that the observations speak for.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_CHANGES: MetricDefinition = {
  name: 'temper.forecast.tuning.changes',
  instrument: 'counter',
  unit: '{change}',
  description: 'Changes of settings by an autotuner.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHANGE],
};

export const ATTR_MODE: AttributeDefinition = {
  name: 'temper.forecast.scaling.mode',
  description:
    'How the demand ahead is known: predictive by the season, otherwise it is taken to stay as it is.',
  values: MODES,
};

export const METRIC_DESIRED: MetricDefinition = {
  name: 'temper.forecast.replicas.desired',
  instrument: 'gauge',
  unit: '{replica}',
  description:
    "Replicas for the demand at the end of the lead time: of the service, or this instance's share of them.",
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_LOWER: MetricDefinition = {
  name: 'temper.forecast.replicas.lower',
  instrument: 'gauge',
  unit: '{replica}',
  description: 'Replicas for the lower end of the interval of the demand.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_UPPER: MetricDefinition = {
  name: 'temper.forecast.replicas.upper',
  instrument: 'gauge',
  unit: '{replica}',
  description: 'Replicas for the upper end of the interval of the demand.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_MODE: MetricDefinition = {
  name: 'temper.forecast.scaling.mode',
  instrument: 'gauge',
  unit: '{mode}',
  description: '1 for the mode that the scaling signal is in, 0 for the others.',
  attributes: [ATTR_POLICY_NAME, ATTR_MODE],
  states: { attribute: ATTR_MODE.name, worstFirst: MODES },
  alert: 'mode="no-data" at 1: the sources of the signal do not answer.',
};

export const METRIC_FORECAST_ERROR: MetricDefinition = {
  name: 'temper.forecast.scaling.error',
  instrument: 'gauge',
  unit: '{error}',
  description:
    'Mean error of the forecasts of the demand, in those of the forecast that it stays as it is.',
  attributes: [ATTR_POLICY_NAME],
};

export const ATTR_LIMIT_MODE: AttributeDefinition = {
  name: 'temper.forecast.limit.mode',
  description: 'Whether the limit follows the forecast, or is the plain one and why.',
  values: LIMIT_MODES,
};

export const METRIC_LIMIT: MetricDefinition = {
  name: 'temper.forecast.limit.value',
  instrument: 'gauge',
  unit: '{unit}',
  description: 'Units per window that a predictive limit allows now.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_LIMIT_EXPECTED: MetricDefinition = {
  name: 'temper.forecast.limit.expected',
  instrument: 'gauge',
  unit: '{unit}',
  description: 'Units per window that are usually asked for at this time.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_LIMIT_MODE: MetricDefinition = {
  name: 'temper.forecast.limit.mode',
  instrument: 'gauge',
  unit: '{mode}',
  description: '1 for the mode that the predictive limit is in, 0 for the others.',
  attributes: [ATTR_POLICY_NAME, ATTR_LIMIT_MODE],
  states: { attribute: ATTR_LIMIT_MODE.name, worstFirst: LIMIT_MODES },
  alert:
    'mode="inaccurate" at 1: the demand is not the usual one, and the plain limit is in force.',
};

export const METRIC_LIMIT_ERROR: MetricDefinition = {
  name: 'temper.forecast.limit.error',
  instrument: 'gauge',
  unit: '1',
  description: 'Mean error of the forecasts of the demand, in parts of the demand, from 0 to 1.',
  attributes: [ATTR_POLICY_NAME],
};

/** The metrics of this package. */
export const FORECAST_METRICS: readonly MetricDefinition[] = [
  METRIC_PROBABILITY,
  METRIC_SCORE,
  METRIC_WARNING,
  METRIC_PROPOSALS,
  METRIC_CHANGES,
  METRIC_DESIRED,
  METRIC_LOWER,
  METRIC_UPPER,
  METRIC_MODE,
  METRIC_FORECAST_ERROR,
  METRIC_LIMIT,
  METRIC_LIMIT_EXPECTED,
  METRIC_LIMIT_MODE,
  METRIC_LIMIT_ERROR,
];

/** Name of the span event and of the log record when a warning begins. */
export const EVENT_WARNING = 'temper.forecast.warning';

/** Name of the log record when a warning ends. */
export const EVENT_CLEARED = 'temper.forecast.cleared';

/** Name of the log record of a change of settings. */
export const EVENT_TUNING = 'temper.forecast.tuning';

/** Name of the log record when a scaling signal changes its mode. */
export const EVENT_MODE = 'temper.forecast.scaling';

/** Name of the log record when a predictive limit changes its mode. */
export const EVENT_LIMIT_MODE = 'temper.forecast.limit';
