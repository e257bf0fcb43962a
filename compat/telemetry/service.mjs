// What must arrive from the instrumented service of environments/opentelemetry-auto.mjs.
import assert from 'node:assert/strict';

const SERVER = 2;
const CLIENT = 3;
const ERROR = 2;
const WARN = 13;

/** What the span is of, or nothing for what no route of the service asks for: name lookups, connections. */
function kindOf({ scope, kind, name }) {
  if (scope.startsWith('@temper/')) return name;
  if (scope.endsWith('-http')) return kind === SERVER ? 'server' : 'http';
  if (scope.endsWith('-undici')) return 'fetch';
  if (scope.includes('fastify')) return 'fastify';
  if (scope.endsWith('-ioredis')) return name === 'set' ? 'redis' : undefined;
  if (scope.endsWith('-pg')) return name.includes('query') ? 'pg' : undefined;
  return undefined;
}

/**
 * Every span with those above it. Spans of one kind above each other count as one: Fastify has several, and
 * the instrumentation of `http` wraps it twice, with Temper and without, when an ES module imports it and
 * a CommonJS module requires it.
 */
function pathsOf(spans) {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const above = (span) => {
    const parent = byId.get(span.parentSpanId);
    return parent === undefined ? [] : [kindOf(parent), ...above(parent)];
  };
  const isWrappedTwice = (span) =>
    byId.has(span.parentSpanId) &&
    kindOf(span) === 'http' &&
    kindOf(byId.get(span.parentSpanId)) === 'http';
  return spans
    .filter((span) => kindOf(span) !== undefined && !isWrappedTwice(span))
    .map((span) => {
      const path = [kindOf(span), ...above(span)].filter((kind, i, all) => kind !== all[i - 1]);
      return { span, path: path.join(' < ') };
    });
}

const DOWN = 'retry down < fastify < server';
const COMPAT = 'retry compat < fastify < server';

/** One span for each thing that the two requests did. */
const EXPECTED = [
  'server unset',
  `${COMPAT} unset`,
  `attempt < ${COMPAT} ERROR`,
  `attempt < ${COMPAT} unset`,
  `fetch < attempt < ${COMPAT} ERROR`,
  `fetch < attempt < ${COMPAT} unset`,
  `http < attempt < ${COMPAT} unset`,
  `redis < attempt < ${COMPAT} unset`,
  `pg < attempt < ${COMPAT} unset`,
  // The other service continues the trace.
  `server < fetch < attempt < ${COMPAT} ERROR`,
  `server < fetch < attempt < ${COMPAT} unset`,
  `server < http < attempt < ${COMPAT} unset`,
  'server ERROR',
  `${DOWN} ERROR`,
  `attempt < ${DOWN} ERROR`,
  `attempt < ${DOWN} ERROR`,
  `breaker down < attempt < ${DOWN} ERROR`,
  `breaker down < attempt < ${DOWN} ERROR`,
  // With `spans: 'failures'` the spans of the first attempt exist when it has failed, after its request.
  'fetch < fastify < server ERROR',
  'server < fetch < fastify < server ERROR',
  `fetch < attempt < ${DOWN} ERROR`,
  `server < fetch < attempt < ${DOWN} ERROR`,
];

