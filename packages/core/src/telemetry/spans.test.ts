import { diag, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MetricDefinition } from './definitions.ts';
import { ErrorTypeCells } from './error-types.ts';
import { Instrumentation } from './instrumentation.ts';
import { GuardedSpan } from './spans.ts';

const FAILURES: MetricDefinition = {
  name: 'test.failures',
  instrument: 'counter',
  unit: '{failure}',
  description: 'Failures of this test.',
  attributes: [],
};
const { scope } = new Instrumentation({
  name: '@test/spans',
  version: '1.0.0',
  metrics: [FAILURES],
});
const start = (name: string): GuardedSpan => new GuardedSpan(scope, name, {});

let telemetry: InMemoryTelemetry;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

describe('GuardedSpan', () => {
  it('uses the provider that is registered now, also when the package was loaded before it', async () => {
    start('first').end();
    expect(telemetry.spans.map((span) => span.name)).toEqual(['first']);
    expect(telemetry.spans[0]?.instrumentationScope).toMatchObject({
      name: '@test/spans',
      version: '1.0.0',
    });
    await telemetry.close();
    start('without a provider').end();
    telemetry = new InMemoryTelemetry();
    start('second').end();
    expect(telemetry.spans.map((span) => span.name)).toEqual(['second']);
  });

  it('is the parent of spans that its work starts, also after an await', async () => {
    const outer = start('outer');
    await outer.run(async () => {
      await Promise.resolve();
      start('inner').end();
    });
    outer.child('child', {}).end();
    expect(trace.getActiveSpan()).toBeUndefined();
    outer.end();
    const parents = telemetry.spans.map((span) => span.parentSpanContext?.spanId);
    const own = telemetry.spans[2]?.spanContext().spanId;
    expect(parents).toEqual([own, own, undefined]);
  });

  it('fails with a status and error.type, without the deprecated exception event', () => {
    const span = start('failed');
    span.fail({ ok: false, error: Object.assign(new Error('no route'), { code: 'ECONNREFUSED' }) });
    span.end();
    expect(telemetry.spans[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'no route' },
      attributes: { 'error.type': 'ECONNREFUSED' },
      events: [],
    });
  });

  it('fails with any thrown value', () => {
    for (const error of [undefined, Object.create(null), { ok: false }, 'words']) {
      const span = start('failed');
      span.fail({ ok: false, error });
      span.end();
    }
    expect(telemetry.spans.map((span) => span.status.message)).toEqual([
      'undefined',
      'an object',
      'an object',
      'words',
    ]);
  });

  it('fails with a value that counts as a failure, named by its status', () => {
    for (const value of ['pending', { status: 503 }]) {
      const span = start('failed');
      span.fail({ ok: true, value });
      span.end();
    }
    expect(telemetry.spans.map((span) => span.attributes['error.type'])).toEqual(['_OTHER', '503']);
    expect(telemetry.spans[0]?.status).toEqual({
      code: SpanStatusCode.ERROR,
      message: 'The result counts as a failure.',
    });
  });

  it('starts and ends at the times it is given', () => {
    const span = new GuardedSpan(scope, 'past', {}, undefined, 1_700_000_000_000);
    span.end(1_700_000_001_500);
    expect(telemetry.spans[0]?.startTime).toEqual([1_700_000_000, 0]);
    expect(telemetry.spans[0]?.endTime).toEqual([1_700_000_001, 500_000_000]);
  });

  it.each([
    ['startSpan', {}],
    ['setAttributes', { setAttributes: thrower }],
    ['setAttribute', { setAttribute: thrower }],
    ['end', { end: thrower }],
    ['isRecording', { isRecording: thrower }],
  ])('logs what %s of a tracer throws and runs the work', async (method, methods) => {
    await telemetry.close();
    const errors: unknown[] = [];
    const quiet = (): void => {};
    diag.setLogger(
      {
        error: (...args) => errors.push(args[1]),
        warn: quiet,
        info: quiet,
        debug: quiet,
        verbose: quiet,
      },
      { suppressOverrideMessage: true },
    );
    const inert = trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 });
    const broken = Object.assign(Object.create(inert), methods);
    trace.setGlobalTracerProvider({
      getTracer: () => ({
        startSpan: method === 'startSpan' ? thrower : () => broken,
        startActiveSpan: thrower,
      }),
    });
    const span = start('broken');
    expect(span.recording).toBe(false);
    expect(span.run(() => 'done')).toBe('done');
    span.set({ a: 1 });
    span.fail({ ok: false, error: new Error('x') });
    span.end();
    expect(errors).toEqual([expect.objectContaining({ message: 'broken tracer' })]);
    telemetry = new InMemoryTelemetry();
  });

  function thrower(): never {
    throw new Error('broken tracer');
  }
});

describe('ErrorTypeCells', () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code });

  it('open at most twelve series, _OTHER included', async () => {
    const base = { test: 'dozen' };
    const cells = new ErrorTypeCells(scope, FAILURES, base, base);
    for (let i = 0; i < 100; i++) cells.of(coded(`E_${i}`)).value++;
    cells.of(coded('E_3')).value++;
    const points = await telemetry.points('test.failures', base);
    expect(points).toHaveLength(12);
    expect(points.find((p) => p.attributes['error.type'] === 'E_3')?.value).toBe(2);
    expect(points.find((p) => p.attributes['error.type'] === '_OTHER')?.value).toBe(89);
    const total = points.reduce((sum, point) => sum + (point.value as number), 0);
    expect(total).toBe(101);
  });

  it('share that bound among policies of one name', async () => {
    const base = { test: 'shared' };
    for (let i = 0; i < 100; i++) {
      new ErrorTypeCells(scope, FAILURES, { ...base }, { ...base }).of(coded(`E_${i}`)).value++;
    }
    expect(await telemetry.points('test.failures', base)).toHaveLength(12);
    const other = new ErrorTypeCells(scope, FAILURES, { test: 'other' }, { test: 'other' });
    other.of(coded('E_99')).value++;
    expect(await telemetry.value('test.failures', { test: 'other', 'error.type': 'E_99' })).toBe(1);
  });
});

describe('temper.errors', () => {
  it('counts errors by category and severity under the name of their log', async () => {
    const { errorLog } = await import('../error-log.ts');
    const log = errorLog({ name: 'registry' });
    log.handle(coded('ECONNREFUSED'));
    log.handle(coded('ECONNREFUSED'));
    log.handle(new URIError('x'));
    const points = await telemetry.points('temper.errors', { 'temper.policy.name': 'registry' });
    expect(points).toHaveLength(24);
    expect(points.filter(({ value }) => value !== 0)).toEqual([
      {
        attributes: {
          'temper.policy.name': 'registry',
          'temper.error.category': 'validation',
          'temper.error.severity': 'medium',
        },
        value: 1,
      },
      {
        attributes: {
          'temper.policy.name': 'registry',
          'temper.error.category': 'network',
          'temper.error.severity': 'high',
        },
        value: 2,
      },
    ]);
  });

  function coded(code: string): Error {
    return Object.assign(new Error(code), { code });
  }
});
