import { describe, expect, it } from 'vitest';
import { exportedSignals, SERVICE_NAME } from '../src/exported-signals.ts';
import { startRegistry } from '../src/launcher.ts';
import { type Collector, collectorForTest, type ReceivedSpan } from './collector.ts';
import {
  ask,
  bearer,
  json,
  publish,
  registryForTest,
  setFaults,
  temporaryDir,
  until,
} from './fixture.ts';

const SERVER = 2;
const ERROR = 2;
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT_ID = 'b7ad6b7169203331';
const traceparent = `00-${TRACE_ID}-${PARENT_ID}-01`;

const exportTo = (collector: Collector) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_BSP_SCHEDULE_DELAY: '50',
});
async function spanNamed(collector: Collector, name: string): Promise<ReceivedSpan> {
  await until(() => collector.spans.some((span) => span.name === name));
  return collector.spans.find((span) => span.name === name)!;
}

describe('a request', () => {
  it('a request has a server span in the trace of its caller, named by its route', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({ env: exportTo(collector) });
    await ask(registry.url, '/packages/std.math/resolve?range=^1.0.0', {
      headers: { traceparent },
    });
    const span = await spanNamed(collector, 'GET /packages/:name/resolve');
    expect(span).toMatchObject({
      service: SERVICE_NAME,
      kind: SERVER,
      traceId: TRACE_ID,
      parentSpanId: PARENT_ID,
      status: 0,
    });
    expect(span.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.route': '/packages/:name/resolve',
      'http.response.status_code': 200,
      'url.path': '/packages/std.math/resolve',
    });
  });

  it('a request without a trace context starts a trace, and a problem has its id', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({ env: exportTo(collector) });
    const answer = await ask(registry.url, '/packages/no-such');
    const span = await spanNamed(collector, 'GET /packages/:name');
    expect(span.parentSpanId).toBe('');
    expect(json(answer).traceId).toBe(span.traceId);
    // A client error is not an error of the server span.
    expect(span.status).toBe(0);
  });

  it('the span records the injected fault and is an error if the response is incomplete', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({ faults: true, env: exportTo(collector) });
    const met = async (
      path: string,
      name: string,
      ...faults: Parameters<typeof setFaults>[1]['faults']
    ) => {
      await setFaults(registry, { faults });
      await ask(registry.url, path, { timeoutMs: 200 }).catch(() => undefined);
      return spanNamed(collector, name);
    };
    const failed = await met(
      '/packages/std.math',
      'GET /packages/:name',
      { kind: 'latency', latencyMs: 50 },
      { kind: 'error', status: 503 },
    );
    expect(failed.status).toBe(ERROR);
    expect(failed.attributes).toMatchObject({
      'parsercraft.registry.fault': 'error',
      'parsercraft.registry.fault.delay': 0.05,
      'http.response.status_code': 503,
      'error.type': '503',
    });
    const hung = await met('/packages', 'GET /packages', { kind: 'hang' });
    expect(hung.status).toBe(ERROR);
    expect(hung.attributes['parsercraft.registry.fault']).toBe('hang');
    const cut = await met('/health', 'GET /health', { kind: 'cut' });
    expect(cut.status).toBe(ERROR);
    const late = await met('/packages/std.math/1.0.0', 'GET /packages/:name/:version', {
      kind: 'latency',
      latencyMs: 20,
    });
    expect(late.status).toBe(0);
    expect(late.attributes['parsercraft.registry.fault']).toBeUndefined();
  });

  it('spans are exported when a short-lived process ends', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({
      env: { ...exportTo(collector), OTEL_BSP_SCHEDULE_DELAY: '60000' },
    });
    await publish(registry, { name: 'late' });
    expect(collector.spans).toEqual([]);
    await registry.stop();
    expect(collector.spans.map((span) => span.name)).toEqual(['POST /packages/publish']);
  });

  it('no span contains the token', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({ env: exportTo(collector) });
    await publish(registry, { name: 'secretive' });
    await ask(registry.url, '/health', { headers: bearer(registry.token) });
    await spanNamed(collector, 'GET /health');
    expect(JSON.stringify(collector.spans)).not.toContain(registry.token);
  });
});

