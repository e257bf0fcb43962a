import type { MetricDefinition } from '@temper/core';

/** OpenTelemetry's own name. */
export const METRIC_PROCESS_MEMORY: MetricDefinition = {
  name: 'process.memory.usage',
  instrument: 'updowncounter',
  unit: 'By',
  description: 'Resident memory of the process.',
  attributes: [],
};

/** OpenTelemetry has no name for it. */
export const METRIC_PROCESS_MEMORY_UTILIZATION: MetricDefinition = {
  name: 'process.memory.utilization',
  instrument: 'gauge',
  unit: '1',
  description: 'Resident memory as a share of the cgroup’s limit, or of the machine’s memory.',
  attributes: [],
  alert: 'Above 0.8 for minutes.',
};

/** OpenTelemetry's own name. */
export const METRIC_PROCESS_CPU_UTILIZATION: MetricDefinition = {
  name: 'process.cpu.utilization',
  instrument: 'gauge',
  unit: '1',
  description:
    'Processor time since the last collection, as a share of all that the process may use.',
  attributes: [],
  alert: 'Above 0.8 for minutes.',
};

/** OpenTelemetry's own name. */
export const METRIC_EVENT_LOOP_UTILIZATION: MetricDefinition = {
  name: 'nodejs.eventloop.utilization',
  instrument: 'gauge',
  unit: '1',
  description: 'Share of the time since the last collection in which the event loop was busy.',
  attributes: [],
  alert: 'Above 0.9 for minutes.',
};

/** What {@link processMetrics} writes. */
export const PROCESS_METRICS: readonly MetricDefinition[] = [
  METRIC_PROCESS_MEMORY,
  METRIC_PROCESS_MEMORY_UTILIZATION,
  METRIC_PROCESS_CPU_UTILIZATION,
  METRIC_EVENT_LOOP_UTILIZATION,
];
