import { context, logs, metrics, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { expectLog, expectMetric, expectNoSpan, expectSpan } from './expectations.ts';
import { type InMemoryTelemetry, inMemoryTelemetry } from './in-memory-telemetry.ts';

let telemetry: InMemoryTelemetry;
const start = async (): Promise<void> => {
  telemetry = await inMemoryTelemetry();
};
afterEach(() => telemetry.close());

describe('telemetry in memory', () => {
  it('finds spans by name, status, attributes and parent', async () => {
    await start();
    trace.getTracer('test').startActiveSpan('outer', (outer) => {
      trace
        .getTracer('test')
        .startSpan('inner', { attributes: { a: 1, b: [2] } })
        .end();
      outer.setStatus({ code: 2, message: 'down' }).end();
    });
    const outer = expectSpan(telemetry.spans, { name: 'outer', status: 'error', parent: null });
    expect(outer.statusMessage).toBe('down');
    expectSpan(telemetry.spans, { name: /^in/, attributes: { b: [2] }, parent: outer });
    expectNoSpan(telemetry.spans, { name: 'inner', attributes: { a: 2 } });
    expect(() => expectNoSpan(telemetry.spans, { name: 'inner' })).toThrow(
      'inner (unset) {"a":1,"b":[2]}',
    );
    expect(() => expectSpan(telemetry.spans, { name: 'inner', parent: null })).toThrow(
      'Expected a span like {"name":"inner","parent":null}, found:\n  inner (unset) {"a":1,"b":[2]}\n  outer (error) {}',
    );
    telemetry.reset();
    expect(() => expectSpan(telemetry.spans, {})).toThrow('found: none');
  });

  it('finds the one series of a metric', async () => {
    await start();
    const meter = metrics.getMeter('test');
    const calls = meter.createCounter('calls');
    calls.add(2, { outcome: 'success' });
    calls.add(1, { outcome: 'failure' });
    meter.createHistogram('duration').record(5);
    await expectMetric(telemetry.metrics, 'calls', {
      attributes: { outcome: 'success' },
      value: 2,
    });
    await expectMetric(telemetry.metrics, 'calls', {
      attributes: { outcome: 'timeout' },
      value: 0,
    });
    await expectMetric(telemetry.metrics, 'calls', { value: (value) => value === 1 });
    await expectMetric(telemetry.metrics, 'duration', { value: { count: 1 } });
    await expect(expectMetric(telemetry.metrics, 'calls')).rejects.toThrow('a one series of calls');
    await expect(expectMetric(telemetry.metrics, 'calls', { value: 9 })).rejects.toThrow(
      '{"outcome":"success"} 2',
    );
    await expect(expectMetric(telemetry.metrics, 'none')).rejects.toThrow('found: none');
  });

  it('fails with the error of an instrument', async () => {
    await start();
    const gauge = metrics.getMeter('test').createObservableGauge('level');
    gauge.addCallback(() => {
      throw new Error('broken');
    });
    await expect(expectMetric(telemetry.metrics, 'level')).rejects.toThrow('broken');
  });

  it('finds log records', async () => {
    await start();
    logs.getLogger('test').emit({ body: 'hello', eventName: 'greeting', attributes: { a: 1 } });
    const log = expectLog(telemetry.logs, { eventName: 'greeting', attributes: { a: 1 } });
    expect(log.body).toBe('hello');
    expect(() => expectLog(telemetry.logs, { body: 'bye' })).toThrow('hello');
  });

  it('leaves nothing registered when it is closed', async () => {
    await start();
    await telemetry.close();
    expect(trace.getTracer('test').startSpan('to nobody').isRecording()).toBe(false);
    context.with(context.active().setValue(Symbol('x'), 1), () => {});
    expect(() => expectSpan(telemetry.spans, {})).toThrow('found: none');
  });

  it('records the signals that are asked for alone', async () => {
    telemetry = await inMemoryTelemetry({ signals: ['metrics'] });
    trace.getTracer('test').startSpan('unheard').end();
    expect(() => expectSpan(telemetry.spans, {})).toThrow('found: none');
  });
});
