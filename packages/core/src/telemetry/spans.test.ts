import { SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemoryTelemetry } from '@temper/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MetricDefinition } from './definitions.ts';
import { instrumentationScope } from './hub.ts';
import { ErrorTypeCells, failSpan, runInSpan } from './spans.ts';

const FAILURES: MetricDefinition = {
  name: 'test.failures',
  instrument: 'counter',
  unit: '{failure}',
  description: 'Failures of this test.',
  attributes: [],
};
const scope = instrumentationScope({ name: '@test/spans', version: '1.0.0', metrics: [FAILURES] });

let telemetry: InMemoryTelemetry;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

describe('spans', () => {
  it('go to the provider that is registered now, though the package was loaded before it', async () => {
    scope.tracer.startSpan('first').end();
    expect(telemetry.spans.map((span) => span.name)).toEqual(['first']);
    expect(telemetry.spans[0]?.instrumentationScope).toMatchObject({
      name: '@test/spans',
      version: '1.0.0',
    });
    await telemetry.close();
    scope.tracer.startSpan('to nobody').end();
    telemetry = new InMemoryTelemetry();
    scope.tracer.startSpan('second').end();
    expect(telemetry.spans.map((span) => span.name)).toEqual(['second']);
  });

  it('are the parents of what is started in them, also after an await', async () => {
    const outer = scope.tracer.startSpan('outer');
    await runInSpan(outer, async () => {
      await Promise.resolve();
      scope.tracer.startSpan('inner').end();
    });
    expect(trace.getActiveSpan()).toBeUndefined();
    outer.end();
    const [inner] = telemetry.spans;
    expect(inner?.parentSpanContext?.spanId).toBe(outer.spanContext().spanId);
  });

  it('fail with a status and error.type, and without the deprecated exception event', () => {
    const span = scope.tracer.startSpan('failed');
    failSpan(span, Object.assign(new Error('no route'), { code: 'ECONNREFUSED' }));
    span.end();
    expect(telemetry.spans[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'no route' },
      attributes: { 'error.type': 'ECONNREFUSED' },
      events: [],
    });
  });

  it('fail with whatever was thrown', () => {
    for (const thrown of [undefined, Object.create(null), { ok: false }, 'words']) {
      const span = scope.tracer.startSpan('failed');
      failSpan(span, thrown);
      span.end();
    }
    expect(telemetry.spans.map((span) => span.status.message)).toEqual([
      'undefined',
      'an object',
      'an object',
      'words',
    ]);
  });
});

describe('failures by error.type', () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code });

  it('are counted in a dozen series at most, however many types there are', async () => {
    const base = { test: 'dozen' };
    const cells = new ErrorTypeCells(scope, FAILURES, base);
    for (let i = 0; i < 100; i++) cells.of(coded(`E_${i}`)).value++;
    cells.of(coded('E_3')).value++;
    const points = await telemetry.points('test.failures', base);
    expect(points).toHaveLength(12);
    expect(points.find((p) => p.attributes['error.type'] === 'E_3')?.value).toBe(2);
    expect(points.find((p) => p.attributes['error.type'] === '_OTHER')?.value).toBe(89);
    const total = points.reduce((sum, point) => sum + (point.value as number), 0);
    expect(total).toBe(101);
  });

  it('share that bound among policies of one name, made again and again', async () => {
    const base = { test: 'shared' };
    for (let i = 0; i < 100; i++) {
      new ErrorTypeCells(scope, FAILURES, { ...base }).of(coded(`E_${i}`)).value++;
    }
    expect(await telemetry.points('test.failures', base)).toHaveLength(12);
    const other = new ErrorTypeCells(scope, FAILURES, { test: 'other' });
    other.of(coded('E_99')).value++;
    expect(await telemetry.value('test.failures', { test: 'other', 'error.type': 'E_99' })).toBe(1);
  });
});

describe('errors that are handled', () => {
  it('are counted by category and severity, under the name of their log', async () => {
    const { errorLog } = await import('../error-log.ts');
    const log = errorLog({ name: 'registry' });
    log.handle(coded('ECONNREFUSED'));
    log.handle(coded('ECONNREFUSED'));
    log.handle(new SyntaxError('x'));
    expect(await telemetry.points('temper.errors', { 'temper.policy.name': 'registry' })).toEqual([
      {
        attributes: {
          'temper.policy.name': 'registry',
          'temper.error.category': 'network',
          'temper.error.severity': 'high',
        },
        value: 2,
      },
      {
        attributes: {
          'temper.policy.name': 'registry',
          'temper.error.category': 'validation',
          'temper.error.severity': 'medium',
        },
        value: 1,
      },
    ]);
  });

  function coded(code: string): Error {
    return Object.assign(new Error(code), { code });
  }
});
