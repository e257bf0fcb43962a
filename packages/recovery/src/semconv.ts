import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  FAST_DURATION_BOUNDARIES,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core/policy';

/**
 * `success` and `failure`: the operation ended in time; `timeout`: it was cut off; `aborted`: nobody wanted
 * the result any more, and it failed.
 */
export type TimeoutOutcome = 'success' | 'failure' | 'timeout' | 'aborted';
export const TIMEOUT_OUTCOMES: readonly TimeoutOutcome[] = [
  'success',
  'failure',
  'timeout',
  'aborted',
];

/**
 * `success`: the first attempt won; `hedged`: a later one did; `failure`: none did; `aborted`: the
 * call was ended from outside.
 */
export type HedgeOutcome = 'success' | 'hedged' | 'failure' | 'aborted';
export const HEDGE_OUTCOMES: readonly HedgeOutcome[] = ['success', 'hedged', 'failure', 'aborted'];

/**
 * `success`: the operation succeeded; `fallback`: the handler answered; `failure`: the handler failed
 * too, or was not called.
 */
export type FallbackOutcome = 'success' | 'fallback' | 'failure' | 'aborted';
export const FALLBACK_OUTCOMES: readonly FallbackOutcome[] = [
  'success',
  'fallback',
  'failure',
  'aborted',
];

/**
 * `success`: by the operation; `hit`: from the cache, fresh; `stale`: from the cache, because the
 * operation failed; `shared`: by the operation of a concurrent call; `failure`: there was no answer.
 */
export type CacheOutcome = 'success' | 'hit' | 'stale' | 'shared' | 'failure' | 'aborted';
export const CACHE_OUTCOMES: readonly CacheOutcome[] = [
  'success',
  'hit',
  'stale',
  'shared',
  'failure',
  'aborted',
];

/** What chaos injected: an error, a delay, or another result. */
export type ChaosKind = 'fault' | 'latency' | 'result';
export const CHAOS_KINDS: readonly ChaosKind[] = ['fault', 'latency', 'result'];

/**
 * `success`: at the first attempt; `recovered`: by a strategy; `degraded`: failed, with a partial
 * result; `failure`: failed; `aborted`: by the caller or the caller's deadline.
 */
export type RecoveryOutcomeName = 'success' | 'recovered' | 'degraded' | 'failure' | 'aborted';
export const RECOVERY_OUTCOMES: readonly RecoveryOutcomeName[] = [
  'success',
  'recovered',
  'degraded',
  'failure',
  'aborted',
];

/** Whether a hedged attempt was started, or refused by the budget. */
export type HedgeAttemptOutcome = 'started' | 'refused';
export const HEDGE_ATTEMPT_OUTCOMES: readonly HedgeAttemptOutcome[] = ['started', 'refused'];

/** Whether a new definition of a named pipeline was put in force. */
export type ReloadOutcome = 'applied' | 'rejected';
export const RELOAD_OUTCOMES: readonly ReloadOutcome[] = ['applied', 'rejected'];

/** A bound of an HTTP exchange; each but `origins` and `replay_bytes` is the option of that name. */
export type FetchLimit =
  | 'connect_timeout'
  | 'body_idle_timeout'
  | 'exchange_timeout'
  | 'replay_bytes'
  | 'origins';
export const FETCH_LIMITS: readonly FetchLimit[] = [
  'connect_timeout',
  'body_idle_timeout',
  'exchange_timeout',
  'replay_bytes',
  'origins',
];

/** Whether the rest of a body that broke was got. */
export type FetchResumption = 'success' | 'failure';
export const FETCH_RESUMPTIONS: readonly FetchResumption[] = ['success', 'failure'];

// Literals only, so that a bundler drops the definitions that a program does not use.
const ATTR_TIMEOUT_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the call ended.',
  values: TIMEOUT_OUTCOMES,
};

const ATTR_HEDGE_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the call ended.',
  values: HEDGE_OUTCOMES,
};

const ATTR_HEDGE_ATTEMPT_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'Whether the attempt was started, or refused by the budget.',
  values: HEDGE_ATTEMPT_OUTCOMES,
};

const ATTR_FALLBACK_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the call ended.',
  values: FALLBACK_OUTCOMES,
};

const ATTR_CACHE_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'Where the answer came from.',
  values: CACHE_OUTCOMES,
};

const ATTR_RELOAD_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'Whether the new definition is in force.',
  values: RELOAD_OUTCOMES,
};

export const ATTR_FETCH_LIMIT: AttributeDefinition = {
  name: 'temper.fetch.limit',
  description: 'The bound that took effect.',
  values: FETCH_LIMITS,
};

const ATTR_FETCH_RESUMPTION: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'Whether the reader got the rest.',
  values: FETCH_RESUMPTIONS,
};

const ATTR_RECOVERY_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the operation ended.',
  values: RECOVERY_OUTCOMES,
};

export const ATTR_CHAOS_KIND: AttributeDefinition = {
  name: 'temper.chaos.kind',
  description: 'What was injected.',
  values: CHAOS_KINDS,
};

