import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort, until } from './demo-process.ts';
import { seriesOf } from './metrics-text.ts';
import { hangingReceiver, otlpReceiver } from './otlp-receiver.ts';
import { json, type RunningService, runService } from './running-service.ts';

const HELLO = { source: 'use std.math\nprint(math.gcd(12, 18))\n' };

async function works({ post }: RunningService): Promise<number> {
  const answer = await post('/v1/run', HELLO);
  expect(json(answer)).toMatchObject({ output: '6\n' });
  return answer.durationMs;
}

const metricsOf = async (port: number): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

describe('the demo’s telemetry', () => {
  it('exports one trace from the HTTP request through the pipeline to the registry process', async () => {
    const receiver = await otlpReceiver();
    const service = await runService(['--no-load'], receiver.env);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await service.post('/v1/run', HELLO, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    const spans = () => receiver.spans.filter((span) => span.traceId === traceId);
    const names = (name: string) =>
      spans()
        .filter((span) => span.service === name)
        .map((span) => span.name);
    await until(
      () =>
        names('parsercraft-registry').length > 0 && names('parsercraft').includes('POST /v1/run'),
      10_000,
      'the trace',
    );
    expect(names('parsercraft')).toEqual(
      expect.arrayContaining([
        'POST /v1/run',
        'retry fetch_package',
        'breaker registry_fetch',
        'GET',
      ]),
    );
    const server = spans().find(({ name }) => name === 'POST /v1/run');
    expect(server?.parentSpanId).toBe('b7ad6b7169203331');
    expect(server?.attributes['http.route']).toBe('/v1/run');
    expect(names('parsercraft-registry')).toContain('GET /packages/:name/versions');
    // The API serves the trace without a tracing backend.
    const own = json<{ spans: { name: string }[] }>(
      await service.call({ path: `/v1/traces/${traceId}` }),
    );
    expect(own.spans.map(({ name }) => name)).toContain('retry fetch_package');
  });

  it('serves the metrics of every package for Prometheus', async () => {
    const port = await freePort();
    const service = await runService([], { OTEL_EXPORTER_PROMETHEUS_PORT: String(port) });
    await works(service);
    for (const metric of [
      'temper_retry_attempts_total',
      'temper_breaker_state',
      'temper_ratelimit_available',
      'temper_audit_events_total',
      'temper_health_status',
      'temper_retry_operation_duration_bucket',
      'temper_breaker_call_duration_count',
    ]) {
      await until(async () => seriesOf(await metricsOf(port), metric).size > 0, 15_000, metric);
    }
    const text = await metricsOf(port);
    expect(text).toContain('service_name="parsercraft"');
  });

  it('uses the service name and resource attributes from the environment', async () => {
    const port = await freePort();
    await runService(['--no-load'], {
      OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
      OTEL_SERVICE_NAME: 'another-name',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    const text = await metricsOf(port);
    expect(text).toContain('service_name="another-name"');
    expect(text).toContain('deployment_environment_name="test"');
  });

  it.each([
    ['OTEL_SDK_DISABLED', 'true'],
    ['OTEL_TRACES_EXPORTER', 'none'],
    ['OTEL_TRACES_SAMPLER', 'always_off'],
  ])('exports no traces with %s=%s, and the service works', async (name, value) => {
    const receiver = await otlpReceiver();
    const service = await runService(['--no-load'], { ...receiver.env, [name]: value });
    await works(service);
    const problem = await service.call({ path: '/v1/nowhere' });
    expect(json(problem).traceId).toMatch(/^[0-9a-f]{32}$/);
    service.demo.child.kill('SIGTERM');
    expect(await service.demo.exited).toEqual({ code: 0, signal: null });
    expect(receiver.spans.filter((span) => span.service === 'parsercraft')).toEqual([]);
  });

  it.each([
    ['OTEL_SDK_DISABLED', 'true'],
    ['OTEL_METRICS_EXPORTER', 'none'],
  ])('serves no metrics with %s=%s', async (name, value) => {
    const port = await freePort();
    const service = await runService(['--no-load'], {
      OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
      [name]: value,
    });
    await works(service);
    await expect(metricsOf(port)).rejects.toThrow();
    expect(service.demo.stderr()).not.toContain('metrics:');
  });

  it('logs once that the metrics port is in use, and the service works', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const service = await runService(['--no-load'], {
      OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
    });
    await works(service);
    const warnings = service.demo.stderr().match(/is in use; no metrics are served/g);
    expect(warnings).toHaveLength(1);
  });

  it('is not slowed by an unavailable collector, logs it once, and shuts down in time', async () => {
    const service = await runService(['--no-load'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_BSP_EXPORT_TIMEOUT: '500',
    });
    for (let call = 0; call < 20; call++) expect(await works(service)).toBeLessThan(3_000);
    await until(() => service.demo.stderr().includes('(logged once)'), 15_000, 'the warning');
    for (let call = 0; call < 20; call++) await works(service);
    expect(service.demo.stderr().match(/\(logged once\)/g)).toHaveLength(1);
    const startedAt = performance.now();
    service.demo.child.kill('SIGTERM');
    expect(await service.demo.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });

  it('is not slowed by a collector that hangs, and shuts down in time', async () => {
    const service = await runService(['--no-load'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: await hangingReceiver(),
      OTEL_BSP_SCHEDULE_DELAY: '100',
    });
    for (let call = 0; call < 30; call++) expect(await works(service)).toBeLessThan(3_000);
    const startedAt = performance.now();
    service.demo.child.kill('SIGTERM');
    expect(await service.demo.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });
});
