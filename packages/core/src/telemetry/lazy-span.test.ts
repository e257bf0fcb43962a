import { context, createContextKey, trace } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Call } from '../call/context.ts';
import { type CallObservation, CallObserver } from './call-observer.ts';
import { byOutcome, Instrumentation } from './instrumentation.ts';
import type { SpanMode } from './spans.ts';

const instrumentation = new Instrumentation({
  name: '@test/lazy-span',
  version: '1.0.0',
  metrics: [],
});
type Ending = 'success' | 'failure';
const OUTCOMES = byOutcome<Ending>(['success', 'failure']);
const FAILURE = { ok: false, error: new Error('no route') } as const;

let telemetry: InMemoryTelemetry;
let clock: ManualClock;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
  clock = new ManualClock();
});
afterEach(() => telemetry.close());

function begin(policy: string, spans: SpanMode = 'failures'): CallObservation<Ending> {
  const options = {
    telemetry: instrumentation,
    policy,
    kind: 'p',
    spans,
    clock,
    outcomes: OUTCOMES,
  };
  return new CallObserver(options).begin(new Call()) as CallObservation<Ending>;
}

/** A call of one policy, which ends as its work does. */
async function call(
  policy: string,
  work: () => Promise<unknown>,
  spans: SpanMode = 'failures',
): Promise<void> {
  if (spans === 'none') return void (await work());
  const observed = begin(policy, spans);
  try {
    await observed.run(work);
    observed.end('success');
  } catch (error) {
    observed.end('failure', { ok: false, error });
    throw error;
  }
}

const fail = async (): Promise<never> => {
  await clock.advance(10);
  throw FAILURE.error;
};
const caught = (work: Promise<unknown>): Promise<void> =>
  work.then(
    () => {},
    () => {},
  );

/** `name < parent < …` of each span, sorted; `?` for a parent that was never exported. */
function paths(): string[] {
  const byId = new Map(telemetry.spans.map((span) => [span.spanContext().spanId, span]));
  const path = (span: (typeof telemetry.spans)[number]): string => {
    const parent = span.parentSpanContext?.spanId;
    if (parent === undefined) return span.name;
    const found = byId.get(parent);
    return `${span.name} < ${found === undefined ? '?' : path(found)}`;
  };
  return telemetry.spans.map(path).sort();
}

/** No span starts before its parent, and all are of one trace. */
function expectWhole(): void {
  const ms = ([seconds, ns]: readonly [number, number]): number => seconds * 1e3 + ns / 1e6;
  const byId = new Map(telemetry.spans.map((span) => [span.spanContext().spanId, span]));
  for (const span of telemetry.spans) {
    const parent = byId.get(span.parentSpanContext?.spanId ?? '');
    if (parent !== undefined) {
      expect(ms(span.startTime)).toBeGreaterThanOrEqual(ms(parent.startTime));
    }
  }
  expect(new Set(telemetry.spans.map((span) => span.spanContext().traceId)).size).toBe(1);
}