export const ATTR_CACHE_AGE: AttributeDefinition = {
  name: 'temper.cache.age',
  description: 'Age of the answer that was served, in seconds.',
  example: '42.5',
};

export const ATTR_HEDGE_ATTEMPT: AttributeDefinition = {
  name: 'temper.hedge.attempt',
  description: 'Number of the attempt within the hedged call, from 1; hedges begin at 2.',
  example: '2',
};

export const ATTR_TIMEOUT_LIMIT: AttributeDefinition = {
  name: 'temper.timeout.limit',
  description: 'Timeout that applied to the call, in seconds.',
  example: '5',
};

export const ATTR_STRATEGY: AttributeDefinition = {
  name: 'temper.recovery.strategy',
  description: "The plan's strategies, joined by '+'; 'none' without a plan.",
  example: 'retry+fallback',
};

export const ATTR_RECOVERED_BY: AttributeDefinition = {
  name: 'temper.recovery.recovered_by',
  description: 'The strategy that recovered the call.',
  values: ['retry', 'fallback'],
};

export const METRIC_TIMEOUT_CALLS: MetricDefinition = {
  name: 'temper.timeout.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls under a timeout that ended.',
  attributes: [ATTR_POLICY_NAME, ATTR_TIMEOUT_OUTCOME],
  alert: 'The share of timeouts.',
};

export const METRIC_TIMEOUT_LIMIT: MetricDefinition = {
  name: 'temper.timeout.limit',
  instrument: 'gauge',
  unit: 's',
  description: 'Present timeout of a call.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_TIMEOUT_CUT_OFF: MetricDefinition = {
  name: 'temper.timeout.cut_off',
  instrument: 'gauge',
  unit: '1',
  description:
    'Share of the observed calls that the timeout has cut off, where it follows the latencies.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_HEDGE_CALLS: MetricDefinition = {
  name: 'temper.hedge.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Hedged calls that ended.',
  attributes: [ATTR_POLICY_NAME, ATTR_HEDGE_OUTCOME],
};

export const METRIC_HEDGE_ATTEMPTS: MetricDefinition = {
  name: 'temper.hedge.attempts',
  instrument: 'counter',
  unit: '{attempt}',
  description: 'Attempts beyond the first that were due.',
  attributes: [ATTR_POLICY_NAME, ATTR_HEDGE_ATTEMPT_OUTCOME],
  alert: 'Refused: the budget is spent.',
};

export const METRIC_HEDGE_DELAY: MetricDefinition = {
  name: 'temper.hedge.delay',
  instrument: 'gauge',
  unit: 's',
  description:
    'Present delay before another attempt starts. Absent when the delay is computed per call.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_HEDGE_CUT_OFF: MetricDefinition = {
  name: 'temper.hedge.cut_off',
  instrument: 'gauge',
  unit: '1',
  description:
    'Share of the observed first attempts that another one has cut off, where the delay follows the latencies.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_FALLBACK_CALLS: MetricDefinition = {
  name: 'temper.fallback.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls with a fallback that ended.',
  attributes: [ATTR_POLICY_NAME, ATTR_FALLBACK_OUTCOME],
  alert: 'The share of fallbacks: users get second-best answers.',
};

export const METRIC_CACHE_CALLS: MetricDefinition = {
  name: 'temper.cache.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls through a cache that ended.',
  attributes: [ATTR_POLICY_NAME, ATTR_CACHE_OUTCOME],
  alert: 'The share of stale answers.',
};

export const METRIC_CACHE_EVICTIONS: MetricDefinition = {
  name: 'temper.cache.evictions',
  instrument: 'counter',
  unit: '{key}',
  description: 'Answers removed to make room for others.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_CACHE_KEYS: MetricDefinition = {
  name: 'temper.cache.keys',
  instrument: 'gauge',
  unit: '{key}',
  description: 'Answers in the cache.',
  attributes: [ATTR_POLICY_NAME],
  merge: 'sum',
};

export const METRIC_CHAOS_INJECTIONS: MetricDefinition = {
  name: 'temper.chaos.injections',
  instrument: 'counter',
  unit: '{injection}',
  description: 'Faults, delays and results that were injected on purpose.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHAOS_KIND],
  alert: 'Any, where no experiment is planned.',
};

export const METRIC_PIPELINE_RELOADS: MetricDefinition = {
  name: 'temper.pipeline.reloads',
  instrument: 'counter',
  unit: '{reload}',
  description: 'Reloads of a named pipeline, applied and rejected.',
  attributes: [ATTR_POLICY_NAME, ATTR_RELOAD_OUTCOME],
  alert: 'Rejected: the definition on file is not the one in force.',
};

export const METRIC_PIPELINE_IN_FLIGHT: MetricDefinition = {
  name: 'temper.pipeline.in_flight',
  instrument: 'updowncounter',
  unit: '{call}',
  description: 'Calls in flight in a named pipeline, replaced revisions included.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_FETCH_REJECTED: MetricDefinition = {
  name: 'temper.fetch.rejected',
  instrument: 'counter',
  unit: '{request}',
  description: 'Requests that were not sent because too many were in flight.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'Any: the limit is too low, or the origins are slow.',
};

