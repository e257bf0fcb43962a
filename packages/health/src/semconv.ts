import {
  ATTR_ERROR_TYPE,
  ATTR_POLICY_NAME,
  type AttributeDefinition,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core/policy';
import { HEALTH_STATUSES } from './status.ts';

export const ATTR_CHECK_NAME: AttributeDefinition = {
  name: 'temper.health.check.name',
  description: 'Name of the check.',
  example: 'postgres',
};

export const ATTR_STATUS: AttributeDefinition = {
  name: 'temper.health.status',
  description: 'Status of the check, after the flapping rule.',
  values: HEALTH_STATUSES,
};

export const ATTR_PROBE_STATUS: AttributeDefinition = {
  name: 'temper.health.status',
  description: 'Status of this probe, before the flapping rule.',
  values: HEALTH_STATUSES,
};

export const ATTR_FROM: AttributeDefinition = {
  name: 'temper.health.status.from',
  description: 'Previous status of the check.',
  values: HEALTH_STATUSES,
};

export const METRIC_CHECKS: MetricDefinition = {
  name: 'temper.health.checks',
  instrument: 'counter',
  unit: '{check}',
  description:
    'Finished probes by the resulting status of the check. Cached results are not counted.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME, ATTR_STATUS],
};

export const METRIC_CHECK_DURATION: MetricDefinition = {
  name: 'temper.health.check.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Duration of a probe, limited by its timeout.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME],
};

export const METRIC_STATUS: MetricDefinition = {
  name: 'temper.health.status',
  instrument: 'gauge',
  unit: '{status}',
  description: '1 for the current status of a check, 0 for its other statuses.',
  attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME, ATTR_STATUS],
  states: { attribute: ATTR_STATUS.name, worstFirst: ['unhealthy', 'degraded', 'healthy'] },
  alert: '1 for unhealthy, for longer than the check needs to recover by itself.',
};

export const ATTR_STALL_DURATION: AttributeDefinition = {
  name: 'temper.health.stall.duration',
  description: 'How long the event loop was stuck, in seconds.',
  example: '2.3',
};

/** Defined by OpenTelemetry. */
export const ATTR_STACK: AttributeDefinition = {
  name: 'code.stacktrace',
  description: 'What the event loop was stuck in.',
  example: 'at parse (file:///app/parser.js:12:5)',
};

/** The metrics of this package. */
export const HEALTH_METRICS: readonly MetricDefinition[] = [
  METRIC_CHECKS,
  METRIC_CHECK_DURATION,
  METRIC_STATUS,
];

/** The spans of this package. */
export const HEALTH_SPANS: readonly SpanDefinition[] = [
  {
    name: 'health <check>',
    kind: 'internal',
    description: 'One probe of one check, the parent of the spans that the check creates.',
    attributes: [ATTR_POLICY_NAME, ATTR_CHECK_NAME, ATTR_PROBE_STATUS, ATTR_ERROR_TYPE],
    status: 'ERROR if the probe returned unhealthy, threw, or timed out.',
  },
  {
    name: 'event loop stall',
    kind: 'internal',
    description: 'A stall of the event loop that a watchdog has seen, in a trace of its own.',
    attributes: [ATTR_POLICY_NAME, ATTR_STALL_DURATION, ATTR_STACK],
    status: 'not set.',
  },
];

/** Defined by OpenTelemetry. */
export const METRIC_PROCESS_MEMORY: MetricDefinition = {
  name: 'process.memory.usage',
  instrument: 'updowncounter',
  unit: 'By',
  description: 'Resident memory of the process.',
  attributes: [],
};

/** Not defined by OpenTelemetry. */
export const METRIC_PROCESS_MEMORY_UTILIZATION: MetricDefinition = {
  name: 'process.memory.utilization',
  instrument: 'gauge',
  unit: '1',
  description: 'Resident memory as a share of the cgroup’s limit, or of the machine’s memory.',
  attributes: [],
  alert: 'Above 0.8 for minutes.',
};

/** Defined by OpenTelemetry. */
export const METRIC_PROCESS_CPU_UTILIZATION: MetricDefinition = {
  name: 'process.cpu.utilization',
  instrument: 'gauge',
  unit: '1',
  description:
    'CPU time since the last collection, as a share of the CPU time available to the process.',
  attributes: [],
  alert: 'Above 0.8 for minutes.',
};

/** Defined by OpenTelemetry. */
export const METRIC_EVENT_LOOP_UTILIZATION: MetricDefinition = {
  name: 'nodejs.eventloop.utilization',
  instrument: 'gauge',
  unit: '1',
  description: 'Share of the time since the last collection in which the event loop was busy.',
  attributes: [],
  alert: 'Above 0.9 for minutes.',
};

/** The metrics of {@link processMetrics}. */
export const PROCESS_METRICS: readonly MetricDefinition[] = [
  METRIC_PROCESS_MEMORY,
  METRIC_PROCESS_MEMORY_UTILIZATION,
  METRIC_PROCESS_CPU_UTILIZATION,
  METRIC_EVENT_LOOP_UTILIZATION,
];

/** Name of the log record of a status change. */
export const EVENT_STATUS_CHANGED = 'temper.health.status_changed';

/** Name of the log record of a stall of the event loop. */
export const EVENT_STALLED = 'temper.health.event_loop_stalled';
