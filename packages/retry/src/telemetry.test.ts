import { diag, SeverityNumber, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
} from '@opentelemetry/sdk-trace';
import { temperMetricProducer } from '@temper/core';
import { ManualClock } from '@temper/testkit';
import { settle } from '@temper/testkit/clock';
import { InMemoryTelemetry, type TelemetryOptions } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';
import { RETRY_METRICS, RETRY_SPANS } from './semconv.ts';

let telemetry: InMemoryTelemetry;
afterEach(() => telemetry?.close());

let made = 0;
interface SetUp {
  readonly clock: ManualClock;
  readonly policy: RetryPolicy;
  readonly where: Readonly<Record<string, string>>;
}
function setUp(options: RetryOptions = {}, signals: TelemetryOptions = {}): SetUp {
  telemetry = new InMemoryTelemetry(signals);
  const clock = new ManualClock();
  const name = `policy-${++made}`;
  const policy = retry({ name, jitter: 'none', clock, ...options });
  return { clock, policy, where: { 'temper.policy.name': name } };
}
const refused = (): Promise<never> =>
  Promise.reject(Object.assign(new Error('no route'), { code: 'ECONNREFUSED' }));
/** Fails so many times, then answers. */
const failing = (times: number) => {
  let calls = 0;
  return () => (++calls <= times ? refused() : 'done');
};
const tree = (spans: readonly ReadableSpan[]): unknown[] => {
  const children = (parent: string | undefined): unknown[] =>
    spans
      .filter((span) => span.parentSpanContext?.spanId === parent)
      .map((span) => [span.name, ...children(span.spanContext().spanId)]);
  return children(undefined);
};

describe('metrics', () => {
  it('count operations by outcome, and attempts by outcome and error.type', async () => {
    const { clock, policy, where } = setUp();
    await policy.execute(() => 'done');
    await clock.runUntil(policy.execute(failing(2)));
    await clock.runUntil(policy.tryExecute(failing(9)));
    await policy.tryExecute(() => Promise.reject(new TypeError('bug')));
    const controller = new AbortController();
    const aborted = policy.tryExecute(refused, { signal: controller.signal });
    await settle();
    controller.abort();
    await aborted;

    const byOutcome = async (name: string): Promise<unknown[]> =>
      (await telemetry.points(name, where))
        .map(({ attributes, value }) => [
          attributes['temper.outcome'],
          ...(attributes['error.type'] === undefined ? [] : [attributes['error.type']]),
          value,
        ])
        .sort();
    expect(await byOutcome('temper.retry.operations')).toEqual([
      ['aborted', 1],
      ['exhausted', 1],
      ['failure', 1],
      ['recovered', 1],
      ['success', 1],
    ]);
    expect(await byOutcome('temper.retry.attempts')).toEqual([
      ['aborted', 0],
      ['failure', 'ECONNREFUSED', 6],
      ['failure', 'TypeError', 1],
      ['success', 2],
    ]);
  });

  it('say how long operations and waits were, in seconds', async () => {
    const { clock, policy, where } = setUp();
    await clock.runUntil(policy.execute(failing(2)));
    expect(
      await telemetry.value('temper.retry.operation.duration', {
        ...where,
        'temper.outcome': 'recovered',
      }),
    ).toMatchObject({ count: 1, sum: expect.closeTo(0.3) });
    expect(await telemetry.value('temper.retry.delay', where)).toMatchObject({
      count: 2,
      sum: expect.closeTo(0.3),
      min: expect.closeTo(0.1),
      max: expect.closeTo(0.2),
    });
  });

  it('are those, and only those, that semconv.ts defines', async () => {
    const { clock, policy } = setUp();
    await clock.runUntil(policy.tryExecute(failing(9)));
    const known = new Map(RETRY_METRICS.map((metric) => [metric.name, metric]));
    const { resourceMetrics } = await telemetry.collect();
    const ours = resourceMetrics.scopeMetrics.filter(({ scope }) => scope.name === '@temper/retry');
    const found = ours.flatMap(({ metrics }) => metrics);
    expect(found.length).toBeGreaterThanOrEqual(4);
    for (const { descriptor, dataPoints } of found) {
      const definition = known.get(descriptor.name);
      expect(descriptor).toMatchObject({
        unit: definition?.unit,
        description: definition?.description,
      });
      const attributes = new Map(definition?.attributes.map((one) => [one.name, one.values]));
      for (const point of dataPoints) {
        for (const [key, value] of Object.entries(point.attributes)) {
          expect([...attributes.keys()]).toContain(key);
          const values = attributes.get(key);
          if (values !== undefined) expect(values).toContain(value);
        }
      }
    }
  });

  it('are kept in our own buckets where a producer reads them', async () => {
    const { policy, where } = setUp({}, { metricProducers: [temperMetricProducer()] });
    await policy.execute(() => 'done');
    const points = await telemetry.points('temper.retry.operation.duration', where);
    expect(points).toMatchObject([{ value: { count: 1 } }]);
  });

  it('of policies of one name are one series, and outlive the policies', async () => {
    const { policy, where } = setUp();
    await policy.execute(() => 'done');
    policy[Symbol.dispose]();
    await retry({ name: policy.name }).execute(() => 'done');
    expect(
      await telemetry.value('temper.retry.operations', { ...where, 'temper.outcome': 'success' }),
    ).toBe(2);
    expect(await policy.execute(() => 'still works')).toBe('still works');
  });
});