describe('the environment', () => {
  it('exports nothing without an endpoint', async () => {
    const logs: string[] = [];
    const registry = await registryForTest({ onLog: (line) => logs.push(line) });
    await ask(registry.url, '/health');
    const start = performance.now();
    await registry.stop();
    expect(performance.now() - start).toBeLessThan(1_900);
    expect(logs.filter((line) => !line.includes('a token was stored'))).toEqual([]);
  });

  it('sends only traces to the general endpoint', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({
      env: { ...exportTo(collector), OTEL_METRIC_EXPORT_INTERVAL: '100' },
    });
    await ask(registry.url, '/health');
    await registry.stop();
    expect([...collector.paths]).toEqual(['/v1/traces']);
  });

  it('sends metrics when a metrics exporter is configured', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({
      env: { ...exportTo(collector), OTEL_METRICS_EXPORTER: 'otlp' },
    });
    await ask(registry.url, '/health');
    await registry.stop();
    expect([...collector.paths].sort()).toEqual(['/v1/metrics', '/v1/traces']);
  });

  it.each([
    ['OTEL_SDK_DISABLED', 'true'],
    ['OTEL_TRACES_EXPORTER', 'none'],
    ['OTEL_TRACES_SAMPLER', 'always_off'],
  ])('the registry works with traces disabled by %s=%s', async (name, value) => {
    const collector = await collectorForTest();
    const registry = await registryForTest({ env: { ...exportTo(collector), [name]: value } });
    const answer = await ask(registry.url, '/packages/no-such', { headers: { traceparent } });
    expect(json(answer).traceId).toBe(TRACE_ID);
    await registry.stop();
    expect(collector.spans).toEqual([]);
  });

  it('OTEL_SERVICE_NAME sets the service name', async () => {
    const collector = await collectorForTest();
    const registry = await registryForTest({
      env: { ...exportTo(collector), OTEL_SERVICE_NAME: 'another-name' },
    });
    await ask(registry.url, '/health');
    expect((await spanNamed(collector, 'GET /health')).service).toBe('another-name');
  });

  it('startRegistry does not pass on the service name and Prometheus port of the parent', async () => {
    const collector = await collectorForTest();
    const inherited = {
      ...exportTo(collector),
      OTEL_SERVICE_NAME: 'the-parent',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=the-parent,deployment.environment.name=test',
      OTEL_METRICS_EXPORTER: 'prometheus',
      OTEL_EXPORTER_PROMETHEUS_PORT: '1',
    };
    const before = { ...process.env };
    Object.assign(process.env, inherited);
    const logs: string[] = [];
    try {
      await using registry = await startRegistry({
        dataDir: temporaryDir(),
        onLog: (line) => logs.push(line),
      });
      await ask(registry.url, '/health');
      expect((await spanNamed(collector, 'GET /health')).service).toBe(SERVICE_NAME);
    } finally {
      for (const name of Object.keys(inherited)) delete process.env[name];
      Object.assign(process.env, before);
    }
    expect(logs.join('\n')).not.toContain('EACCES');
  });

  it('an unreachable collector does not delay the exit', async () => {
    const registry = await registryForTest({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
    });
    await ask(registry.url, '/health');
    const start = performance.now();
    expect(await registry.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(4_000);
  });

  it.each([
    [{}, { traces: false, metrics: false, logs: false }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, { traces: false, metrics: false, logs: false }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'x' }, { traces: true, metrics: false, logs: false }],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'x' }, { traces: true, metrics: false, logs: false }],
    [{ OTEL_TRACES_EXPORTER: 'console' }, { traces: true, metrics: false, logs: false }],
    [{ OTEL_METRICS_EXPORTER: 'prometheus' }, { traces: false, metrics: true, logs: false }],
    [{ OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'x' }, { traces: false, metrics: false, logs: true }],
  ])('the environment %j exports %j', (env, signals) => {
    expect(exportedSignals(env)).toEqual(signals);
  });
});
