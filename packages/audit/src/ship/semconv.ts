import {
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
} from '@temper/core/policy';

export const ATTR_TARGET: AttributeDefinition = {
  name: 'temper.audit.target',
  description: 'Name of the target that the log is shipped to.',
  example: 'splunk.example.com',
};

export const METRIC_SHIP_LAG: MetricDefinition = {
  name: 'temper.audit.ship.lag',
  instrument: 'updowncounter',
  unit: '{event}',
  description:
    'Events of the log that the target has not stored yet, as of the last look at the log.',
  attributes: [ATTR_POLICY_NAME, ATTR_TARGET],
  alert: 'Above zero for ten minutes while there are errors, or a number that keeps growing.',
};

export const METRIC_SHIP_ERRORS: MetricDefinition = {
  name: 'temper.audit.ship.errors',
  instrument: 'counter',
  unit: '{error}',
  description: 'Failures of shipping: of the target, of reading the log, gaps and mismatches.',
  attributes: [ATTR_POLICY_NAME, ATTR_TARGET],
  alert: 'Any that go on.',
};

/** The metrics of shipping. */
export const SHIP_METRICS: readonly MetricDefinition[] = [METRIC_SHIP_LAG, METRIC_SHIP_ERRORS];
