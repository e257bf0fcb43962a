import { ATTR_POLICY_NAME, type MetricDefinition } from '@temper/core/policy';

export const METRIC_REJECTION_RATIO: MetricDefinition = {
  name: 'temper.ratelimit.rejection.ratio',
  instrument: 'gauge',
  unit: '1',
  description: 'Share of its calls that a throttle sheds now.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'Above zero: the backend refuses part of what it is sent.',
};
