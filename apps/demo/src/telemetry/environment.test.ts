import { describe, expect, it } from 'vitest';
import { PROMETHEUS_PORT, telemetryPlan } from './environment.ts';

describe('telemetryPlan', () => {
  it('serves Prometheus metrics on the loopback address and exports no traces by default', () => {
    expect(telemetryPlan({})).toEqual({
      disabled: false,
      traceExporters: [],
      metrics: 'ours',
      prometheus: { host: '127.0.0.1', port: PROMETHEUS_PORT },
      logs: false,
      warnings: [],
    });
  });

  it('exports traces by OTLP when an OTLP endpoint is set', () => {
    for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
      expect(telemetryPlan({ [name]: 'http://127.0.0.1:4318' }).traceExporters).toEqual(['otlp']);
    }
  });

  it.each([
    ['none', []],
    ['console', ['console']],
    ['otlp,console', ['otlp', 'console']],
    ['otlp,none', []],
  ])(
    'selects trace exporters for OTEL_TRACES_EXPORTER=%s: %j',
    (OTEL_TRACES_EXPORTER, exporters) => {
      const plan = telemetryPlan({ OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' });
      expect(plan.traceExporters).toEqual(exporters);
    },
  );

  it('leaves metrics to the SDK when OTEL_METRICS_EXPORTER names another exporter', () => {
    expect(telemetryPlan({ OTEL_METRICS_EXPORTER: 'otlp' }).metrics).toBe('environment');
    expect(telemetryPlan({ OTEL_METRICS_EXPORTER: 'prometheus' }).metrics).toBe('ours');
    expect(telemetryPlan({ OTEL_METRICS_EXPORTER: 'none' }).metrics).toBe('none');
  });

  it('is disabled only by OTEL_SDK_DISABLED=true, in any case and with spaces', () => {
    expect(telemetryPlan({ OTEL_SDK_DISABLED: ' TRUE ' }).disabled).toBe(true);
    expect(telemetryPlan({ OTEL_SDK_DISABLED: '1' }).disabled).toBe(false);
  });

  it('reads host and port of the metrics endpoint and warns about invalid values', () => {
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
    expect(bad.warnings).toHaveLength(2);
    expect(bad.warnings.join()).toMatch(/carrier-pigeon.*99999/);
  });
});
