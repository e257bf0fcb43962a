import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../src/catalog.ts';
import { type DemoService, eventually, freePort, startDemo, temporaryFolder } from './programs.ts';

/** The part of an OTLP/JSON metrics request that the tests use. */
interface ExportRequest {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string;
        readonly unit?: string;
        readonly sum?: { readonly isMonotonic?: boolean; readonly dataPoints: readonly Point[] };
        readonly gauge?: { readonly dataPoints: readonly Point[] };
        readonly histogram?: { readonly dataPoints: readonly Point[] };
      }[];
    }[];
  }[];
}
interface Point {
  readonly attributes?: readonly {
    readonly key: string;
    readonly value: { readonly stringValue?: string };
  }[];
}
type Metric = ExportRequest['resourceMetrics'][number]['scopeMetrics'][number]['metrics'][number];

describe('metrics exported over OTLP', () => {
  const folder = temporaryFolder();
  const received = new Map<string, Metric>();
  let server: Server;
  let demo: DemoService;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (request.url === '/v1/metrics') {
          const body = JSON.parse(Buffer.concat(chunks).toString()) as ExportRequest;
          for (const { scopeMetrics } of body.resourceMetrics) {
            for (const { metrics } of scopeMetrics) {
              for (const metric of metrics) received.set(metric.name, metric);
            }
          }
        }
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    demo = await startDemo(join(folder.path, 'demo'), {
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
      OTEL_METRIC_EXPORT_TIMEOUT: '900',
    });
    await eventually(
      async () => (received.has('temper.breaker.call.duration') ? true : undefined),
      'metrics',
    );
  }, 90_000);

  afterAll(async () => {
    await demo?.stop();
    server?.close();
    folder[Symbol.dispose]();
  });

  it('have the names, units and instruments that the OTLP dashboards assume', () => {
    const ours = [...received.values()].filter(({ name }) => name.startsWith('temper.'));
    expect(ours.length).toBeGreaterThan(15);
    for (const metric of [...ours, received.get('process.memory.usage') as Metric]) {
      const definition = METRICS.get(metric.name);
      expect(definition, metric.name).toBeDefined();
      expect(metric.unit, metric.name).toBe(definition?.unit);
      const kind = {
        counter: metric.sum?.isMonotonic === true,
        updowncounter: metric.sum !== undefined && metric.sum.isMonotonic !== true,
        gauge: metric.gauge !== undefined,
        histogram: metric.histogram !== undefined,
      };
      expect(
        kind[definition?.instrument ?? 'counter'],
        `${metric.name} is a ${definition?.instrument}`,
      ).toBe(true);
    }
  });

  it('have only the attributes and values that the telemetry reference lists', () => {
    for (const metric of received.values()) {
      const definition = METRICS.get(metric.name);
      if (definition === undefined) continue;
      const points = (metric.sum ?? metric.gauge ?? metric.histogram)?.dataPoints ?? [];
      for (const { attributes = [] } of points) {
        for (const { key, value } of attributes) {
          const known = definition.attributes.find(({ name }) => name === key);
          expect(known, `${key} of ${metric.name}`).toBeDefined();
          if (known?.values !== undefined)
            expect(known.values, `${key} of ${metric.name}`).toContain(value.stringValue);
        }
      }
    }
  });
});
