import {
  type Context,
  createContextKey,
  isSpanContextValid,
  ROOT_CONTEXT as REAL_ROOT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { describe, expect, it } from 'vitest';
import {
  contextKey,
  isValid,
  ROOT_CONTEXT,
  STATUS_ERROR,
  spanOf,
  withSpan,
  withSpanContext,
} from './api-values.ts';

const IDS = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
};
const span: Span = trace.wrapSpanContext(IDS);

describe.each([
  ['our root context', ROOT_CONTEXT],
  ["the API's root context", REAL_ROOT],
])('%s', (_, root: Context) => {
  it('carries a span that the API finds', () => {
    expect(trace.getSpan(withSpan(root, span))).toBe(span);
    expect(trace.getSpanContext(withSpanContext(root, IDS))).toEqual(IDS);
  });

  it('shows a span that the API has put there', () => {
    expect(spanOf(trace.setSpan(root, span))).toBe(span);
    expect(spanOf(trace.deleteSpan(trace.setSpan(root, span)))).toBeUndefined();
  });

  it('is never changed', () => {
    const key = contextKey('test');
    const first = root.setValue(key, 1);
    const second = first.setValue(key, 2);
    const third = second.deleteValue(key);
    expect([root, first, second, third].map((each) => each.getValue(key))).toEqual([
      undefined,
      1,
      2,
      undefined,
    ]);
  });

  it('is a parent for the SDK', async () => {
    const sdk = new InMemoryTelemetry();
    trace.getTracer('test').startSpan('child', {}, withSpanContext(root, IDS)).end();
    trace.getTracer('test').startSpan('root', {}, root).end();
    const [child, alone] = sdk.spans;
    expect(child?.spanContext().traceId).toBe(IDS.traceId);
    expect(child?.parentSpanContext?.spanId).toBe(IDS.spanId);
    expect(alone?.parentSpanContext).toBeUndefined();
    await sdk.close();
  });
});

it('makes the keys and codes of the API', () => {
  expect(contextKey('a key')).toBe(createContextKey('a key'));
  expect(STATUS_ERROR).toBe(SpanStatusCode.ERROR);
});

it('records nothing on a span that is recorded elsewhere', () => {
  const foreign = spanOf(withSpanContext(ROOT_CONTEXT, IDS)) as Span;
  const returned = foreign
    .setAttribute('key', 1)
    .setAttributes({})
    .addEvent('event')
    .addLink({ context: IDS })
    .addLinks([])
    .setStatus({ code: STATUS_ERROR })
    .updateName('name');
  foreign.recordException('error');
  foreign.end();
  expect(returned).toBe(foreign);
  expect(foreign.isRecording()).toBe(false);
});

it.each([
  IDS,
  { ...IDS, traceId: IDS.traceId.toUpperCase() },
  { ...IDS, traceId: '0'.repeat(32) },
  { ...IDS, spanId: '0'.repeat(16) },
  { ...IDS, spanId: `${IDS.spanId}0` },
  { ...IDS, traceId: IDS.traceId.replace('0', 'g') },
  { ...IDS, traceId: '', spanId: '' },
])('agrees with the API on whether ids are valid: $traceId $spanId', (ids) => {
  expect(isValid(ids)).toBe(isSpanContextValid(ids));
});
