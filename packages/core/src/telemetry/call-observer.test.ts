import { SpanStatusCode, trace } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import { Call } from '../call/context.ts';
import { CallObserver } from './call-observer.ts';
import type { MetricDefinition } from './definitions.ts';
import { byOutcome, Instrumentation } from './instrumentation.ts';
import type { SpanMode } from './spans.ts';

const DURATION: MetricDefinition = {
  name: 'test.call.duration',
  instrument: 'histogram',
  unit: 's',
  description: 'Duration of a call of this test.',
  attributes: [],
};
const instrumentation = new Instrumentation({
  name: '@test/call-observer',
  version: '1.0.0',
  metrics: [DURATION],
});
const OUTCOMES = byOutcome(['success', 'failure']);
const FAILURE = { ok: false, error: new Error('no route') } as const;

let made = 0;
let telemetry: InMemoryTelemetry | undefined;
afterEach(async () => {
  await telemetry?.close();
  telemetry = undefined;
});

function setUp(
  spans: SpanMode,
  duration: MetricDefinition | undefined = DURATION,
): { clock: ManualClock; policy: string; observer: CallObserver<'success' | 'failure'> } {
  const clock = new ManualClock();
  const policy = `policy-${++made}`;
  const observer = new CallObserver({
    telemetry: instrumentation,
    policy,
    kind: 'test',
    spans,
    clock,
    outcomes: OUTCOMES,
    ...(duration === undefined ? {} : { duration }),
  });
  return { clock, policy, observer };
}
const spanNames = (): string[] => (telemetry?.spans ?? []).map(({ name }) => name);

describe('CallObserver.begin', () => {
  it.each<[string, SpanMode, MetricDefinition | undefined, object | undefined, boolean]>([
    ['returns nothing without providers', 'all', DURATION, undefined, false],
    ['returns an observation with a tracer', 'all', undefined, { metrics: false }, true],
    [
      'returns an observation with a tracer in mode failures',
      'failures',
      undefined,
      { metrics: false },
      true,
    ],
    ['returns nothing with a tracer in mode none', 'none', DURATION, { metrics: false }, false],
    ['returns an observation with a meter', 'none', DURATION, { traces: false }, true],
    [
      'returns nothing with a meter for a policy without durations',
      'none',
      undefined,
      { traces: false },
      false,
    ],
  ])('%s', (_, mode, duration, providers, expected) => {
    if (providers !== undefined) telemetry = new InMemoryTelemetry(providers);
    const { clock } = setUp(mode);
    const observer = new CallObserver({
      telemetry: instrumentation,
      policy: 'p',
      kind: 'test',
      spans: mode,
      clock,
      outcomes: OUTCOMES,
      ...(duration === undefined ? {} : { duration }),
    });
    expect(observer.begin(new Call()) !== undefined).toBe(expected);
  });
});