describe('spans', () => {
  it('show an operation with one child per attempt, under the active span', async () => {
    const { clock, policy } = setUp({ spans: 'all' });
    const tracer = trace.getTracer('test');
    await tracer.startActiveSpan('request', async (request) => {
      await clock.runUntil(
        policy.execute(async () => {
          const span = tracer.startSpan('GET');
          await Promise.resolve();
          span.end();
          return failing(0)();
        }),
      );
      request.end();
    });
    expect(tree(telemetry.spans)).toEqual([
      ['request', [`retry ${policy.name}`, ['attempt', ['GET']]]],
    ]);
  });

  it.each(['all', 'failures'] as const)(
    'carry the error on the failed attempts of a saved call, not on the operation: %s',
    async (spans) => {
      const { clock, policy } = setUp({ spans });
      const call = policy.execute(failing(2), {
        operation: 'fetch_package',
        attributes: { 'package.name': 'std.core' },
      });
      await clock.runUntil(call);
      const [first, second, third, operation] = telemetry.spans;
      expect(operation?.name).toBe(`retry ${policy.name}`);
      expect(operation?.status).toEqual({ code: SpanStatusCode.UNSET });
      expect(operation?.attributes).toEqual({
        'temper.policy.name': policy.name,
        'temper.operation': 'fetch_package',
        'package.name': 'std.core',
        'temper.outcome': 'recovered',
        'temper.retry.attempts': 3,
      });
      expect(first?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no route' });
      expect(first?.attributes).toEqual({
        'temper.policy.name': policy.name,
        'temper.retry.attempt': 1,
        'error.type': 'ECONNREFUSED',
      });
      expect(second?.attributes).toMatchObject({
        'temper.retry.attempt': 2,
        'temper.retry.delay': 0.1,
      });
      expect(third?.status).toEqual({ code: SpanStatusCode.UNSET });
      expect(third?.attributes).toMatchObject({
        'temper.retry.attempt': 3,
        'temper.retry.delay': 0.2,
      });
      expect(telemetry.spans.flatMap((span) => span.events)).toEqual([]);
    },
  );

  it.each(['all', 'failures'] as const)(
    'end in ERROR with the reason when a call is exhausted: %s',
    async (spans) => {
      const { clock, policy } = setUp({ spans });
      await clock.runUntil(policy.tryExecute(failing(9)));
      const operation = telemetry.spans.at(-1);
      expect(operation?.status.code).toBe(SpanStatusCode.ERROR);
      expect(operation?.attributes).toMatchObject({
        'temper.outcome': 'exhausted',
        'temper.retry.attempts': 3,
        'temper.retry.reason': 'attempts',
        'error.type': 'ECONNREFUSED',
      });
    },
  );

  it('of an aborted wait end as aborted', async () => {
    const { policy } = setUp();
    const controller = new AbortController();
    const call = policy.tryExecute(refused, { signal: controller.signal });
    await settle();
    controller.abort();
    await call;
    expect(telemetry.spans.map((span) => span.attributes['temper.outcome'])).toEqual([
      undefined,
      'aborted',
    ]);
  });

  it('use attributes that semconv.ts lists', async () => {
    const { clock, policy } = setUp();
    await clock.runUntil(policy.tryExecute(failing(9), { operation: 'fetch' }));
    for (const span of telemetry.spans) {
      const definition = RETRY_SPANS.find(
        ({ name }) => name.split(' ')[0] === span.name.split(' ')[0],
      );
      const known = definition?.attributes.map(({ name }) => name);
      expect(known).toEqual(expect.arrayContaining(Object.keys(span.attributes)));
    }
  });

  it('are timed by the SDK and not by the clock of the policy, to the microsecond', async () => {
    const { policy } = setUp({ spans: 'all' }); // its clock stands still
    await policy.execute(() => settle());
    const [attempt, operation] = telemetry.spans;
    const ns = (span: ReadableSpan | undefined): number =>
      (span?.duration[0] ?? 0) * 1e9 + (span?.duration[1] ?? 0);
    expect(ns(attempt) % 1e6).not.toBe(0);
    expect(ns(operation)).toBeGreaterThanOrEqual(ns(attempt));
  });

  it.each<[string, () => unknown, string]>([
    ['a response', () => new Response('', { status: 503 }), '503'],
    ['an instance of a class', () => new Date(0), '_OTHER'],
    ['a primitive', () => 'pending', '_OTHER'],
  ])('name %s that counts as a failure as the metric does', async (_, answer, type) => {
    const { clock, policy, where } = setUp({ shouldHandle: (o) => o.ok });
    await clock.runUntil(policy.execute(answer));
    expect(telemetry.spans.map((span) => span.attributes['error.type'])).toEqual(
      Array(4).fill(type),
    );
    expect(telemetry.logs[0]?.attributes['error.type']).toBe(type);
    const failed = { ...where, 'temper.outcome': 'failure' };
    expect(await telemetry.points('temper.retry.attempts', failed)).toMatchObject([
      { attributes: { 'error.type': type }, value: 3 },
    ]);
  });

  it('show why a call was aborted after a value that counts as a failure', async () => {
    const { policy } = setUp({ shouldHandle: (o) => o.ok });
    const controller = new AbortController();
    const call = policy.tryExecute(() => 'pending', { signal: controller.signal });
    await settle();
    controller.abort(Object.assign(new Error('user left'), { code: 'LEFT' }));
    await call;
    expect(telemetry.spans.at(-1)).toMatchObject({
      attributes: { 'temper.outcome': 'aborted', 'error.type': 'LEFT' },
      status: { code: SpanStatusCode.ERROR, message: 'user left' },
    });
  });
});

describe('narrowed spans', () => {
  it('of mode none are not made', async () => {
    const { clock, policy } = setUp({ spans: 'none' });
    await clock.runUntil(policy.tryExecute(failing(9)));
    expect(telemetry.spans).toEqual([]);
  });

  it('of mode failures are made when something goes wrong, dated back to the beginning', async () => {
    const clock = new ManualClock();
    const { policy } = setUp({ spans: 'failures', clock });
    await policy.execute(() => 'done');
    expect(telemetry.spans).toEqual([]);
    const begun = clock.now();
    await clock.runUntil(policy.execute(() => clock.sleep(40).then(failing2)));
    const [first, second, operation] = telemetry.spans;
    expect(telemetry.spans.map((span) => span.name)).toEqual([
      'attempt',
      'attempt',
      `retry ${policy.name}`,
    ]);
    const ms = ([s, ns]: readonly [number, number]): number => s * 1000 + ns / 1e6;
    const times = (span: ReadableSpan | undefined): number[] =>
      span === undefined ? [] : [ms(span.startTime) - begun, ms(span.endTime) - begun];
    expect(times(first)).toEqual([0, 40]);
    expect(times(second)).toEqual([140, 180]);
    expect(times(operation)).toEqual([0, 180]);
    expect(operation?.status.code).toBe(SpanStatusCode.UNSET);
  });

  const failing2 = failing(1);
});

describe('unsampled traffic', () => {
  it('makes no span, and is counted as any other', async () => {
    const { clock, policy, where } = setUp({}, { sampler: new AlwaysOffSampler() });
    await clock.runUntil(policy.execute(failing(1)));
    expect(telemetry.spans).toEqual([]);
    expect(
      await telemetry.value('temper.retry.operations', { ...where, 'temper.outcome': 'recovered' }),
    ).toBe(1);
  });

  it('asks the sampler once per operation, and hands on that it is not sampled', async () => {
    const asked: string[] = [];
    const sampler: Sampler = {
      shouldSample: (_context, _traceId, name) => {
        asked.push(name);
        return { decision: SamplingDecision.NOT_RECORD };
      },
      toString: () => 'counting',
    };
    const { clock, policy } = setUp({ spans: 'all' }, { sampler });
    const seen: unknown[] = [];
    let calls = 0;
    const call = policy.execute(async () => {
      await Promise.resolve();
      seen.push(trace.getActiveSpan()?.spanContext());
      if (++calls < 3) return refused();
      return 'done';
    });
    await clock.runUntil(call);
    expect(asked).toEqual([`retry ${policy.name}`]);
    expect(seen).toHaveLength(3);
    for (const context of seen) {
      expect(context).toMatchObject({
        traceFlags: TraceFlags.NONE,
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      });
    }
  });
});

describe('the log', () => {
  it('has one warning for an exhausted operation, which leads to its span', async () => {
    const { clock, policy } = setUp();
    await clock.runUntil(policy.execute(failing(1)));
    expect(telemetry.logs).toEqual([]);
    await clock.runUntil(policy.tryExecute(failing(9)));
    const operation = telemetry.spans.at(-1);
    expect(telemetry.logs).toHaveLength(1);
    expect(telemetry.logs[0]).toMatchObject({
      eventName: 'temper.retry.exhausted',
      severityNumber: SeverityNumber.WARN,
      body: `Retry policy '${policy.name}' failed after 3 attempts and 300 ms of retries: no route`,
      attributes: {
        'temper.policy.name': policy.name,
        'temper.retry.attempts': 3,
        'error.type': 'ECONNREFUSED',
      },
      spanContext: {
        traceId: operation?.spanContext().traceId,
        spanId: operation?.spanContext().spanId,
      },
    });
  });
});

describe('an SDK that throws', () => {
  it.each<[string, RetryOptions['spans']]>([
    ['all', 'all'],
    ['failures', 'failures'],
  ])('changes no outcome, with spans %s', async (_, spans) => {
    const broken: Sampler = {
      shouldSample() {
        throw new Error('broken sampler');
      },
      toString: () => 'broken',
    };
    const { clock, policy } = setUp({ spans: spans ?? 'all' }, { sampler: broken });
    const reported: unknown[] = [];
    const quiet = (): void => {};
    diag.setLogger({
      error: (...args) => reported.push(...args),
      warn: quiet,
      info: quiet,
      debug: quiet,
      verbose: quiet,
    });
    expect(await clock.runUntil(policy.execute(failing(1)))).toBe('done');
    expect(await clock.runUntil(policy.tryExecute(failing(9)))).toMatchObject({
      ok: false,
      error: { message: 'no route' },
    });
    expect(reported).toContainEqual(expect.objectContaining({ message: 'broken sampler' }));
  });
});
