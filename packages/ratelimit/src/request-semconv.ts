import {
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  FAST_DURATION_BOUNDARIES,
  type MetricDefinition,
} from '@temper/core/policy';
import type { RejectionReason } from './errors.ts';

/**
 * `allowed`: at once; `delayed`: after a wait; `rejected`: with `RateLimitExceededError`; `aborted`: the
 * caller ended the call while it waited; `unavailable`: with `StoreUnavailableError`.
 */
export type RequestOutcome = 'allowed' | 'delayed' | 'rejected' | 'aborted' | 'unavailable';

const REQUEST_OUTCOMES: readonly RequestOutcome[] = [
  'allowed',
  'delayed',
  'rejected',
  'aborted',
  'unavailable',
];

const REJECTION_REASONS: readonly RejectionReason[] = [
  'limit',
  'queue-full',
  'deadline',
  'cost',
  'calls-itself',
  'keys',
  'shed',
];

export const ATTR_REQUEST_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'What the limiter answered.',
  values: REQUEST_OUTCOMES,
};

export const ATTR_REASON: AttributeDefinition = {
  name: 'temper.ratelimit.reason',
  description: 'Why the limiter refused; on rejections only.',
  values: REJECTION_REASONS,
};

export const ATTR_COST: AttributeDefinition = {
  name: 'temper.ratelimit.cost',
  description: 'Units that the call asked for.',
  example: '1',
};

export const ATTR_RETRY_AFTER: AttributeDefinition = {
  name: 'temper.ratelimit.retry_after',
  description: 'When to try again, in seconds; on rejections where it is known.',
  example: '0.6',
};

export const METRIC_REQUESTS: MetricDefinition = {
  name: 'temper.ratelimit.requests',
  instrument: 'counter',
  unit: '{request}',
  description: 'Calls that asked a limiter, by its answer.',
  attributes: [ATTR_POLICY_NAME, ATTR_REQUEST_OUTCOME, ATTR_REASON],
  alert: 'The share of rejected requests; any unavailable.',
};

export const METRIC_WAIT_DURATION: MetricDefinition = {
  name: 'temper.ratelimit.wait.duration',
  instrument: 'histogram',
  unit: 's',
  boundaries: FAST_DURATION_BOUNDARIES,
  description:
    'Time that calls spent waiting for their turn. Calls that did not wait are not in it.',
  attributes: [ATTR_POLICY_NAME, ATTR_REQUEST_OUTCOME],
};

export const METRIC_AVAILABLE: MetricDefinition = {
  name: 'temper.ratelimit.available',
  instrument: 'gauge',
  unit: '{request}',
  description: 'Units that could be taken now.',
  attributes: [ATTR_POLICY_NAME],
  merge: 'min',
  // A limiter that no longer exists must not look like one that is used up.
  whenGone: Number.NaN,
  alert: 'Zero for long: the limit is the bottleneck.',
};

export const METRIC_LIMIT: MetricDefinition = {
  name: 'temper.ratelimit.limit',
  instrument: 'gauge',
  unit: '{request}',
  description: 'The limit in force: units per window, or permits; moves for an adaptive limiter.',
  attributes: [ATTR_POLICY_NAME],
  merge: 'min',
  whenGone: Number.NaN,
};

export const METRIC_QUEUED: MetricDefinition = {
  name: 'temper.ratelimit.queued',
  instrument: 'updowncounter',
  unit: '{request}',
  description: 'Calls waiting for their turn.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_IN_FLIGHT: MetricDefinition = {
  name: 'temper.ratelimit.in_flight',
  instrument: 'updowncounter',
  unit: '{request}',
  description: 'Permits in use.',
  attributes: [ATTR_POLICY_NAME],
};

/** The metrics of every limiter. */
export const REQUEST_METRICS: readonly MetricDefinition[] = [
  METRIC_REQUESTS,
  METRIC_WAIT_DURATION,
  METRIC_AVAILABLE,
  METRIC_LIMIT,
  METRIC_QUEUED,
  METRIC_IN_FLIGHT,
];