describe('CallObservation', () => {
  it('records the duration of the call in seconds by outcome', async () => {
    telemetry = new InMemoryTelemetry();
    const { clock, policy, observer } = setUp('none');
    for (const [outcome, ms] of [
      ['success', 200],
      ['success', 300],
      ['failure', 50],
    ] as const) {
      const observed = observer.begin(new Call());
      await clock.advance(ms);
      clock.adjustWallClock(-3_600_000);
      observed?.end(outcome, outcome === 'failure' ? FAILURE : undefined);
    }
    const where = { 'temper.policy.name': policy };
    expect(
      await telemetry.value('test.call.duration', { ...where, 'temper.outcome': 'success' }),
    ).toMatchObject({ count: 2, sum: 0.5 });
    expect(
      await telemetry.value('test.call.duration', { ...where, 'temper.outcome': 'failure' }),
    ).toMatchObject({ count: 1, sum: 0.05 });
    expect(telemetry.spans).toEqual([]);
  });

  it('creates a span for every call in mode all, the parent of what the work starts', () => {
    telemetry = new InMemoryTelemetry();
    const { policy, observer } = setUp('all');
    const labels = {
      operation: 'fetch_package',
      attributes: { tenant: 'a', 'temper.policy.name': 'forged' },
      cost: undefined,
      priority: undefined,
      key: 'secret-tenant',
    };
    const observed = observer.begin(new Call(1, undefined, labels), { step: 1 });
    const inner = observed?.run(() => {
      expect(trace.getActiveSpan()).toBeDefined();
      return 'value';
    });
    expect(inner).toBe('value');
    expect(trace.getSpan(observed?.context as never)).toBeDefined();
    observed?.end('success', undefined, { attempts: 2 });
    expect(telemetry.spans).toHaveLength(1);
    expect(telemetry.spans[0]).toMatchObject({ name: `test ${policy}`, status: { code: 0 } });
    expect(telemetry.spans[0]?.attributes).toEqual({
      tenant: 'a',
      step: 1,
      attempts: 2,
      'temper.policy.name': policy,
      'temper.operation': 'fetch_package',
      'temper.outcome': 'success',
    });
  });

  it('marks a failed call in mode all', () => {
    telemetry = new InMemoryTelemetry();
    const { observer } = setUp('all');
    observer.begin(new Call())?.end('failure', FAILURE);
    expect(telemetry.spans[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'no route' },
      attributes: { 'error.type': 'Error', 'temper.outcome': 'failure' },
    });
  });

  it('creates spans only for failed calls in mode failures, dated back to the beginning', async () => {
    telemetry = new InMemoryTelemetry();
    const { clock, policy, observer } = setUp('failures');
    const start = clock.now();
    const good = observer.begin(new Call());
    const bad = observer.begin(new Call());
    expect(good?.run(() => trace.getActiveSpan())).toBeUndefined();
    await clock.advance(1500);
    good?.end('success');
    bad?.end('failure', FAILURE);
    expect(spanNames()).toEqual([`test ${policy}`]);
    const [span] = telemetry.spans;
    expect(span?.startTime).toEqual([start / 1000, 0]);
    expect(span?.endTime).toEqual([start / 1000 + 1, 500_000_000]);
  });

  it('creates its span early in mode failures when something goes wrong inside', async () => {
    telemetry = new InMemoryTelemetry();
    const { clock, policy, observer } = setUp('failures');
    const observed = observer.begin(new Call());
    await clock.advance(100);
    observed?.span()?.child('attempt', {}, observed.began).end(observed.now);
    expect(observed?.span()).toBe(observed?.span());
    observed?.end('success');
    expect(spanNames()).toEqual(['attempt', `test ${policy}`]);
    expect(telemetry.spans[0]?.parentSpanContext?.spanId).toBe(
      telemetry.spans[1]?.spanContext().spanId,
    );
    expect(telemetry.spans[1]?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('creates no span in mode none, also for failures', () => {
    telemetry = new InMemoryTelemetry();
    const observed = setUp('none').observer.begin(new Call());
    expect(observed?.span()).toBeUndefined();
    observed?.end('failure', FAILURE);
    expect(telemetry.spans).toEqual([]);
  });

  it('throws what the work throws, and nothing else', () => {
    telemetry = new InMemoryTelemetry({
      sampler: {
        shouldSample: () => {
          throw new Error('broken sampler');
        },
        toString: () => 'broken',
      },
    });
    const { observer } = setUp('all');
    const observed = observer.begin(new Call());
    expect(() =>
      observed?.run(() => {
        throw new Error('own');
      }),
    ).toThrow('own');
    expect(observed?.run(() => 'value')).toBe('value');
    observed?.end('failure', FAILURE);
  });

  it('bounds and scrubs operation and error message', () => {
    telemetry = new InMemoryTelemetry();
    const { observer } = setUp('all');
    const labels = {
      operation: `https://u:hunter2@host/${'x'.repeat(1000)}`,
      attributes: undefined,
      cost: undefined,
      priority: undefined,
      key: undefined,
    };
    const error = new Error(`https://u:hunter2@host/${'y'.repeat(5_000_000)}`);
    observer.begin(new Call(1, undefined, labels))?.end('failure', { ok: false, error });
    const [span] = telemetry.spans;
    expect(String(span?.attributes['temper.operation'])).toMatch(/^https:\/\/\*\*\*@host\/x+…$/);
    expect(String(span?.attributes['temper.operation'])).toHaveLength(128);
    expect(span?.status.message).toMatch(/^https:\/\/\*\*\*@host\/y+…$/);
    expect(span?.status.message).toHaveLength(512);
  });
});

describe('the parts of a call', () => {
  const at = (date: number, [seconds, ns]: readonly [number, number] = [0, 0]): number =>
    Math.round(seconds * 1000 + ns / 1e6 - date);

  it('are children of its span in mode all, and the parents of what they start', () => {
    telemetry = new InMemoryTelemetry();
    const { policy, observer } = setUp('all');
    const observed = observer.begin(new Call());
    const active = observed?.runPart(
      'part',
      () => ({ n: 1 }),
      () => trace.getActiveSpan(),
    );
    observed?.partFailed('part', () => ({ n: 'ignored' }), FAILURE);
    observed?.runPart(
      'part',
      () => ({ n: 2 }),
      () => {},
    );
    observed?.end('success');
    expect(spanNames()).toEqual(['part', 'part', `test ${policy}`]);
    const [first, second, whole] = telemetry.spans;
    expect(active?.spanContext()).toEqual(first?.spanContext());
    expect(first?.attributes).toEqual({ n: 1, 'error.type': 'Error' });
    expect(second?.attributes).toEqual({ n: 2 });
    for (const part of [first, second]) {
      expect(part?.parentSpanContext?.spanId).toBe(whole?.spanContext().spanId);
    }
    expect([first, second, whole].map((span) => span?.status.code)).toEqual([
      SpanStatusCode.ERROR,
      SpanStatusCode.UNSET,
      SpanStatusCode.UNSET,
    ]);
  });

  it('get spans from the first failure on in mode failures, whose times ignore a set wall clock', async () => {
    telemetry = new InMemoryTelemetry();
    const { clock, policy, observer } = setUp('failures');
    const began = clock.now();
    const observed = observer.begin(new Call());
    expect(
      observed?.runPart(
        'part',
        () => ({}),
        () => trace.getActiveSpan(),
      ),
    ).toBeUndefined();
    await clock.advance(40);
    observed?.partFailed('part', () => ({ n: 1 }), FAILURE);
    clock.adjustWallClock(-3_600_000);
    await clock.advance(100);
    observed?.runPart(
      'part',
      () => ({ n: 2 }),
      () => {},
    );
    await clock.advance(7);
    observed?.end('success');
    expect(
      telemetry.spans.map((span) => [
        span.name,
        at(began, span.startTime),
        at(began, span.endTime),
      ]),
    ).toEqual([
      ['part', 0, 40],
      ['part', 140, 147],
      [`test ${policy}`, 0, 147],
    ]);
  });

  it('have no spans in a trace that was not sampled, and run in its context', () => {
    telemetry = new InMemoryTelemetry({
      sampler: { shouldSample: () => ({ decision: 0 }), toString: () => 'off' },
    });
    const observed = setUp('all').observer.begin(new Call());
    const active = observed?.runPart(
      'part',
      () => ({}),
      () => trace.getActiveSpan()?.spanContext(),
    );
    expect(active).toMatchObject({
      traceFlags: 0,
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    observed?.partFailed('part', () => ({}), FAILURE);
    observed?.end('failure', FAILURE);
    expect(telemetry.spans).toEqual([]);
  });

  it('have no spans in mode none', () => {
    telemetry = new InMemoryTelemetry();
    const observed = setUp('none').observer.begin(new Call());
    expect(
      observed?.runPart(
        'part',
        () => ({}),
        () => 'value',
      ),
    ).toBe('value');
    observed?.partFailed('part', () => ({}), FAILURE);
    observed?.end('failure', FAILURE);
    expect(telemetry.spans).toEqual([]);
  });
});
