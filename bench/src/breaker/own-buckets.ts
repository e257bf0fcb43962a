import { circuitBreaker } from '@temper/breaker';
import { temperMetricProducer } from '@temper/core';
import { registerPrometheus } from '../prometheus.ts';
import { answer } from '../retry-floor.ts';
import type { Bench, Overhead } from '../types.ts';
import { breakerFloor } from './floor.ts';

const group = 'breaker closed, metrics SDK, a Prometheus reader and temperMetricProducer';

registerPrometheus([temperMetricProducer()]);
const floor = breakerFloor();
const temper = circuitBreaker({ name: 'row' });

export const seenRows: readonly Bench[] = [
  { group, name: 'floor', floor: true, fn: () => floor(answer) },
  { group, name: 'temper', fn: () => temper.execute(answer) },
];

/** The overhead of counting and timing a call. */
export const overheads: readonly Overhead[] = [
  {
    title: 'a call through a breaker with the metrics SDK, durations in our own buckets',
    of: { suite: 'breaker/own-buckets', name: 'temper' },
    over: { suite: 'breaker/closed', name: 'temper' },
    aimNs: 130,
  },
];
