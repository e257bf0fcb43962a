import {
  ATTR_ERROR_TYPE,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core';
import { HANDLER_OUTCOMES, SHUTDOWN_OUTCOMES } from './phases.ts';

export const ATTR_HANDLER_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'What became of the handler.',
  values: HANDLER_OUTCOMES,
};

export const ATTR_SHUTDOWN_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'How the shutdown as a whole went.',
  values: SHUTDOWN_OUTCOMES,
};

export const ATTR_REASON: AttributeDefinition = {
  name: 'temper.shutdown.reason',
  description: 'The signal, or the kind of event, that began the shutdown.',
  example: 'SIGTERM',
};

export const ATTR_PHASE: AttributeDefinition = {
  name: 'temper.shutdown.phase',
  description: 'Name of the phase.',
  example: 'drain',
};

export const ATTR_HANDLER: AttributeDefinition = {
  name: 'temper.shutdown.handler',
  description: 'Name of the handler.',
  example: 'postgres pool',
};

export const ATTR_IN_FLIGHT: AttributeDefinition = {
  name: 'temper.shutdown.in_flight',
  description: 'Requests and tracked promises that were under way.',
  example: '42',
};

export const METRIC_HANDLERS: MetricDefinition = {
  name: 'temper.shutdown.handlers',
  instrument: 'counter',
  unit: '{handler}',
  description: 'Shutdown handlers, by what became of them.',
  attributes: [ATTR_POLICY_NAME, ATTR_HANDLER_OUTCOME],
  alert: 'Any that timed out or failed: work was lost, or every deployment waits for it.',
};

export const METRIC_DURATION: MetricDefinition = {
  name: 'temper.shutdown.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Time from the first signal to the flush of telemetry, which it does not include.',
  attributes: [ATTR_POLICY_NAME, ATTR_SHUTDOWN_OUTCOME],
  boundaries: [0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 60, 120],
  alert: 'Near the grace period of whoever stops the process.',
};

export const METRIC_IN_FLIGHT: MetricDefinition = {
  name: 'temper.shutdown.in_flight',
  instrument: 'updowncounter',
  unit: '{operation}',
  description: 'Requests and tracked promises under way, that a shutdown would wait for.',
  attributes: [ATTR_POLICY_NAME],
};

/** The metrics of this package. */
export const SHUTDOWN_METRICS: readonly MetricDefinition[] = [
  METRIC_HANDLERS,
  METRIC_DURATION,
  METRIC_IN_FLIGHT,
];

/** The spans of this package. */
export const SHUTDOWN_SPANS: readonly SpanDefinition[] = [
  {
    name: 'shutdown',
    kind: 'internal',
    description: 'The whole shutdown, but for the flush of telemetry that exports it.',
    attributes: [
      ATTR_POLICY_NAME,
      ATTR_REASON,
      ATTR_IN_FLIGHT,
      ATTR_SHUTDOWN_OUTCOME,
      ATTR_ERROR_TYPE,
    ],
    status: 'ERROR unless every handler completed.',
  },
  {
    name: 'phase <phase>',
    kind: 'internal',
    description: 'One phase; its parent is the shutdown. `delay` comes first, `audit` last.',
    attributes: [ATTR_POLICY_NAME, ATTR_PHASE, ATTR_ERROR_TYPE],
    status: 'ERROR unless every handler of the phase completed.',
  },
  {
    name: 'handler <handler>',
    kind: 'internal',
    description: 'One handler; its parent is its phase. What it does itself is below it.',
    attributes: [ATTR_POLICY_NAME, ATTR_PHASE, ATTR_HANDLER, ATTR_HANDLER_OUTCOME, ATTR_ERROR_TYPE],
    status: 'ERROR unless it completed.',
  },
];

/** The name of the log record that ends every shutdown. */
export const EVENT_FINISHED = 'temper.shutdown.finished';
