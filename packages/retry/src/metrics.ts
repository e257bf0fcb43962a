import {
  ATTR_ERROR_TYPE,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
} from '@temper/core/policy';

/** How a guarded operation can end. */
export const OPERATION_OUTCOMES: readonly OperationOutcome[] = [
  'success',
  'recovered',
  'failure',
  'exhausted',
  'aborted',
];

/**
 * `success`: at the first attempt; `recovered`: at a later one; `failure`: with an error not worth
 * retrying; `exhausted`: no attempt left; `aborted`: by the caller or the deadline.
 */
export type OperationOutcome = 'success' | 'recovered' | 'failure' | 'exhausted' | 'aborted';

export const ATTR_OPERATION_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the operation ended, all attempts taken together.',
  values: OPERATION_OUTCOMES,
};

export const ATTR_ATTEMPT_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the single attempt ended.',
  values: ['success', 'failure', 'aborted'],
};

export const ATTR_ATTEMPT: AttributeDefinition = {
  name: 'temper.retry.attempt',
  description: 'Which attempt this is, from 1.',
  example: '2',
};

export const ATTR_ATTEMPTS: AttributeDefinition = {
  name: 'temper.retry.attempts',
  description: 'How many attempts were made.',
  example: '3',
};

export const ATTR_DELAY: AttributeDefinition = {
  name: 'temper.retry.delay',
  description: 'Wait before this attempt, in seconds.',
  example: '0.2',
};

export const ATTR_REASON: AttributeDefinition = {
  name: 'temper.retry.reason',
  description: 'Why there was no further attempt.',
  values: ['attempts', 'deadline', 'elapsed', 'budget', 'retry-after'],
};

export const METRIC_OPERATIONS: MetricDefinition = {
  name: 'temper.retry.operations',
  instrument: 'counter',
  unit: '{operation}',
  description: 'Guarded operations that ended.',
  attributes: [ATTR_POLICY_NAME, ATTR_OPERATION_OUTCOME],
  alert: 'The share of exhausted operations; recovered ones are an early sign.',
};

export const METRIC_ATTEMPTS: MetricDefinition = {
  name: 'temper.retry.attempts',
  instrument: 'counter',
  unit: '{attempt}',
  description: 'Attempts that ended, retries included.',
  attributes: [ATTR_POLICY_NAME, ATTR_ATTEMPT_OUTCOME, ATTR_ERROR_TYPE],
};

export const METRIC_OPERATION_DURATION: MetricDefinition = {
  name: 'temper.retry.operation.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Time from the first attempt to the end of the operation, waits included.',
  attributes: [ATTR_POLICY_NAME, ATTR_OPERATION_OUTCOME],
};

export const METRIC_DELAY: MetricDefinition = {
  name: 'temper.retry.delay',
  instrument: 'histogram',
  unit: 's',
  description: 'Waits between attempts, as planned.',
  attributes: [ATTR_POLICY_NAME],
};

/** The name of the log record written when an operation is exhausted. */
export const EVENT_EXHAUSTED = 'temper.retry.exhausted';

export const METRIC_BUDGET_AVAILABLE: MetricDefinition = {
  name: 'temper.retry.budget.available',
  instrument: 'gauge',
  unit: '{attempt}',
  description: 'Retries that the budget would allow now.',
  merge: 'min',
  whenGone: Number.NaN,
  attributes: [ATTR_POLICY_NAME],
  alert: 'Zero: retries are being refused.',
};
