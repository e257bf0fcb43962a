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
import type { CircuitState } from './circuit/circuit.ts';
import { TRANSITION_REASONS } from './events.ts';
import type { CallOutcome } from './verdict.ts';

export type { CallOutcome };

/** Every state, in the order of an outage. */
export const CIRCUIT_STATES: readonly CircuitState[] = ['closed', 'open', 'half-open', 'isolated'];

/** Every {@link CallOutcome}. */
export const CALL_OUTCOMES: readonly CallOutcome[] = [
  'success',
  'failure',
  'slow',
  'ignored',
  'aborted',
  'rejected',
];

const ATTR_CALL_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the call ended, as the breaker judges it.',
  values: CALL_OUTCOMES,
};

/** Rejected calls have no duration. */
const ATTR_RUN_OUTCOME: AttributeDefinition = {
  ...ATTR_CALL_OUTCOME,
  values: CALL_OUTCOMES.filter((outcome) => outcome !== 'rejected'),
};

export const ATTR_STATE: AttributeDefinition = {
  name: 'temper.breaker.state',
  description: 'State of the circuit; on a span, when the call began.',
  values: CIRCUIT_STATES,
};

export const ATTR_FROM: AttributeDefinition = {
  name: 'temper.breaker.from',
  description: 'State that the circuit left.',
  values: CIRCUIT_STATES,
};

export const ATTR_TO: AttributeDefinition = {
  name: 'temper.breaker.to',
  description: 'State that the circuit entered.',
  values: CIRCUIT_STATES,
};

export const ATTR_REASON: AttributeDefinition = {
  name: 'temper.breaker.reason',
  description: 'Why the circuit changed its state. On log records only.',
  values: TRANSITION_REASONS,
};

export const METRIC_CALLS: MetricDefinition = {
  name: 'temper.breaker.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls that ended or were rejected.',
  attributes: [ATTR_POLICY_NAME, ATTR_CALL_OUTCOME],
  alert: 'The share of rejected calls; the share of failures, before the circuit opens.',
};

export const METRIC_TRANSITIONS: MetricDefinition = {
  name: 'temper.breaker.transitions',
  instrument: 'counter',
  unit: '{transition}',
  description: 'Changes of state.',
  attributes: [ATTR_POLICY_NAME, ATTR_FROM, ATTR_TO],
  alert: 'Several openings in a few minutes: the dependency is unstable.',
};

export const METRIC_CALL_DURATION: MetricDefinition = {
  name: 'temper.breaker.call.duration',
  instrument: 'histogram',
  unit: 's',
  boundaries: FAST_DURATION_BOUNDARIES,
  description: 'Time that the guarded operation took.',
  attributes: [ATTR_POLICY_NAME, ATTR_RUN_OUTCOME],
};

export const METRIC_STATE: MetricDefinition = {
  name: 'temper.breaker.state',
  instrument: 'gauge',
  unit: '{state}',
  description: '1 for the state that the circuit is in, 0 for the others.',
  attributes: [ATTR_POLICY_NAME, ATTR_STATE],
  states: { attribute: ATTR_STATE.name, worstFirst: ['isolated', 'open', 'half-open', 'closed'] },
  alert: 'state="open" at 1 for longer than a minute.',
};

export const METRIC_FAILURE_RATIO: MetricDefinition = {
  name: 'temper.breaker.failure.ratio',
  instrument: 'gauge',
  unit: '1',
  description: 'Share of failures in the window, 0 when it is empty. Only with a window.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'Half of failureRateThreshold: the circuit is about to open.',
};

export const METRIC_SLOW_CALL_RATIO: MetricDefinition = {
  name: 'temper.breaker.slow_call.ratio',
  instrument: 'gauge',
  unit: '1',
  description:
    'Share of slow calls in the window, 0 when it is empty. Only with slowCallDurationMs.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'Half of slowCallRateThreshold.',
};

/** The metrics of this package. */
export const BREAKER_METRICS: readonly MetricDefinition[] = [
  METRIC_CALLS,
  METRIC_TRANSITIONS,
  METRIC_CALL_DURATION,
  METRIC_STATE,
  METRIC_FAILURE_RATIO,
  METRIC_SLOW_CALL_RATIO,
];

/** The spans of this package. */
export const BREAKER_SPANS: readonly SpanDefinition[] = [
  {
    name: 'breaker <policy>',
    kind: 'internal',
    description: 'One call, or its rejection.',
    attributes: [ATTR_POLICY_NAME, ATTR_OPERATION, ATTR_STATE, ATTR_CALL_OUTCOME, ATTR_ERROR_TYPE],
    status: 'ERROR when the call failed or was rejected; unset otherwise.',
  },
];

/** The name of the log record written when a circuit changes its state. */
export const EVENT_TRANSITION = 'temper.breaker.transition';
