import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';

/** What a thread reports: what it counted, and what each of its readers got, by series. */
interface Report {
  readonly counted: Record<string, number>;
  readonly exported: readonly Record<string, number>[];
}

interface Task {
  readonly seed: number;
  readonly calls: number;
  readonly producer: boolean;
}

const manifest = fileURLToPath(new URL('../package.json', import.meta.url));

/**
 * Counts at random under a provider with two readers, one of totals and one of differences, and disposes
 * of policies. The text is run in this thread and in workers alike.
 */
const PROGRAM = `async ({ seed, calls, producer }, require) => {
  const { metrics } = require('@opentelemetry/api');
  const { AggregationTemporality, MeterProvider, MetricReader } = require('@opentelemetry/sdk-metrics');
  const { temperMetricProducer } = require('@temper/core');
  const { Instrumentation, byOutcome } = require('@temper/core/policy');
  const base = { unit: '1', description: 'x', attributes: [] };
  const CALLS = { ...base, name: 'threads.calls', instrument: 'counter' };
  const DURATION = { ...base, name: 'threads.duration', instrument: 'histogram' };
  const name = '@test/threads-' + producer;
  const telemetry = new Instrumentation({ name, version: '1.0.0', metrics: [CALLS, DURATION] });
  class Reader extends MetricReader {
    async onForceFlush() {}
    async onShutdown() {}
  }
  const readers = ['cumulative', 'delta'].map((temporality) => new Reader({
    aggregationTemporalitySelector: () => AggregationTemporality[temporality.toUpperCase()],
    metricProducers: producer ? [temperMetricProducer({ temporality })] : [],
  }));
  metrics.disable();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers }));
  const exported = [{}, {}];
  const collect = async (index) => {
    const { resourceMetrics } = await readers[index].collect();
    for (const { scope, metrics } of resourceMetrics.scopeMetrics) {
      if (scope.name !== name) continue;
      for (const { descriptor, dataPoints } of metrics) {
        for (const { attributes, value } of dataPoints) {
          const key = [descriptor.name, ...Object.values(attributes).sort()].join(' ');
          const n = typeof value === 'number' ? value : value.count;
          exported[index][key] = index === 0 ? n : (exported[index][key] ?? 0) + n;
        }
      }
    }
  };
  let state = seed;
  const random = (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
  const counted = {};
  const add = (key) => { counted[key] = (counted[key] ?? 0) + 1; };
  const outcomes = ['success', 'failure'];
  const make = (policy) => {
    const owner = { name: policy };
    owner.counts = telemetry.counts(owner, CALLS, byOutcome(outcomes));
    owner.duration = telemetry.histogram(DURATION, policy);
    return owner;
  };
  const policies = ['a', 'b', 'c'].map(make);
  for (let i = 0; i < calls; i++) {
    const at = random(policies.length);
    const policy = policies[at];
    const outcome = outcomes[random(2)];
    policy.counts[outcome]++;
    policy.duration.record(random(100) / 1000);
    add(['threads.calls', ...[policy.name, outcome].sort()].join(' '));
    add('threads.duration ' + policy.name);
    if (random(50) === 0) {
      telemetry.release(policy);
      policies[at] = make(policy.name);
    }
    if (random(40) === 0) await collect(random(2));
  }
  await collect(0);
  await collect(1);
  return { counted, exported };
}`;

/** Runs the program in a thread of its own. */
function inWorker(task: Task): Promise<Report> {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { createRequire } = require('node:module');
    (${PROGRAM})(workerData.task, createRequire(workerData.manifest)).then((report) =>
      parentPort.postMessage(report),
    );`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(code, { eval: true, workerData: { task, manifest } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const inThisThread = (task: Task): Promise<Report> =>
  (new Function(`return ${PROGRAM}`)() as (task: Task, load: NodeRequire) => Promise<Report>)(
    task,
    createRequire(manifest),
  );

describe('in worker threads, at the same time and beside the main one', () => {
  it.each([
    { title: 'by instruments', producer: false },
    { title: 'by a metric producer', producer: true },
  ])('each thread exports exactly what it has counted, read $title', async ({ producer }) => {
    const tasks = [1, 2, 3, 4].map((seed) => ({ seed, calls: 400 * seed, producer }));
    const [first, ...others] = tasks as [Task, ...Task[]];
    const reports = await Promise.all([inThisThread(first), ...others.map(inWorker)]);
    for (const [index, { counted, exported }] of reports.entries()) {
      const calls = Object.entries(counted).filter(([key]) => key.startsWith('threads.calls'));
      expect(calls.reduce((sum, [, n]) => sum + n, 0)).toBe(tasks[index]?.calls);
      for (const one of exported) expect(one).toEqual(counted);
    }
  });
});
