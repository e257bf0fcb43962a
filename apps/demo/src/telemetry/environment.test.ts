import { describe, expect, it } from 'vitest';
import { PROMETHEUS_PORT, telemetryPlan } from './environment.ts';

describe('what the environment asks of telemetry', () => {
  it('is metrics for Prometheus on this machine, and no traces, when nothing is stated', () => {
    expect(telemetryPlan({})).toEqual({
      disabled: false,
      traceExporters: [],
      metrics: 'ours',
      prometheus: { host: '127.0.0.1', port: PROMETHEUS_PORT },
      logs: false,
      complaints: [],
    });
  });

  it('is traces by OTLP as soon as somebody says whereto', () => {
    for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
      expect(telemetryPlan({ [name]: 'http://127.0.0.1:4318' }).traceExporters).toEqual(['otlp']);
    }
  });

  it.each([
    ['none', []],
    ['console', ['console']],
    ['otlp,console', ['otlp', 'console']],
    ['otlp,none', []],
  ])('OTEL_TRACES_EXPORTER=%s gives %j', (OTEL_TRACES_EXPORTER, exporters) => {
    const plan = telemetryPlan({ OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' });
    expect(plan.traceExporters).toEqual(exporters);
  });

  it('leaves metrics to the SDK where an exporter of its own is named', () => {
    expect(telemetryPlan({ OTEL_METRICS_EXPORTER: 'otlp' }).metrics).toBe('environment');
    expect(telemetryPlan({ OTEL_METRICS_EXPORTER: 'prometheus' }).metrics).toBe('ours');
    expect(telemetryPlan({ OTEL_METRICS_EXPORTER: 'none' }).metrics).toBe('none');
  });

  it('is nothing at all when the SDK is disabled', () => {
    expect(telemetryPlan({ OTEL_SDK_DISABLED: ' TRUE ' }).disabled).toBe(true);
    expect(telemetryPlan({ OTEL_SDK_DISABLED: '1' }).disabled).toBe(false);
  });

  it('takes host and port for the metrics, and says what it did not understand', () => {
    const good = telemetryPlan({
      OTEL_EXPORTER_PROMETHEUS_HOST: '0.0.0.0',
      OTEL_EXPORTER_PROMETHEUS_PORT: '9999',
    });
    expect(good.prometheus).toEqual({ host: '0.0.0.0', port: 9999 });
    const bad = telemetryPlan({
      OTEL_EXPORTER_PROMETHEUS_PORT: '99999',
      OTEL_TRACES_EXPORTER: 'carrier-pigeon',
    });
    expect(bad.prometheus.port).toBe(PROMETHEUS_PORT);
    expect(bad.complaints).toHaveLength(2);
    expect(bad.complaints.join()).toMatch(/carrier-pigeon.*99999/);
  });
});
