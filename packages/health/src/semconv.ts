import {
  ATTR_ERROR_TYPE,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core';
import { HEALTH_STATUSES } from './status.ts';

export const ATTR_CHECK_NAME: AttributeDefinition = {
  name: 'temper.health.check.name',
  description: 'Name of the check, as registered.',
  example: 'postgres',
};

export const ATTR_STATUS: AttributeDefinition = {
  name: 'temper.health.status',
  description: 'What the check said, the flapping rule applied.',
  values: HEALTH_STATUSES,
};

export const ATTR_PROBE_STATUS: AttributeDefinition = {
  name: 'temper.health.status',
  description: 'What this one probe found.',
  values: HEALTH_STATUSES,
};

export const ATTR_FROM: AttributeDefinition = {
  name: 'temper.health.status.from',
  description: 'What the check said before.',
  values: HEALTH_STATUSES,
};

export const METRIC_CHECKS: MetricDefinition = {
  name: 'temper.health.checks',
  instrument: 'counter',
  unit: '{check}',
  description:
    'Probes that ended, by the status they led to. Answers from the cache are not probes.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME, ATTR_STATUS],
};

export const METRIC_CHECK_DURATION: MetricDefinition = {
  name: 'temper.health.check.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Time that a probe took, its timeout at most.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME],
};

export const METRIC_STATUS: MetricDefinition = {
  name: 'temper.health.status',
  instrument: 'gauge',
  unit: '1',
  description: 'For each check and status, 1 if that is its status now, else 0.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME, ATTR_STATUS],
  alert: '1 for unhealthy, for longer than the check takes to recover by itself.',
};

/** The metrics of this package. */
export const HEALTH_METRICS: readonly MetricDefinition[] = [
  METRIC_CHECKS,
  METRIC_CHECK_DURATION,
  METRIC_STATUS,
];

/** The spans of this package. */
export const HEALTH_SPANS: readonly SpanDefinition[] = [
  {
    name: 'health <check>',
    kind: 'internal',
    description: 'One probe of one check. What the check itself traces is below it.',
    attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME, ATTR_PROBE_STATUS, ATTR_ERROR_TYPE],
    status: 'ERROR when the probe found the check unhealthy, threw, or ran out of time.',
  },
];

/** The name of the log record written when a check changes its status. */
export const EVENT_STATUS_CHANGED = 'temper.health.status_changed';
