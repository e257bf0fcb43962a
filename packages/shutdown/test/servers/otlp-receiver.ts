import http from 'node:http';
import type { AddressInfo } from 'node:net';

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** A span as received. */
export interface ReceivedSpan {
  readonly name: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceId: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly KeyValue[];
}

/** A metric as received. */
export interface ReceivedMetric {
  readonly name: string;
  readonly sum?: { readonly dataPoints: readonly DataPoint[] };
  readonly histogram?: { readonly dataPoints: readonly DataPoint[] };
}

interface DataPoint {
  readonly attributes: readonly KeyValue[];
  readonly asDouble?: number;
  readonly asInt?: string | number;
  readonly count?: string | number;
}

/** Receives and stores OTLP over HTTP in its JSON encoding (opentelemetry-proto 1.x). */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly metrics: ReceivedMetric[] = [];
  /** Bodies of log records. */
  readonly logs: string[] = [];
  readonly #server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.#take(request.url ?? '', JSON.parse(Buffer.concat(chunks).toString()));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });

  /** Environment variables that make an SDK export here, and only when it is flushed. */
  async listen(): Promise<Record<string, string>> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_BSP_SCHEDULE_DELAY: '600000',
      OTEL_BLRP_SCHEDULE_DELAY: '600000',
      OTEL_METRIC_EXPORT_INTERVAL: '600000',
    };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Value or count of each series of a metric, by the value of one attribute. */
  series(name: string, attribute: string): Record<string, number> {
    const metric = this.metrics.find((each) => each.name === name);
    const points = metric?.sum?.dataPoints ?? metric?.histogram?.dataPoints ?? [];
    return Object.fromEntries(
      points.map((point) => [
        String(attributeOf(point.attributes, attribute)),
        Number(point.asDouble ?? point.asInt ?? point.count),
      ]),
    );
  }

  #take(path: string, body: Readonly<Record<string, unknown>>): void {
    const flatten = <T>(resources: string, scopes: string, items: string): T[] =>
      ((body[resources] ?? []) as Record<string, Record<string, T[]>[]>[]).flatMap((resource) =>
        (resource[scopes] ?? []).flatMap((scope) => scope[items] ?? []),
      );
    if (path === '/v1/traces')
      this.spans.push(...flatten<ReceivedSpan>('resourceSpans', 'scopeSpans', 'spans'));
    if (path === '/v1/metrics') {
      this.metrics.push(...flatten<ReceivedMetric>('resourceMetrics', 'scopeMetrics', 'metrics'));
    }
    if (path === '/v1/logs') {
      const records = flatten<{ body: { stringValue: string } }>(
        'resourceLogs',
        'scopeLogs',
        'logRecords',
      );
      this.logs.push(...records.map((record) => record.body.stringValue));
    }
  }
}

function attributeOf(attributes: readonly KeyValue[], key: string): unknown {
  const found = attributes.find((attribute) => attribute.key === key);
  return found === undefined ? undefined : Object.values(found.value)[0];
}
