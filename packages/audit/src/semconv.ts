import {
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
} from '@temper/core/policy';

/**
 * Outcome of an event. `stored`: durable in as many sinks as the rule requires. `refused`: `append` was
 * rejected. `degraded`: `append` resolved before the event was durable. `dropped`: discarded because
 * `queueLimit` or `holdLimit` was reached.
 */
export type EventOutcome = 'stored' | 'refused' | 'degraded' | 'dropped';

/** Every {@link EventOutcome}. */
export const EVENT_OUTCOMES: readonly EventOutcome[] = ['stored', 'refused', 'degraded', 'dropped'];

export const ATTR_EVENT_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'What became of the event.',
  values: EVENT_OUTCOMES,
};

export const ATTR_SINK: AttributeDefinition = {
  name: 'temper.audit.sink',
  description: 'Name of the sink.',
  example: 'sqlite',
};

export const METRIC_EVENTS: MetricDefinition = {
  name: 'temper.audit.events',
  instrument: 'counter',
  unit: '{event}',
  description:
    'Audit events by outcome. One that was refused or degraded counts again as stored if a sink takes it later.',
  attributes: [ATTR_POLICY_NAME, ATTR_EVENT_OUTCOME],
  alert: 'Any refused, degraded or dropped.',
};

export const METRIC_SINK_ERRORS: MetricDefinition = {
  name: 'temper.audit.sink.errors',
  instrument: 'counter',
  unit: '{error}',
  description: 'Writes and openings of a sink that failed or took too long.',
  attributes: [ATTR_POLICY_NAME, ATTR_SINK],
  alert: 'Any that go on.',
};

export const METRIC_APPEND_DURATION: MetricDefinition = {
  name: 'temper.audit.append.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Time from handing an event to the log until it was durable.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_PENDING: MetricDefinition = {
  name: 'temper.audit.pending',
  instrument: 'updowncounter',
  unit: '{event}',
  description: 'Events handed to the log and not yet durable.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'A number that keeps growing.',
};

/** The metrics of this package. */
export const AUDIT_METRICS: readonly MetricDefinition[] = [
  METRIC_EVENTS,
  METRIC_SINK_ERRORS,
  METRIC_APPEND_DURATION,
  METRIC_PENDING,
];

const recordAttribute = (
  name: string,
  description: string,
  example: string,
): AttributeDefinition => ({
  name: `temper.audit.${name}`,
  description,
  example,
});

/** Attributes of the log record that {@link otelLogsSink} writes for each event. */
export const RECORD_ATTRIBUTES: {
  readonly [Field in
    | 'id'
    | 'sequence'
    | 'eventType'
    | 'action'
    | 'resource'
    | 'status'
    | 'actor'
    | 'hash']: AttributeDefinition;
} = {
  id: recordAttribute('id', 'Id of the event.', '0190f3c2-7c4e-7a31-9d2b-3f1f0f6f0c11'),
  sequence: recordAttribute('sequence', 'Position in the log, from 1.', '42'),
  eventType: recordAttribute('event_type', 'The kind of event.', 'operation'),
  action: recordAttribute('action', 'What was done.', 'fetch_package'),
  resource: recordAttribute('resource', 'What it was done to.', 'stdlib'),
  status: recordAttribute('status', 'How it went.', 'success'),
  actor: recordAttribute('actor', 'Id of who did it.', 'user:ann'),
  hash: recordAttribute(
    'hash',
    'SHA-256 of the event, the next one holds it too.',
    '9f86d081884c7d65…',
  ),
};

/** Name of the log record that {@link otelLogsSink} writes for each event. */
export const EVENT_AUDIT = 'temper.audit.event';

export { ATTR_TARGET, SHIP_METRICS } from './ship/semconv.ts';
