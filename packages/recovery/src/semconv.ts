import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core';

/** `success` and `failure` in time; `timeout`: given up on and aborted. */
export type TimeoutOutcome = 'success' | 'failure' | 'timeout';
export const TIMEOUT_OUTCOMES: readonly TimeoutOutcome[] = ['success', 'failure', 'timeout'];

/** `success`: the first try answered; `hedged`: a later one did; `aborted`: by caller or deadline. */
export type HedgeOutcome = 'success' | 'hedged' | 'failure' | 'aborted';
export const HEDGE_OUTCOMES: readonly HedgeOutcome[] = ['success', 'hedged', 'failure', 'aborted'];

/** `success`: no need for it; `fallback`: it answered; `failure`: neither did, or it was not asked. */
export type FallbackOutcome = 'success' | 'fallback' | 'failure';
export const FALLBACK_OUTCOMES: readonly FallbackOutcome[] = ['success', 'fallback', 'failure'];

/**
 * `success`: called and answered; `hit`: answered from memory while fresh; `stale`: answered from
 * memory as the call failed; `shared`: by the call of another; `failure`: with nothing to serve.
 */
export type CacheOutcome = 'success' | 'hit' | 'stale' | 'shared' | 'failure';
export const CACHE_OUTCOMES: readonly CacheOutcome[] = [
  'success',
  'hit',
  'stale',
  'shared',
  'failure',
];

/** What chaos did: threw an error, waited, or put another result in place. */
export type ChaosKind = 'fault' | 'latency' | 'result';
export const CHAOS_KINDS: readonly ChaosKind[] = ['fault', 'latency', 'result'];

/**
 * `success`: at the first try; `recovered`: by a strategy; `degraded`: failed, with a partial result;
 * `failure`: failed for good; `aborted`: by the caller or the caller's deadline.
 */
export type RecoveryOutcomeName = 'success' | 'recovered' | 'degraded' | 'failure' | 'aborted';
export const RECOVERY_OUTCOMES: readonly RecoveryOutcomeName[] = [
  'success',
  'recovered',
  'degraded',
  'failure',
  'aborted',
];

const outcome = (description: string, values: readonly string[]): AttributeDefinition => ({
  name: ATTR_OUTCOME,
  description,
  values,
});

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
  description: 'Which try this is, from 1; hedges begin at 2.',
  example: '2',
};

export const ATTR_TIMEOUT_LIMIT: AttributeDefinition = {
  name: 'temper.timeout.limit',
  description: 'What the operation was given, in seconds.',
  example: '5',
};

export const ATTR_STRATEGY: AttributeDefinition = {
  name: 'temper.recovery.strategy',
  description: "The plan's strategies, joined by '+'; 'none' without a plan.",
  example: 'retry+fallback',
};

export const ATTR_RECOVERED_BY: AttributeDefinition = {
  name: 'temper.recovery.recovered_by',
  description: 'The strategy that saved the call.',
  values: ['retry', 'fallback'],
};

export const METRIC_TIMEOUT_CALLS: MetricDefinition = {
  name: 'temper.timeout.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls under a timeout that ended.',
  attributes: [ATTR_POLICY_NAME, outcome('How the call ended.', TIMEOUT_OUTCOMES)],
  alert: 'The share of timeouts.',
};

export const METRIC_TIMEOUT_LIMIT: MetricDefinition = {
  name: 'temper.timeout.limit',
  instrument: 'gauge',
  unit: 's',
  description: 'What a call is given at present.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_HEDGE_CALLS: MetricDefinition = {
  name: 'temper.hedge.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Hedged calls that ended.',
  attributes: [ATTR_POLICY_NAME, outcome('How the call ended.', HEDGE_OUTCOMES)],
};

export const METRIC_HEDGE_ATTEMPTS: MetricDefinition = {
  name: 'temper.hedge.attempts',
  instrument: 'counter',
  unit: '{attempt}',
  description: 'Tries beyond the first that were due.',
  attributes: [
    ATTR_POLICY_NAME,
    outcome('Whether it was made, or the budget refused it.', ['started', 'refused']),
  ],
  alert: 'Refused: the budget is spent.',
};

export const METRIC_HEDGE_DELAY: MetricDefinition = {
  name: 'temper.hedge.delay',
  instrument: 'gauge',
  unit: 's',
  description:
    'How long a try is waited for, at present, before the next one. Not for a computed delay.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_FALLBACK_CALLS: MetricDefinition = {
  name: 'temper.fallback.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls with a fallback that ended.',
  attributes: [ATTR_POLICY_NAME, outcome('How the call ended.', FALLBACK_OUTCOMES)],
  alert: 'The share of fallbacks: users see second-best answers.',
};

export const METRIC_CACHE_CALLS: MetricDefinition = {
  name: 'temper.cache.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls that may be answered with the last good answer.',
  attributes: [ATTR_POLICY_NAME, outcome('Where the answer came from.', CACHE_OUTCOMES)],
  alert: 'The share of stale answers.',
};

export const METRIC_CACHE_EVICTIONS: MetricDefinition = {
  name: 'temper.cache.evictions',
  instrument: 'counter',
  unit: '{key}',
  description: 'Answers forgotten as there were too many keys.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_CACHE_KEYS: MetricDefinition = {
  name: 'temper.cache.keys',
  instrument: 'gauge',
  unit: '{key}',
  description: 'Answers in memory.',
  attributes: [ATTR_POLICY_NAME],
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
  description: 'Attempts to replace a named pipeline while it runs.',
  attributes: [ATTR_POLICY_NAME, outcome('Whether the new one serves.', ['applied', 'rejected'])],
  alert: 'Rejected: the options on file are not those that are in force.',
};

