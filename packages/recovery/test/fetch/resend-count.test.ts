import { context, type Span, SpanKind, trace } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispatcherInterceptor, resilientFetch } from '../../src/fetch/index.ts';
import { resending } from '../../src/telemetry.ts';
import { FaultServer, ok, status } from './fault-server.ts';

let telemetry: InMemoryTelemetry;
let instrumentation: UndiciInstrumentation;
let server: FaultServer;
beforeEach(async () => {
  telemetry = new InMemoryTelemetry();
  instrumentation = new UndiciInstrumentation();
  instrumentation.enable();
  server = await FaultServer.start(status(503), status(503), ok());
});
afterEach(async () => {
  instrumentation.disable();
  await server[Symbol.asyncDispose]();
  await telemetry.close();
});

/** For each request that was sent: how often it had been sent before, and the name of its parent. */
function sent() {
  const names = new Map(telemetry.spans.map((span) => [span.spanContext().spanId, span.name]));
  return telemetry.spans
    .filter(({ kind }) => kind === SpanKind.CLIENT)
    .map(({ attributes, parentSpanContext }) => [
      attributes['http.request.resend_count'],
      names.get(parentSpanContext?.spanId ?? ''),
    ]);
}

describe('the client spans of requests that are sent again', () => {
  it('have the count, and are below their attempts, through fetch', async () => {
    const response = await resilientFetch({
      name: 'f',
      retry: { initialDelayMs: 1, spans: 'all' },
      breaker: { spans: 'all' },
    })(server.url());
    await response.text();
    expect(sent()).toEqual([
      [undefined, 'breaker f'],
      [1, 'breaker f'],
      [2, 'breaker f'],
    ]);
    const attempts = telemetry.spans.filter(({ name }) => name === 'attempt');
    expect(attempts.map(({ attributes }) => attributes['temper.retry.attempt'])).toEqual([1, 2, 3]);
  });

  it('have the count through a dispatcher', async () => {
    const agent = new Agent();
    const guarded = agent.compose(
      dispatcherInterceptor({ name: 'd', retry: { initialDelayMs: 1 } }),
    );
    const { body } = await guarded.request({ origin: server.origin, path: '/', method: 'GET' });
    await body.text();
    await agent.close();
    expect(sent().map(([count]) => count)).toEqual([undefined, 1, 2]);
  });

  it('are the only spans with a count, each of its own request', () => {
    const tracer = trace.getTracer('test');
    const start = (kind: SpanKind): Span => tracer.startSpan('span', { kind });
    const spans = [SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.CLIENT].map(start);
    const [internal, client, nested] = spans as [Span, Span, Span];
    resending(3, () => {
      const within = trace.setSpan(context.active(), internal).deleteValue(Symbol('none'));
      const below = trace.setSpan(within.setValue(Symbol('other'), 7), client);
      expect(trace.getSpan(below)).toBe(client);
      trace.setSpan(below, nested); // spans below the request have no count
    });
    resending(0, () =>
      trace.setSpan(context.active(), start(SpanKind.CLIENT)).getValue(Symbol('x')),
    );
    for (const span of spans) span.end();
    const counts = telemetry.spans.map(({ attributes }) => attributes['http.request.resend_count']);
    expect(counts).toEqual([undefined, 3, undefined]);
  });

  it('propagate their own trace to the server', async () => {
    const { propagation } = await import('@opentelemetry/api');
    const seen: string[] = [];
    propagation.setGlobalPropagator({
      inject: (context, carrier, setter) => {
        const spans = telemetry.spans.length;
        seen.push(String(spans));
        setter.set(carrier, 'x-trace', String(context !== undefined));
      },
      extract: (context) => context,
      fields: () => ['x-trace'],
    });
    await resilientFetch({ retry: { initialDelayMs: 1 } })(server.url());
    propagation.disable();
    expect(seen).toHaveLength(3);
    expect(server.seen.map(({ headers }) => headers['x-trace'])).toEqual(['true', 'true', 'true']);
  });
});
