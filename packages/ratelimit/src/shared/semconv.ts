import {
  ATTR_ERROR_TYPE,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
} from '@temper/core/policy';

/** What a limiter did in place of asking its store. */
export const ATTR_FALLBACK: AttributeDefinition = {
  name: 'temper.ratelimit.fallback',
  description: 'What decided while the store was unavailable.',
  values: ['local', 'open', 'closed'],
};

export const METRIC_STORE_ERRORS: MetricDefinition = {
  name: 'temper.ratelimit.store.errors',
  instrument: 'counter',
  unit: '{error}',
  description:
    'Requests to the shared store that failed, or were not sent because it is known to be unavailable.',
  attributes: [ATTR_POLICY_NAME, ATTR_ERROR_TYPE],
  alert: 'Any rate that lasts.',
};

export const METRIC_STORE_FALLBACKS: MetricDefinition = {
  name: 'temper.ratelimit.store.fallbacks',
  instrument: 'counter',
  unit: '{request}',
  description: 'Calls decided without the shared store, by what decided them.',
  attributes: [ATTR_POLICY_NAME, ATTR_FALLBACK],
};