export const METRIC_PIPELINE_IN_FLIGHT: MetricDefinition = {
  name: 'temper.pipeline.in_flight',
  instrument: 'updowncounter',
  unit: '{call}',
  description: 'Calls under way in a named pipeline, replaced ones included.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_FETCH_REJECTED: MetricDefinition = {
  name: 'temper.fetch.rejected',
  instrument: 'counter',
  unit: '{request}',
  description: 'Requests that were not sent, as too many were under way.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'Any: the limit is in the way, or the origins are slow.',
};

export const METRIC_RECOVERY_EXECUTIONS: MetricDefinition = {
  name: 'temper.recovery.executions',
  instrument: 'counter',
  unit: '{execution}',
  description: 'Operations under a recovery plan that ended.',
  attributes: [
    ATTR_POLICY_NAME,
    ATTR_STRATEGY,
    outcome('How the operation ended.', RECOVERY_OUTCOMES),
  ],
  alert: 'The share of failures; recovered and degraded ones are an early sign.',
};

export const METRIC_RECOVERY_DURATION: MetricDefinition = {
  name: 'temper.recovery.execution.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Time from the start of the operation to its answer, recovery included.',
  attributes: [
    ATTR_POLICY_NAME,
    ATTR_STRATEGY,
    outcome('How the operation ended.', RECOVERY_OUTCOMES),
  ],
};

export const METRIC_RECOVERY_FORECAST: MetricDefinition = {
  name: 'temper.recovery.failure.forecast',
  instrument: 'gauge',
  unit: '1',
  description: 'Failure ratio to expect a minute from now, if the present trend goes on.',
  attributes: [ATTR_POLICY_NAME],
  alert: "Above the ratio at which the operation's breaker opens.",
};

export const METRIC_RECOVERY_DEMAND: MetricDefinition = {
  name: 'temper.recovery.demand',
  instrument: 'gauge',
  unit: '{call}',
  description:
    'Calls under way at one time on average: arrivals per second times mean seconds. Divided by what a replica can hold it is the number of replicas.',
  attributes: [ATTR_POLICY_NAME],
};

/** The metrics of this package. */
export const RECOVERY_METRICS: readonly MetricDefinition[] = [
  METRIC_TIMEOUT_CALLS,
  METRIC_TIMEOUT_LIMIT,
  METRIC_HEDGE_CALLS,
  METRIC_HEDGE_ATTEMPTS,
  METRIC_HEDGE_DELAY,
  METRIC_FALLBACK_CALLS,
  METRIC_CACHE_CALLS,
  METRIC_CACHE_EVICTIONS,
  METRIC_CACHE_KEYS,
  METRIC_CHAOS_INJECTIONS,
  METRIC_PIPELINE_RELOADS,
  METRIC_PIPELINE_IN_FLIGHT,
  METRIC_FETCH_REJECTED,
  METRIC_RECOVERY_EXECUTIONS,
  METRIC_RECOVERY_DURATION,
  METRIC_RECOVERY_FORECAST,
  METRIC_RECOVERY_DEMAND,
];

const common = [ATTR_POLICY_NAME, ATTR_OPERATION];

/** The spans of this package. */
export const RECOVERY_SPANS: readonly SpanDefinition[] = [
  {
    name: 'timeout <policy>',
    kind: 'internal',
    description: 'A call that was given up on, from its start to that moment.',
    attributes: [...common, ATTR_TIMEOUT_LIMIT, ATTR_ERROR_TYPE],
    status: 'ERROR always.',
  },
  {
    name: 'hedge <policy>',
    kind: 'internal',
    description: 'A try beyond the first; what it does is below it.',
    attributes: [...common, ATTR_HEDGE_ATTEMPT, ATTR_ERROR_TYPE],
    status: 'ERROR when the try failed; unset when it won or was no longer needed.',
  },
  {
    name: 'fallback <policy>',
    kind: 'internal',
    description: 'The fallback at work; error.type is that of the failure it answers for.',
    attributes: [...common, ATTR_ERROR_TYPE],
    status: 'ERROR when the fallback failed too.',
  },
  {
    name: 'cache <policy>',
    kind: 'internal',
    description: 'A stale answer served in place of a failure, whose error.type it carries.',
    attributes: [...common, ATTR_CACHE_AGE, ATTR_ERROR_TYPE],
    status: 'Unset.',
  },
  {
    name: 'chaos <policy>',
    kind: 'internal',
    description: 'An injection, on purpose.',
    attributes: [...common, ATTR_CHAOS_KIND],
    status: 'Unset: chaos did what it was told.',
  },
  {
    name: 'recovery <operation>',
    kind: 'internal',
    description: 'One operation under its plan, recovery included.',
    attributes: [
      ...common,
      ATTR_STRATEGY,
      outcome('How the operation ended.', RECOVERY_OUTCOMES),
      ATTR_RECOVERED_BY,
      ATTR_ERROR_TYPE,
    ],
    status: 'ERROR when the operation failed, even with a partial result.',
  },
];
