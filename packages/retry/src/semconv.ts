import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_POLICY_NAME,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core/policy';
import {
  ATTR_ATTEMPT,
  ATTR_ATTEMPTS,
  ATTR_DELAY,
  ATTR_OPERATION_OUTCOME,
  ATTR_REASON,
  METRIC_ATTEMPTS,
  METRIC_BUDGET_AVAILABLE,
  METRIC_DELAY,
  METRIC_OPERATION_DURATION,
  METRIC_OPERATIONS,
} from './metrics.ts';

export {
  ATTR_ATTEMPT,
  ATTR_ATTEMPT_OUTCOME,
  ATTR_ATTEMPTS,
  ATTR_DELAY,
  ATTR_OPERATION_OUTCOME,
  ATTR_REASON,
  EVENT_EXHAUSTED,
  METRIC_ATTEMPTS,
  METRIC_BUDGET_AVAILABLE,
  METRIC_DELAY,
  METRIC_OPERATION_DURATION,
  METRIC_OPERATIONS,
  OPERATION_OUTCOMES,
  type OperationOutcome,
} from './metrics.ts';

/** The metrics of this package. */
export const RETRY_METRICS: readonly MetricDefinition[] = [
  METRIC_OPERATIONS,
  METRIC_ATTEMPTS,
  METRIC_OPERATION_DURATION,
  METRIC_DELAY,
  METRIC_BUDGET_AVAILABLE,
];

/** The spans of this package. */
export const RETRY_SPANS: readonly SpanDefinition[] = [
  {
    name: 'retry <policy>',
    kind: 'internal',
    description: 'One guarded operation, from its first attempt to its end.',
    attributes: [
      ATTR_POLICY_NAME,
      ATTR_OPERATION,
      ATTR_OPERATION_OUTCOME,
      ATTR_ATTEMPTS,
      ATTR_REASON,
      ATTR_ERROR_TYPE,
    ],
    status: 'ERROR when the operation failed for good; unset when a retry saved it.',
  },
  {
    name: 'attempt',
    kind: 'internal',
    description: 'One attempt; its parent is the operation.',
    attributes: [ATTR_POLICY_NAME, ATTR_ATTEMPT, ATTR_DELAY, ATTR_ERROR_TYPE],
    status: 'ERROR when the attempt failed.',
  },
];
