import { circuitBreaker } from '@temper/breaker';
import { temperMetricProducer } from '@temper/core';
import { pipeline, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import { registerPrometheus } from '../prometheus.ts';
import type { Bench, Overhead } from '../types.ts';
import { fused, fusedWithSharedTimer } from './floor.ts';
import { cockatielPipeline } from './peers.ts';

const group =
  'retry + breaker + timeout, metrics SDK, a Prometheus reader and temperMetricProducer; peers bare';
const TIMEOUT_MS = 5000;

registerPrometheus([temperMetricProducer()]);
const answer = async (): Promise<number> => 1;
const floor = fusedWithSharedTimer(TIMEOUT_MS);
const perAttempt = fused(TIMEOUT_MS);
const standard = pipeline(
  { name: 'bench' },
  retry({ name: 'bench' }),
  circuitBreaker({ name: 'bench' }),
  timeout({ name: 'bench', timeoutMs: TIMEOUT_MS }),
);
const byDefault = cockatielPipeline(TIMEOUT_MS, true);
const tuned = cockatielPipeline(TIMEOUT_MS, false);

/** The instrumented standard pipeline against uninstrumented peers. */
export const instrumentedRows: readonly Bench[] = [
  { group, name: 'floor', floor: true, fn: () => floor(answer) },
  { group, name: 'a timer and a controller per attempt', fn: () => perAttempt(answer) },
  {
    group,
    name: 'temper',
    aim: 1.7,
    against: 'a timer and a controller per attempt',
    fn: () => standard.execute(answer),
  },
  { group, name: 'cockatiel, bare', fn: () => byDefault.execute(answer) },
  { group, name: 'cockatiel, abortOnReturn: false, bare', fn: () => tuned.execute(answer) },
];

/** The overhead of counting and timing a call by retry and breaker. */
export const overheads: readonly Overhead[] = [
  {
    title:
      'a call through retry + breaker + timeout with the metrics SDK, durations in our own buckets',
    of: { suite: 'recovery/instrumented', name: 'temper' },
    over: { suite: 'recovery/pipeline', name: 'temper' },
  },
];
