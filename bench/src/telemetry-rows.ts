import { Instrumentation, type MetricDefinition } from '@temper/core/policy';
import { retry } from '@temper/retry';
import { answer, retryFloor } from './retry-floor.ts';
import type { Bench } from './types.ts';

const CALLS: MetricDefinition = {
  name: 'bench.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls of this benchmark.',
  attributes: [],
};
const DURATION: MetricDefinition = { ...CALLS, name: 'bench.duration', instrument: 'histogram' };

/** Three typical attributes of a policy metric. */
export const ATTRIBUTES = {
  'temper.policy.name': 'bench',
  'temper.outcome': 'failure',
  'error.type': 'ECONNREFUSED',
} as const;

/** The floor of the telemetry rows: a retry without telemetry. */
export const floorRow = (group: string): Bench => ({
  group,
  name: 'floor',
  floor: true,
  isUnit: true,
  fn: () => retryFloor(answer),
});

/** Rows of Temper with the SDK that this process has registered. */
export function ourRows(group: string): Bench[] {
  const { scope } = new Instrumentation({
    name: '@temper/bench',
    version: '0.0.0',
    metrics: [CALLS, DURATION],
  });
  const cell = scope.counter(CALLS, ATTRIBUTES);
  const histogram = scope.histogram(DURATION, ATTRIBUTES);
  const policy = retry({ name: 'bench' });
  let value = 0;
  return [
    { group, name: 'temper: count one call', fn: () => cell.value++ },
    {
      group,
      name: 'temper: record one duration',
      fn: () => {
        value = (value + 0.001) % 5;
        histogram.record(value);
      },
    },
    { group, name: 'temper: retry', fn: () => policy.execute(answer) },
  ];
}
