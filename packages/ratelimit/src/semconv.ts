import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core';
import type { RejectionReason } from './errors.ts';

/**
 * `allowed`: at once; `delayed`: after a wait; `rejected`: with `RateLimitExceededError`; `aborted`:
 * the caller gave up while waiting; `unavailable`: with `StoreUnavailableError`.
 */
export type RequestOutcome = 'allowed' | 'delayed' | 'rejected' | 'aborted' | 'unavailable';

export const REQUEST_OUTCOMES: readonly RequestOutcome[] = [
  'allowed',
  'delayed',
  'rejected',
  'aborted',
  'unavailable',
];

export const REJECTION_REASONS: readonly RejectionReason[] = [
  'limit',
  'queue-full',
  'deadline',
  'cost',
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
  description: 'Why it refused; on rejections only.',
  values: REJECTION_REASONS,
};

/** What a limiter did in place of asking its store. */
export const ATTR_FALLBACK: AttributeDefinition = {
  name: 'temper.ratelimit.fallback',
  description: 'What decided while the store was away.',
  values: ['local', 'open', 'closed'],
};

export const ATTR_COST: AttributeDefinition = {
  name: 'temper.ratelimit.cost',
  description: 'Units that the call asked for.',
  example: '1',
};

export const ATTR_RETRY_AFTER: AttributeDefinition = {
  name: 'temper.ratelimit.retry_after',
  description: 'When it is worth coming back, in seconds; on rejections that can tell.',
  example: '0.6',
};

export const METRIC_REQUESTS: MetricDefinition = {
  name: 'temper.ratelimit.requests',
  instrument: 'counter',
  unit: '{request}',
  description: 'Calls that asked a limiter, by what it answered.',
  attributes: [ATTR_POLICY_NAME, ATTR_REQUEST_OUTCOME, ATTR_REASON],
  alert: 'The share of rejected requests; any unavailable.',
};

export const METRIC_EVICTIONS: MetricDefinition = {
  name: 'temper.ratelimit.evictions',
  instrument: 'counter',
  unit: '{key}',
  description:
    'Keys forgotten to make room for others. Keys forgotten for being idle do not count.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'A steady rate: maxKeys is too small for the keys in use, whose limits start afresh.',
};

export const METRIC_STORE_ERRORS: MetricDefinition = {
  name: 'temper.ratelimit.store.errors',
  instrument: 'counter',
  unit: '{error}',
  description:
    'Calls of the shared store that failed or were not made because it is known to be away.',
  attributes: [ATTR_POLICY_NAME, ATTR_ERROR_TYPE],
  alert: 'Any rate that lasts.',
};

export const METRIC_STORE_FALLBACKS: MetricDefinition = {
  name: 'temper.ratelimit.store.fallbacks',
  instrument: 'counter',
  unit: '{request}',
  description: 'Requests decided without the shared store, by what decided them.',
  attributes: [ATTR_POLICY_NAME, ATTR_FALLBACK],
};

export const METRIC_WAIT_DURATION: MetricDefinition = {
  name: 'temper.ratelimit.wait.duration',
  instrument: 'histogram',
  unit: 's',
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
  // A limiter that is gone must not look like one that is used up.
  whenGone: Number.NaN,
  alert: 'Zero for long: the limit is the bottleneck.',
};

export const METRIC_LIMIT: MetricDefinition = {
  name: 'temper.ratelimit.limit',
  instrument: 'gauge',
  unit: '{request}',
  description: 'The limit in force: units per window, or permits; moves for an adaptive limiter.',
  attributes: [ATTR_POLICY_NAME],
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

export const METRIC_KEYS: MetricDefinition = {
  name: 'temper.ratelimit.keys',
  instrument: 'updowncounter',
  unit: '{key}',
  description: 'Keys that a keyed limiter keeps.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_REJECTION_RATIO: MetricDefinition = {
  name: 'temper.ratelimit.rejection.ratio',
  instrument: 'gauge',
  unit: '1',
  description: 'Share of its calls that a throttle sheds now.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'Above zero: the backend refuses part of what it is sent.',
};

/** The metrics of this package. */
export const RATELIMIT_METRICS: readonly MetricDefinition[] = [
  METRIC_REQUESTS,
  METRIC_EVICTIONS,
  METRIC_STORE_ERRORS,
  METRIC_STORE_FALLBACKS,
  METRIC_WAIT_DURATION,
  METRIC_AVAILABLE,
  METRIC_LIMIT,
  METRIC_QUEUED,
  METRIC_IN_FLIGHT,
  METRIC_KEYS,
  METRIC_REJECTION_RATIO,
];

/** The spans of this package. */
export const RATELIMIT_SPANS: readonly SpanDefinition[] = [
  {
    name: 'ratelimit <policy>',
    kind: 'internal',
    description:
      'The wait for a turn, or the refusal. A call that passes at once leaves no span, and neither does tryAcquire.',
    attributes: [
      ATTR_POLICY_NAME,
      ATTR_OPERATION,
      ATTR_REQUEST_OUTCOME,
      ATTR_REASON,
      ATTR_COST,
      ATTR_RETRY_AFTER,
      ATTR_ERROR_TYPE,
    ],
    status: 'ERROR when the call was refused; unset when it got its turn or gave up itself.',
  },
];