/** Asserts that these are all spans of the two requests, each with its parent and its status. */
export function expectServiceSpans(spans) {
  const paths = pathsOf(spans);
  const seen = paths
    .filter(({ path }) => !path.startsWith('fastify'))
    .map(({ span, path }) => `${path} ${span.status === ERROR ? 'ERROR' : 'unset'}`);
  assert.deepEqual(seen.sort(), EXPECTED.toSorted());
  assert.ok(paths.some(({ path }) => path === 'fastify < server'));
  assert.equal(new Set(paths.map(({ span }) => span.traceId)).size, 2, 'one trace per request');
  const named = (name) => spans.filter((span) => span.name === name);
  const [recovered] = named('retry compat');
  assert.equal(recovered.attributes['temper.outcome'], 'recovered');
  assert.equal(Number(recovered.attributes['temper.retry.attempts']), 2);
  const [exhausted] = named('retry down');
  assert.equal(exhausted.attributes['temper.policy.name'], 'down');
  assert.equal(exhausted.attributes['temper.outcome'], 'exhausted');
  assert.equal(exhausted.attributes['temper.retry.reason'], 'attempts');
  assert.equal(exhausted.attributes['error.type'], '503');
  for (const { attributes } of named('breaker down')) {
    assert.equal(attributes['temper.breaker.state'], 'closed');
    assert.equal(attributes['temper.outcome'], 'failure');
    assert.equal(attributes['error.type'], '503');
  }
  for (const span of spans.filter(({ kind, scope }) => kind === CLIENT && /-undici$/.test(scope))) {
    const status = span.attributes['http.response.status_code'];
    assert.equal(Number(status), span.status === ERROR ? 503 : 200);
  }
  return [
    'one trace from each request through Fastify, the retry and its attempts to `fetch`, `http`, ioredis, pg and the service that is called',
    `${EXPECTED.length} spans and no other, each with its parent and status; attributes of retry, breaker and \`fetch\``,
  ];
}

/** Asserts the last points of the counters, gauges and histograms of the two requests. */
export function expectServiceMetrics(points) {
  const last = new Map();
  for (const { scope, name, unit, attributes, value } of points) {
    const { 'temper.policy.name': policy, ...rest } = attributes;
    if (!scope.startsWith('@temper/')) continue;
    last.set([policy, name, ...Object.values(rest).sort()].join(' '), `${value} ${unit}`);
  }
  const seen = [...last]
    .filter(([, value]) => !value.startsWith('0 '))
    .map(([key, value]) => `${key}: ${value}`);
  assert.deepEqual(
    seen.sort(),
    [
      'compat temper.retry.attempts 503 failure: 1 {attempt}',
      'compat temper.retry.attempts success: 1 {attempt}',
      'compat temper.retry.delay: 1 s',
      'compat temper.retry.operation.duration recovered: 1 s',
      'compat temper.retry.operations recovered: 1 {operation}',
      'down temper.breaker.call.duration failure: 2 s',
      'down temper.breaker.calls failure: 2 {call}',
      'down temper.breaker.state open: 1 {state}',
      'down temper.breaker.transitions closed open: 1 {transition}',
      'down temper.retry.attempts 503 failure: 2 {attempt}',
      'down temper.retry.delay: 1 s',
      'down temper.retry.operation.duration exhausted: 1 s',
      'down temper.retry.operations exhausted: 1 {operation}',
    ].sort(),
  );
  const other = points.some(({ scope, name }) => /-http$/.test(scope) && /http\.server/.test(name));
  assert.ok(other, 'the metrics of the instrumentations arrive beside ours');
  return ['counters, histograms and the state of the breaker, every one with its value and unit'];
}

/** Asserts the two log records, in the trace of the request that failed. */
export function expectServiceLogs(logs, spans) {
  const ours = logs.filter(({ scope }) => scope.startsWith('@temper/'));
  assert.deepEqual(
    ours
      .map(({ event, severity, attributes }) => [event, severity, attributes['error.type']])
      .sort(),
    [
      ['temper.breaker.transition', WARN, '503'],
      ['temper.retry.exhausted', WARN, '503'],
    ],
  );
  const [transition, exhausted] = ours.sort((a, b) => (a.event < b.event ? -1 : 1));
  assert.equal(transition.attributes['temper.breaker.to'], 'open');
  const spanOf = ({ spanId, traceId }) =>
    spans.find((span) => span.spanId === spanId && span.traceId === traceId);
  assert.equal(spanOf(exhausted)?.name, 'retry down');
  assert.match(spanOf(transition)?.name ?? 'none', /^(?:breaker down|attempt)$/);
  return [
    'a log record of the opened circuit and one of the exhausted retry, each in the context of its span',
  ];
}
