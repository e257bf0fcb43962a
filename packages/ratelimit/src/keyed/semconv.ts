import { ATTR_POLICY_NAME, type MetricDefinition } from '@temper/core/policy';

export const METRIC_EVICTIONS: MetricDefinition = {
  name: 'temper.ratelimit.evictions',
  instrument: 'counter',
  unit: '{key}',
  description: 'Keys removed to make room for others. Keys removed after idleMs do not count.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'A steady rate: maxKeys is too small for the keys in use, and their limits start anew.',
};

export const METRIC_KEYS: MetricDefinition = {
  name: 'temper.ratelimit.keys',
  instrument: 'updowncounter',
  unit: '{key}',
  description: 'Keys that a keyed limiter keeps.',
  attributes: [ATTR_POLICY_NAME],
};

/** The metrics of keyed limiters, besides those of every limiter. */
export const KEYED_METRICS: readonly MetricDefinition[] = [METRIC_EVICTIONS, METRIC_KEYS];
