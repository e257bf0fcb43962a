import { SeverityNumber, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Outcome } from '@temper/core';
import type { MetricDefinition } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { BREAKER_METRICS, BREAKER_SPANS, CIRCUIT_STATES } from './semconv.ts';

const boom = Object.assign(new Error('boom'), { code: 'ECONNREFUSED' });
const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(boom);

let clock: ManualClock;
let telemetry: InMemoryTelemetry;
let policy: string;
let made = 0;

beforeEach(() => {
  clock = new ManualClock();
  policy = `payments-${++made}`; // series outlive a policy, so each test has its own
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

const make = (options: CircuitBreakerOptions = {}): CircuitBreaker =>
  circuitBreaker({ name: policy, clock, ...options });

async function failTimes(breaker: CircuitBreaker, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await breaker.execute(fail).catch(() => undefined);
}

const mine = (attributes: object = {}): Record<string, unknown> => ({
  'temper.policy.name': policy,
  ...attributes,
});

describe('the metrics of a breaker', () => {
  it('count calls by outcome', async () => {
    const breaker = make({
      window: { calls: 10 },
      slowCallDurationMs: 100,
      failureRateThreshold: 0.25,
      minimumThroughput: 4,
      shouldHandle: (outcome) => !outcome.ok && outcome.error === boom,
    });
    await breaker.execute(ok);
    await breaker.execute(() => Promise.reject(new Error('ignored'))).catch(() => undefined);
    await breaker.execute(ok);
    await breaker.execute(() => clock.jump(101));
    await failTimes(breaker, 1);
    await breaker.tryExecute(ok);
    await breaker.execute(ok).catch(() => undefined);
    const points = await telemetry.points('temper.breaker.calls', mine());
    expect(
      Object.fromEntries(points.map((p) => [p.attributes['temper.outcome'], p.value])),
    ).toEqual({
      success: 2,
      ignored: 1,
      aborted: 0,
      slow: 1,
      failure: 1,
      rejected: 2,
    });
  });

  it('count transitions by both states', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.jump(60_000);
    await failTimes(breaker, 1);
    clock.jump(60_000);
    await breaker.execute(ok);
    await breaker.execute(ok);
    const points = await telemetry.points('temper.breaker.transitions', mine());
    expect(
      points.map(({ attributes: a, value }) => [
        a['temper.breaker.from'],
        a['temper.breaker.to'],
        value,
      ]),
    ).toEqual([
      ['closed', 'open', 1],
      ['open', 'half-open', 2],
      ['half-open', 'open', 1],
      ['half-open', 'closed', 1],
    ]);
  });

  it('show the state as of the collection, without a call', async () => {
    const breaker = make();
    const shown = async (): Promise<unknown> => {
      const points = await telemetry.points('temper.breaker.state', mine());
      expect(points.map((p) => p.attributes['temper.breaker.state'])).toEqual(CIRCUIT_STATES);
      return points
        .filter((p) => p.value === 1)
        .map((p) => p.attributes['temper.breaker.state'])
        .join();
    };
    expect(await shown()).toBe('closed');
    await failTimes(breaker, 5);
    expect(await shown()).toBe('open');
    clock.jump(60_000);
    expect(await shown()).toBe('half-open');
    const hold = breaker.isolate();
    expect(await shown()).toBe('isolated');
    hold[Symbol.dispose]();
    expect(await shown()).toBe('closed');
  });

  it('show the ratios of the window, and none without a window', async () => {
    const consecutive = make({ name: `${policy}-row` });
    await failTimes(consecutive, 2);
    const breaker = make({ window: { calls: 10 }, slowCallDurationMs: 100 });
    expect(await telemetry.value('temper.breaker.failure.ratio', mine())).toBe(0);
    await failTimes(breaker, 1);
    await breaker.execute(() => clock.jump(200));
    await breaker.execute(() => clock.jump(200));
    await breaker.execute(ok);
    expect(await telemetry.value('temper.breaker.failure.ratio', mine())).toBe(0.25);
    expect(await telemetry.value('temper.breaker.slow_call.ratio', mine())).toBe(0.5);
    const row = { 'temper.policy.name': `${policy}-row` };
    expect(await telemetry.points('temper.breaker.failure.ratio', row)).toEqual([]);
  });

  it('measure the duration of calls in seconds, and none of rejections', async () => {
    const breaker = make({ failureThreshold: 1 });
    await breaker.execute(() => clock.jump(30));
    await failTimes(breaker, 1);
    await breaker.tryExecute(ok);
    const points = await telemetry.points('temper.breaker.call.duration', mine());
    expect(points).toHaveLength(2);
    const success = points.find((p) => p.attributes['temper.outcome'] === 'success');
    expect(success?.value).toMatchObject({ count: 1, sum: 0.03 });
  });

  it('reach a provider that is registered after the calls', async () => {
    await telemetry.close();
    const breaker = make();
    await breaker.execute(ok);
    await failTimes(breaker, 5);
    await breaker.tryExecute(ok);
    telemetry = new InMemoryTelemetry();
    const calls = (outcome: string): Promise<unknown> =>
      telemetry.value('temper.breaker.calls', mine({ 'temper.outcome': outcome }));
    expect([await calls('success'), await calls('failure'), await calls('rejected')]).toEqual([
      1, 5, 1,
    ]);
    expect(await telemetry.points('temper.breaker.transitions', mine())).toHaveLength(1);
  });

  it('keep their totals when the policy is disposed of, and reset their levels', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    expect(
      await telemetry.value('temper.breaker.state', mine({ 'temper.breaker.state': 'open' })),
    ).toBe(1);
    breaker[Symbol.dispose]();
    expect(
      await telemetry.value('temper.breaker.state', mine({ 'temper.breaker.state': 'open' })),
    ).toBe(0);
    expect(
      await telemetry.value('temper.breaker.calls', mine({ 'temper.outcome': 'failure' })),
    ).toBe(5);
  });

  it('are those that semconv defines, with their units and attributes', async () => {
    const breaker = make({
      window: { calls: 10 },
      slowCallDurationMs: 100,
      failureRateThreshold: 0.1,
      minimumThroughput: 1,
    });
    await breaker.execute(ok);
    await failTimes(breaker, 1);
    await breaker.tryExecute(ok);
    const exported = [...(await telemetry.metrics()).values()].filter(({ descriptor }) =>
      descriptor.name.startsWith('temper.breaker.'),
    );
    expect(exported.map(({ descriptor }) => descriptor.name).sort()).toEqual(
      BREAKER_METRICS.map(({ name }) => name).sort(),
    );
    for (const metric of exported) {
      const definition = BREAKER_METRICS.find(
        ({ name }) => name === metric.descriptor.name,
      ) as MetricDefinition;
      expect(metric.descriptor).toMatchObject({
        unit: definition.unit,
        description: definition.description,
      });
      for (const { attributes } of metric.dataPoints) {
        expect(Object.keys(attributes).sort()).toEqual(
          definition.attributes.map(({ name }) => name).sort(),
        );
        for (const { name, values } of definition.attributes) {
          if (values !== undefined) expect(values).toContain(attributes[name]);
        }
      }
    }
  });
});

