import assert from 'node:assert/strict';

/** Packages of Temper that the scenario uses. */
export const TEMPER = ['@temper/retry', '@temper/breaker'];

/**
 * A module with one call that a retry saves and one that fails for good, below a span of the caller.
 * The program around it registers an SDK before or after it is imported.
 */
export const SCENARIO = `import { trace } from '@opentelemetry/api';
import { circuitBreaker } from '@temper/breaker';
import { retry } from '@temper/retry';

const policy = retry({ name: 'compat', maxAttempts: 2, initialDelayMs: 2 });
const breaker = circuitBreaker({ name: 'compat-breaker', failureThreshold: 100 });
const reset = () => Object.assign(new Error('connect ECONNRESET'), { code: 'ECONNRESET' });

export async function scenario(parent = (work) => trace.getTracer('app').startActiveSpan('caller', async (span) => {
  await work();
  span.end();
})) {
  await parent(async () => {
    let calls = 0;
    await policy.execute((context) =>
      breaker.execute(async () => { if (++calls === 1) throw reset(); return 'saved'; }, { parent: context }));
    await policy.tryExecute(async () => { throw reset(); });
  });
}
`;

const ERROR = 2;

/** Asserts that the tree of the scenario has arrived, once. */
export function expectTree(spans, caller = 'caller') {
  const ours = spans.filter(({ scope }) => scope?.startsWith('@temper/'));
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const path = (span) => {
    const parent = byId.get(span.parentSpanId);
    return parent === undefined || span.name === caller
      ? span.name
      : `${span.name} < ${path(parent)}`;
  };
  const seen = ours.map((span) => `${path(span)} ${span.status === ERROR ? 'ERROR' : 'unset'}`);
  const retry = `retry compat < ${caller}`;
  assert.deepEqual(seen.sort(), [
    `attempt < ${retry} ERROR`,
    `attempt < ${retry} ERROR`,
    `attempt < ${retry} ERROR`,
    `attempt < ${retry} unset`,
    `breaker compat-breaker < attempt < ${retry} ERROR`,
    `${retry} ERROR`,
    `${retry} unset`,
  ]);
  for (const span of ours) {
    const parent = byId.get(span.parentSpanId);
    assert.ok(
      parent === undefined || span.start >= parent.start - 2_000_000n,
      `${span.name} starts early`,
    );
    assert.ok(span.end >= span.start, `${span.name} ends before it starts`);
  }
  assert.equal(new Set(ours.map(({ traceId }) => traceId)).size, 1);
  const exhausted = ours.find(({ name, status }) => name === 'retry compat' && status === ERROR);
  assert.equal(exhausted.attributes['temper.outcome'], 'exhausted');
  assert.equal(exhausted.attributes['error.type'], 'ECONNRESET');
  assert.equal(exhausted.attributes['temper.policy.name'], 'compat');
  return ['7 spans of one tree, their parents, status, times and attributes'];
}

/** Asserts the counters and histograms of the scenario. A reader may have exported several times. */
export function expectMetrics(points) {
  const last = (name, where) => {
    const found = points.filter(
      (point) =>
        point.name === name &&
        Object.entries(where).every(([key, value]) => point.attributes[key] === value),
    );
    assert.notEqual(found.length, 0, `no point of ${name} ${JSON.stringify(where)}`);
    return found.at(-1);
  };
  const policy = { 'temper.policy.name': 'compat' };
  for (const [outcome, count] of [
    ['recovered', 1],
    ['exhausted', 1],
    ['success', 0],
  ]) {
    const where = { ...policy, 'temper.outcome': outcome };
    assert.equal(last('temper.retry.operations', where).value, count, outcome);
  }
  const failed = { ...policy, 'temper.outcome': 'failure', 'error.type': 'ECONNRESET' };
  assert.equal(last('temper.retry.attempts', failed).value, 3);
  const saved = { ...policy, 'temper.outcome': 'recovered' };
  const duration = last('temper.retry.operation.duration', saved);
  assert.equal(duration.value, 1);
  assert.equal(duration.unit, 's');
  const breaker = { 'temper.policy.name': 'compat-breaker' };
  assert.equal(last('temper.breaker.calls', { ...breaker, 'temper.outcome': 'failure' }).value, 1);
  const closed = { ...breaker, 'temper.breaker.state': 'closed' };
  assert.equal(last('temper.breaker.state', closed).value, 1);
  return { duration, asserted: ['counters, a gauge and a histogram of durations'] };
}

/** Asserts that a histogram has our boundaries; SDKs before 1.19 do not know advice. */
export function expectBoundaries({ bounds }) {
  assert.equal(bounds[0], 0.001);
  return ['bucket boundaries in seconds'];
}

/** Asserts the log record of the exhausted call, in its span. */
export function expectLog(logs, spans) {
  const records = logs.filter(({ scope }) => scope === '@temper/retry');
  assert.equal(records.length, 1);
  const [record] = records;
  assert.equal(record.event, 'temper.retry.exhausted');
  assert.equal(record.severity, 13);
  assert.equal(record.attributes['error.type'], 'ECONNRESET');
  const span = spans.find(({ spanId }) => spanId === record.spanId);
  assert.equal(span?.name, 'retry compat');
  assert.equal(record.traceId, span.traceId);
  return ['a log record in the context of its span'];
}
