import {
  ATTR_ERROR_TYPE,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core/policy';
import { HANDLER_OUTCOMES, SHUTDOWN_OUTCOMES } from './phases.ts';

export const ATTR_HANDLER_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'Outcome of the handler.',
  values: HANDLER_OUTCOMES,
};

export const ATTR_SHUTDOWN_OUTCOME: AttributeDefinition = {
  name: ATTR_OUTCOME,
  description: 'Outcome of the shutdown.',
  values: SHUTDOWN_OUTCOMES,
};

export const ATTR_REASON: AttributeDefinition = {
  name: 'temper.shutdown.reason',
  description: 'The signal or the kind of event that began the shutdown.',
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
  description: 'Open requests and pending tracked promises when the shutdown began.',
  example: '42',
};

export const METRIC_HANDLERS: MetricDefinition = {
  name: 'temper.shutdown.handlers',
  instrument: 'counter',
  unit: '{handler}',
  description: 'Shutdown handlers by outcome.',
  attributes: [ATTR_POLICY_NAME, ATTR_HANDLER_OUTCOME],
  alert: 'Any handler that timed out or failed: work was lost, or every deployment waits for it.',
};

export const METRIC_DURATION: MetricDefinition = {
  name: 'temper.shutdown.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Time from the first signal to the export of telemetry, which is not included.',
  attributes: [ATTR_POLICY_NAME, ATTR_SHUTDOWN_OUTCOME],
  boundaries: [0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 60, 120],
  alert: 'Close to the grace period of the process manager.',
};

export const METRIC_IN_FLIGHT: MetricDefinition = {
  name: 'temper.shutdown.in_flight',
  instrument: 'updowncounter',
  unit: '{operation}',
  description: 'Open requests and pending tracked promises, which a shutdown would wait for.',
  attributes: [ATTR_POLICY_NAME],
};

export const METRIC_STOPPING: MetricDefinition = {
  name: 'temper.shutdown.stopping',
  instrument: 'updowncounter',
  unit: '{shutdown}',
  description: 'Shutdowns that have begun and not ended.',
  attributes: [ATTR_POLICY_NAME],
  alert: 'Not 0 for longer than a shutdown may take: it hangs.',
};

/** The metrics of this package. */
export const SHUTDOWN_METRICS: readonly MetricDefinition[] = [
  METRIC_HANDLERS,
  METRIC_DURATION,
  METRIC_IN_FLIGHT,
  METRIC_STOPPING,
];

/** The spans of this package. */
export const SHUTDOWN_SPANS: readonly SpanDefinition[] = [
  {
    name: 'shutdown',
    kind: 'internal',
    description: 'The shutdown, except for the export of telemetry.',
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
    description: 'One phase, a child of the shutdown. `delay` comes first, `audit` last.',
    attributes: [ATTR_POLICY_NAME, ATTR_PHASE, ATTR_ERROR_TYPE],
    status: 'ERROR unless every handler of the phase completed.',
  },
  {
    name: 'handler <handler>',
    kind: 'internal',
    description: 'One handler, a child of its phase and the parent of the spans it creates.',
    attributes: [ATTR_POLICY_NAME, ATTR_PHASE, ATTR_HANDLER, ATTR_HANDLER_OUTCOME, ATTR_ERROR_TYPE],
    status: 'ERROR unless the handler completed.',
  },
];

/** Name of the log record at the end of a shutdown. */
export const EVENT_FINISHED = 'temper.shutdown.finished';