describe('the spans of a breaker', () => {
  it('are one per call, around the operation, with state and outcome', async () => {
    const breaker = make({ spans: 'all' });
    const inner = await breaker.execute(() => trace.getActiveSpan()?.spanContext().spanId, {
      operation: 'charge',
      attributes: { 'peer.service': 'bank' },
    });
    const [span] = telemetry.spans;
    expect(telemetry.spans).toHaveLength(1);
    expect(span?.spanContext().spanId).toBe(inner);
    expect(span).toMatchObject({ name: `breaker ${policy}`, kind: SpanKind.INTERNAL });
    expect(span?.status.code).toBe(SpanStatusCode.UNSET);
    expect(span?.attributes).toEqual({
      'temper.policy.name': policy,
      'temper.operation': 'charge',
      'temper.breaker.state': 'closed',
      'temper.outcome': 'success',
      'peer.service': 'bank',
    });
  });

  it('carry the error of a failure, and no event', async () => {
    await failTimes(make(), 1);
    const [span] = telemetry.spans;
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'boom' });
    expect(span?.attributes).toMatchObject({
      'temper.outcome': 'failure',
      'error.type': 'ECONNREFUSED',
    });
    expect(span?.events).toEqual([]);
  });

  it('carry the status of a value that counts as a failure', async () => {
    const breaker = make({
      spans: 'all',
      shouldHandle: (outcome: Outcome<{ status: number }>) =>
        outcome.ok && outcome.value.status >= 500,
    });
    await breaker.execute(() => ({ status: 503 }));
    const [span] = telemetry.spans;
    expect(span?.status).toEqual({
      code: SpanStatusCode.ERROR,
      message: 'The result counts as a failure.',
    });
    expect(span?.attributes['error.type']).toBe('503');
  });

  it('are created for rejections of execute and tryExecute', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    telemetry.reset();
    await trace.getTracer('test').startActiveSpan('caller', async (caller) => {
      await breaker.execute(ok).catch(() => undefined);
      await breaker.tryExecute(ok, { operation: 'charge' });
      caller.end();
    });
    const [thrown, told, caller] = telemetry.spans;
    for (const span of [thrown, told]) {
      expect(span?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
      expect(span?.status).toEqual({
        code: SpanStatusCode.ERROR,
        message: `Circuit '${policy}' is open; the next trial is in 60000 ms: boom`,
      });
      expect(span?.attributes).toMatchObject({
        'temper.breaker.state': 'open',
        'temper.outcome': 'rejected',
        'error.type': 'CIRCUIT_OPEN',
      });
    }
    expect(told?.attributes['temper.operation']).toBe('charge');
  });

  it('leave the status unset for ignored and slow calls', async () => {
    const breaker = make({
      window: { calls: 10 },
      slowCallDurationMs: 10,
      spans: 'all',
      shouldHandle: () => false,
    });
    await failTimes(breaker, 1);
    await breaker.execute(() => clock.jump(11));
    expect(
      telemetry.spans.map((span) => [span.attributes['temper.outcome'], span.status.code]),
    ).toEqual([
      ['ignored', SpanStatusCode.UNSET],
      ['slow', SpanStatusCode.UNSET],
    ]);
    expect(telemetry.spans[0]?.attributes).not.toHaveProperty('error.type');
  });

  it('are created for failures only, dated back, in mode `failures`', async () => {
    const breaker = make({ spans: 'failures', failureThreshold: 1 });
    const began = clock.now();
    await breaker.execute(ok);
    await breaker
      .execute(() => {
        clock.jump(250);
        return fail();
      })
      .catch(() => undefined);
    await breaker.tryExecute(ok);
    expect(telemetry.spans.map((span) => span.attributes['temper.outcome'])).toEqual([
      'failure',
      'rejected',
    ]);
    const { startTime, endTime } = telemetry.spans[0] ?? {};
    expect([startTime, endTime].map((t) => (t?.[0] ?? 0) * 1000 + (t?.[1] ?? 0) / 1e6)).toEqual([
      began,
      began + 250,
    ]);
  });

  it('are not created in mode `none`', async () => {
    const breaker = make({ spans: 'none', failureThreshold: 1 });
    await failTimes(breaker, 1);
    await breaker.tryExecute(ok);
    expect(telemetry.spans).toEqual([]);
  });

  it('have only attributes that semconv defines', async () => {
    await failTimes(make({ failureThreshold: 1 }), 2);
    const names = BREAKER_SPANS[0]?.attributes.map(({ name }) => name);
    for (const { attributes } of telemetry.spans) {
      for (const name of Object.keys(attributes)) expect(names).toContain(name);
    }
  });
});