export const METRIC_FETCH_LIMITS: MetricDefinition = {
  name: 'temper.fetch.limits',
  instrument: 'counter',
  unit: '{event}',
  description:
    'Times that a bound of an HTTP exchange took effect: a connection or body that took too long, a request body too large to be kept for another attempt, an origin whose breaker was dropped.',
  attributes: [ATTR_POLICY_NAME, ATTR_FETCH_LIMIT],
  alert: 'Of origins: maxOrigins is too low, or requests go wherever somebody asks.',
};

export const METRIC_FETCH_RESUMPTIONS: MetricDefinition = {
  name: 'temper.fetch.resumptions',
  instrument: 'counter',
  unit: '{resumption}',
  description: 'Bodies of responses that broke, by whether their reader got the rest.',
  attributes: [ATTR_POLICY_NAME, ATTR_FETCH_RESUMPTION],
  alert: 'The share of failures: readers get half an answer.',
};

export const METRIC_RECOVERY_EXECUTIONS: MetricDefinition = {
  name: 'temper.recovery.executions',
  instrument: 'counter',
  unit: '{execution}',
  description: 'Operations under a recovery plan that ended.',
  attributes: [ATTR_POLICY_NAME, ATTR_STRATEGY, ATTR_RECOVERY_OUTCOME],
  alert: 'The share of failures; recovered and degraded ones are an early sign.',
};

export const METRIC_RECOVERY_DURATION: MetricDefinition = {
  name: 'temper.recovery.execution.duration',
  instrument: 'histogram',
  unit: 's',
  boundaries: FAST_DURATION_BOUNDARIES,
  description: 'Time from the start of the operation to its answer, recovery included.',
  attributes: [ATTR_POLICY_NAME, ATTR_STRATEGY, ATTR_RECOVERY_OUTCOME],
};

/** The metrics of this package. */
export const RECOVERY_METRICS: readonly MetricDefinition[] = [
  METRIC_TIMEOUT_CALLS,
  METRIC_TIMEOUT_LIMIT,
  METRIC_TIMEOUT_CUT_OFF,
  METRIC_HEDGE_CALLS,
  METRIC_HEDGE_ATTEMPTS,
  METRIC_HEDGE_DELAY,
  METRIC_HEDGE_CUT_OFF,
  METRIC_FALLBACK_CALLS,
  METRIC_CACHE_CALLS,
  METRIC_CACHE_EVICTIONS,
  METRIC_CACHE_KEYS,
  METRIC_CHAOS_INJECTIONS,
  METRIC_PIPELINE_RELOADS,
  METRIC_PIPELINE_IN_FLIGHT,
  METRIC_FETCH_REJECTED,
  METRIC_FETCH_LIMITS,
  METRIC_FETCH_RESUMPTIONS,
  METRIC_RECOVERY_EXECUTIONS,
  METRIC_RECOVERY_DURATION,
];

/** The spans of this package. */
export const RECOVERY_SPANS: readonly SpanDefinition[] = [
  {
    name: 'timeout <policy>',
    kind: 'internal',
    description:
      'A call that timed out, from its beginning to the timeout. With spans: all, every call.',
    attributes: [ATTR_POLICY_NAME, ATTR_OPERATION, ATTR_TIMEOUT_LIMIT, ATTR_ERROR_TYPE],
    status: 'ERROR when the call timed out.',
  },
  {
    name: 'hedge <policy>',
    kind: 'internal',
    description: 'An attempt beyond the first. With spans: all, the first one too.',
    attributes: [ATTR_POLICY_NAME, ATTR_OPERATION, ATTR_HEDGE_ATTEMPT, ATTR_ERROR_TYPE],
    status: 'ERROR when the attempt failed; unset when it won or lost.',
  },
  {
    name: 'fallback <policy>',
    kind: 'internal',
    description:
      'A call that the handler was called for, from its beginning; error.type is of the failure. With spans: all, every call.',
    attributes: [ATTR_POLICY_NAME, ATTR_OPERATION, ATTR_ERROR_TYPE],
    status: 'ERROR when the fallback failed too; unset when it answered.',
  },
  {
    name: 'cache <policy>',
    kind: 'internal',
    description:
      'A call that got a stale answer in place of a failure, whose error.type it has. With spans: all, every call.',
    attributes: [ATTR_POLICY_NAME, ATTR_OPERATION, ATTR_CACHE_AGE, ATTR_ERROR_TYPE],
    status: 'Unset.',
  },
  {
    name: 'chaos <policy>',
    kind: 'internal',
    description: 'An injected delay, fault or result.',
    attributes: [ATTR_POLICY_NAME, ATTR_OPERATION, ATTR_CHAOS_KIND],
    status: 'Unset.',
  },
  {
    name: 'recovery <operation>',
    kind: 'internal',
    description: 'One operation under its plan, recovery included.',
    attributes: [
      ATTR_POLICY_NAME,
      ATTR_OPERATION,
      ATTR_STRATEGY,
      ATTR_RECOVERY_OUTCOME,
      ATTR_RECOVERED_BY,
      ATTR_ERROR_TYPE,
    ],
    status: 'ERROR when the operation failed, even with a partial result.',
  },
];
