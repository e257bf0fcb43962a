import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_POLICY_NAME,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core/policy';
import { METRIC_EVICTIONS, METRIC_KEYS } from './keyed/semconv.ts';
import {
  ATTR_COST,
  ATTR_REASON,
  ATTR_REQUEST_OUTCOME,
  ATTR_RETRY_AFTER,
  METRIC_AVAILABLE,
  METRIC_IN_FLIGHT,
  METRIC_LIMIT,
  METRIC_QUEUED,
  METRIC_REQUESTS,
  METRIC_WAIT_DURATION,
} from './request-semconv.ts';
import { METRIC_STORE_ERRORS, METRIC_STORE_FALLBACKS } from './shared/semconv.ts';
import { METRIC_REJECTION_RATIO } from './throttle/semconv.ts';

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
      'A wait for a turn, or a refusal. A call that passes at once has no span, and neither has tryAcquire.',
    attributes: [
      ATTR_POLICY_NAME,
      ATTR_OPERATION,
      ATTR_REQUEST_OUTCOME,
      ATTR_REASON,
      ATTR_COST,
      ATTR_RETRY_AFTER,
      ATTR_ERROR_TYPE,
    ],
    status: 'ERROR when the call was refused; unset when it got its turn or was aborted.',
  },
];