describe('the log records of a breaker', () => {
  it('are one per change of state, and a warning when the circuit opens', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.jump(60_000);
    expect(breaker.state).toBe('half-open');
    expect(telemetry.logs).toHaveLength(2);
    const [opened, half] = telemetry.logs;
    expect(opened).toMatchObject({
      eventName: 'temper.breaker.transition',
      severityNumber: SeverityNumber.WARN,
      body: `Circuit '${policy}' changed from closed to open because too many calls failed in a row; the next trial is in 60000 ms`,
      attributes: {
        'temper.policy.name': policy,
        'temper.breaker.from': 'closed',
        'temper.breaker.to': 'open',
        'temper.breaker.reason': 'failures',
        'error.type': 'ECONNREFUSED',
      },
    });
    expect(half).toMatchObject({
      severityNumber: SeverityNumber.INFO,
      body: `Circuit '${policy}' changed from open to half-open because the open time is over`,
    });
  });

  it('are a warning when the circuit is isolated', () => {
    make().isolate()[Symbol.dispose]();
    expect(telemetry.logs.map(({ severityText }) => severityText)).toEqual(['WARN', 'INFO']);
  });

  it('belong to the trace of the call that opened the circuit', async () => {
    const breaker = make({ failureThreshold: 1 });
    await trace.getTracer('test').startActiveSpan('caller', async (caller) => {
      await failTimes(breaker, 1);
      caller.end();
    });
    expect(telemetry.logs[0]?.spanContext?.traceId).toBe(telemetry.spans[0]?.spanContext().traceId);
  });
});

describe('broken telemetry', () => {
  it('neither changes a call nor leaves a trial behind', async () => {
    const breaker = make({ failureThreshold: 1, successThreshold: 1 });
    await failTimes(breaker, 1);
    clock.jump(60_000);
    trace.disable();
    trace.setGlobalTracerProvider({
      getTracer: () => ({
        startSpan: () => {
          throw new Error('broken sampler');
        },
        startActiveSpan: () => {
          throw new Error('broken sampler');
        },
      }),
    });
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
  });
});
