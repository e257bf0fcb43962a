import { logs, metrics, trace } from '@opentelemetry/api';
import { TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { InMemoryTelemetry } from './in-memory-telemetry.ts';

describe('telemetry in memory', () => {
  it('collects metrics, spans and logs, and is gone when it is closed', async () => {
    const telemetry = new InMemoryTelemetry();
    metrics.getMeter('test').createCounter('calls').add(2, { a: 1 });
    trace.getTracer('test').startActiveSpan('outer', (outer) => {
      trace.getTracer('test').startSpan('inner').end();
      outer.end();
    });
    logs.getLogger('test').emit({ body: 'hello' });
    expect(await telemetry.points('calls')).toEqual([{ attributes: { a: 1 }, value: 2 }]);
    expect(await telemetry.value('calls', { a: 1 })).toBe(2);
    expect(await telemetry.value('calls', { a: 2 })).toBeUndefined();
    const [inner, outer] = telemetry.spans;
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(telemetry.logs.map((record) => record.body)).toEqual(['hello']);
    telemetry.reset();
    expect([telemetry.spans, telemetry.logs]).toEqual([[], []]);
    expect(await telemetry.value('calls')).toBe(2);

    await telemetry.close();
    const span = trace.getTracer('test').startSpan('to nobody');
    expect(span.isRecording()).toBe(false);
  });

  it('shows a series twice that two scopes export, and refuses to pick one', async () => {
    const telemetry = new InMemoryTelemetry();
    for (const name of ['one', 'two']) metrics.getMeter(name).createCounter('calls').add(1);
    expect(await telemetry.points('calls')).toHaveLength(2);
    await expect(telemetry.value('calls')).rejects.toThrow('2 series of calls match.');
    await telemetry.close();
  });

  it('fails the test in which a callback of an instrument throws', async () => {
    const telemetry = new InMemoryTelemetry();
    metrics
      .getMeter('test')
      .createObservableGauge('level')
      .addCallback(() => {
        throw new Error('broken');
      });
    await expect(telemetry.collect()).rejects.toThrow('broken');
    await telemetry.close();
  });

  it('registers only what it is told to, and samples as it is told to', async () => {
    const telemetry = new InMemoryTelemetry({
      metrics: false,
      logs: false,
      sampler: new TraceIdRatioBasedSampler(0),
    });
    metrics.getMeter('test').createCounter('calls').add(1);
    logs.getLogger('test').emit({ body: 'hello' });
    trace.getTracer('test').startSpan('unsampled').end();
    expect(await telemetry.points('calls')).toEqual([]);
    expect(telemetry.logs).toEqual([]);
    expect(telemetry.spans).toEqual([]);
    await telemetry.close();
  });
});
