import { context, trace } from '@opentelemetry/api';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { build, type Kind, PAIRS, SENSIBLE, transient } from './catalogue.ts';

let telemetry: InMemoryTelemetry;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

type Spans = InMemoryTelemetry['spans'];
const ms = ([seconds, ns]: readonly [number, number]): number => seconds * 1e3 + ns / 1e6;

/**
 * Kinds that have no span around their calls: an attempt of a hedge has its own, and so has an
 * injection. Their spans stand side by side under the span of the caller.
 */
const SIDE_BY_SIDE: readonly Kind[] = ['hedge', 'chaos'];

/** What is wrong with the tree of a call. */
function faults(spans: Spans): string[] {
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
  const roots = spans.filter(({ parentSpanContext }) => parentSpanContext === undefined);
  const found = roots.length > 1 ? [`${roots.length} roots: ${roots.map(({ name }) => name)}`] : [];
  for (const span of spans) {
    const parentId = span.parentSpanContext?.spanId;
    if (parentId === undefined) continue;
    const parent = byId.get(parentId);
    if (parent === undefined) found.push(`the parent of '${span.name}' was not exported`);
    else if (ms(span.startTime) < ms(parent.startTime) - 0.001) {
      found.push(`'${span.name}' starts before its parent '${parent.name}'`);
    }
  }
  return found;
}

/** Names of the policies' spans, from the root inwards along the first child of each. */
function depth(spans: Spans): number {
  const children = (id: string | undefined): Spans =>
    spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === id);
  const below = (id: string | undefined): number =>
    Math.max(0, ...children(id).map((child) => 1 + below(child.spanContext().spanId)));
  return below(undefined);
}

const orders: (readonly [string, readonly Kind[]])[] = [...PAIRS, ...SENSIBLE].map((kinds) => [
  kinds.join(' around '),
  kinds,
]);

describe.each(orders)('%s with the default of `spans`', (_, kinds) => {
  it('has one whole tree for a call that fails, and for one that fails once', async () => {
    const { clock, policy } = build(kinds);
    let calls = 0;
    const once = async (): Promise<string> => {
      await clock.sleep(1);
      if (++calls === 1) throw transient('once');
      return 'done';
    };
    const always = async (): Promise<never> => {
      await clock.sleep(1);
      throw transient('always');
    };
    for (const operation of [once, always]) {
      telemetry.reset();
      const call = (): Promise<unknown> => policy.tryExecute<unknown>(operation);
      if (kinds.some((kind) => SIDE_BY_SIDE.includes(kind))) {
        const caller = trace.getTracer('app').startSpan('caller', { startTime: clock.now() });
        const inCaller = trace.setSpan(context.active(), caller);
        await clock.runUntil(context.with(inCaller, call));
        caller.end();
      } else {
        await clock.runUntil(call());
      }
      expect(faults(telemetry.spans)).toEqual([]);
    }
  });
});

it('nests the spans as the policies are nested', async () => {
  const { clock, policy } = build(['timeout', 'retry', 'breaker']);
  await clock.runUntil(policy.tryExecute(() => Promise.reject(transient('x'))));
  // timeout, retry, attempt, breaker
  expect(depth(telemetry.spans)).toBe(4);
});

it('nests them likewise where a policy is called inside another without its context', async () => {
  const outer = build(['timeout', 'retry']);
  const inner = build(['breaker']);
  const call = outer.policy.tryExecute(() =>
    inner.policy.execute(() => Promise.reject(transient('x'))),
  );
  await outer.clock.runUntil(call);
  expect(faults(telemetry.spans).filter((fault) => fault.includes('roots'))).toEqual([]);
  expect(depth(telemetry.spans)).toBe(4);
});