describe('spans of nested policies in mode failures', () => {
  it('are nested as the policies are when all of them fail', async () => {
    await caught(call('a', () => call('b', () => call('c', fail))));
    expect(paths()).toEqual(['p a', 'p b < p a', 'p c < p b < p a']);
    expectWhole();
  });

  it.each(['a', 'b', 'c'])('are whole when policy %s absorbs the failure', async (absorbing) => {
    const absorb = (policy: string, work: () => Promise<unknown>) => async (): Promise<void> => {
      await clock.advance(5);
      await call(policy, policy === absorbing ? () => caught(work()) : work);
    };
    await absorb('a', absorb('b', absorb('c', fail)))();
    const all = ['p a', 'p b < p a', 'p c < p b < p a'];
    expect(paths()).toEqual(absorbing === 'c' ? [] : all);
  });

  it('are dated back to the beginning of each call', async () => {
    const began = clock.now();
    await caught(
      call('a', async () => {
        await clock.advance(5);
        await call('b', fail);
      }),
    );
    const starts = Object.fromEntries(
      telemetry.spans.map(({ name, startTime: [s, ns] }) => [name, s * 1000 + ns / 1e6 - began]),
    );
    expect(starts).toEqual({ 'p a': 0, 'p b': 5 });
  });

  it('are children of the span of the caller', async () => {
    const caller = trace.getTracer('app').startSpan('caller');
    await context.with(trace.setSpan(context.active(), caller), () =>
      caught(call('a', () => call('b', fail))),
    );
    caller.end();
    expect(paths()).toEqual(['caller', 'p a < caller', 'p b < p a < caller']);
  });

  it('are children of a span that the user started between the policies', async () => {
    const tracer = trace.getTracer('app');
    await caught(
      call('a', () =>
        tracer.startActiveSpan('own', (span) => call('b', fail).finally(() => span.end())),
      ),
    );
    expect(paths()).toEqual(['own', 'p a', 'p b < own']);
  });

  it('are none when nothing fails', async () => {
    await call('a', () => call('b', async () => {}));
    expect(telemetry.spans).toEqual([]);
  });

  it('are not created for an inner policy of mode all that succeeds', async () => {
    await call('a', () => call('b', async () => {}, 'all'));
    expect(paths()).toEqual(['p b']);
  });

  it('skip a policy of mode none', async () => {
    await caught(call('a', () => call('b', () => call('c', fail), 'none')));
    expect(paths()).toEqual(['p a', 'p c < p a']);
  });

  it('are not created anew for work that outlives its call', async () => {
    const outer = begin('a');
    const inner = outer.run(() => call('b', fail));
    outer.end('success');
    await caught(inner);
    expect(paths()).toEqual(['p b']);
  });

  it('stay whole for work that outlives a call that has a span', async () => {
    const outer = begin('a');
    const inner = outer.run(() => call('b', fail));
    outer.end('failure', FAILURE);
    await caught(inner);
    expect(paths()).toEqual(['p a', 'p b < p a']);
  });

  it('do not mix up calls that run at the same time', async () => {
    await Promise.all(['1', '2', '3'].map((n) => caught(call(`a${n}`, () => call(`b${n}`, fail)))));
    expect(paths()).toEqual(
      ['1', '2', '3'].flatMap((n) => [`p a${n}`, `p b${n} < p a${n}`]).sort(),
    );
  });
});

describe('parts in mode failures', () => {
  it('get a span for a failure inside the first one, and later ones stand beside it', async () => {
    const began = clock.now();
    const outer = begin('a');
    await caught(
      outer.runPart(
        'attempt',
        () => ({ n: 1 }),
        () => call('b', fail),
      ),
    );
    outer.partFailed('attempt', () => ({ n: 1 }), FAILURE);
    await outer.runPart(
      'attempt',
      () => ({ n: 2 }),
      () => call('c', async () => {}),
    );
    outer.end('success');
    expect(paths()).toEqual(['attempt < p a', 'attempt < p a', 'p a', 'p b < attempt < p a']);
    const first = telemetry.spans.find(({ attributes }) => attributes.n === 1);
    expect(first?.startTime).toEqual([Math.floor(began / 1000), (began % 1000) * 1e6]);
    expectWhole();
  });

  it('are whole when the attempt absorbs the failure', async () => {
    const outer = begin('a');
    await outer.runPart(
      'attempt',
      () => ({ n: 1 }),
      () => caught(call('b', fail)),
    );
    outer.end('success');
    expect(paths()).toEqual(['attempt < p a', 'p a', 'p b < attempt < p a']);
  });

  it('keep work that outlives its attempt under that attempt', async () => {
    const outer = begin('a');
    const late = outer.runPart(
      'attempt',
      () => ({ n: 1 }),
      () => call('b', fail),
    );
    outer.partFailed('attempt', () => ({ n: 1 }), FAILURE);
    await caught(
      outer.runPart(
        'attempt',
        () => ({ n: 2 }),
        () => late,
      ),
    );
    outer.end('success');
    const attempt = telemetry.spans.find(({ attributes }) => attributes.n === 1);
    const inner = telemetry.spans.find(({ name }) => name === 'p b');
    expect(inner?.parentSpanContext?.spanId).toBe(attempt?.spanContext().spanId);
  });
});

describe('a context with a lazy span', () => {
  it('keeps values that are set and removed in it', () => {
    const key = createContextKey('test');
    begin('a').run(() => {
      const changed = context.active().setValue(key, 7);
      expect(changed.getValue(key)).toBe(7);
      expect(context.active().getValue(key)).toBeUndefined();
      expect(changed.deleteValue(key).getValue(key)).toBeUndefined();
    });
  });

  it('still leads to its lazy span after values were set and removed', async () => {
    const key = createContextKey('test');
    await caught(
      call('a', () =>
        context.with(context.active().setValue(key, 7).deleteValue(key), () => call('b', fail)),
      ),
    );
    expect(paths()).toEqual(['p a', 'p b < p a']);
  });
});
