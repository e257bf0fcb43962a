import { createServer } from 'node:http';

/**
 * A collector of OTLP over HTTP with JSON, on a port of its own.
 *
 * @returns {Promise<{ url: string, spans(): object[], metrics(): object[], logs(): object[], close(): Promise<void> }>}
 */
export async function startCollector() {
  const received = { traces: [], metrics: [], logs: [] };
  const refused = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const signal = request.url.split('/').pop();
      try {
        received[signal].push(JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      } catch {
        refused.push(`${request.url} ${request.headers['content-type']}`);
        response.writeHead(400).end();
      }
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    refused,
    spans: () => received.traces.flatMap(({ resourceSpans }) => resourceSpans).flatMap(spansOf),
    metrics: () =>
      received.metrics.flatMap(({ resourceMetrics }) => resourceMetrics).flatMap(pointsOf),
    logs: () => received.logs.flatMap(({ resourceLogs }) => resourceLogs).flatMap(recordsOf),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function spansOf({ scopeSpans }) {
  return scopeSpans.flatMap(({ scope, spans }) =>
    spans.map((span) => ({
      scope: scope?.name,
      name: span.name,
      kind: span.kind,
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId || undefined,
      start: BigInt(span.startTimeUnixNano),
      end: BigInt(span.endTimeUnixNano),
      status: span.status?.code ?? 0,
      attributes: plain(span.attributes),
    })),
  );
}

function pointsOf({ scopeMetrics }) {
  return scopeMetrics.flatMap(({ scope, metrics }) =>
    metrics.flatMap((metric) => {
      const { dataPoints } = metric.sum ?? metric.gauge ?? metric.histogram ?? { dataPoints: [] };
      return dataPoints.map((point) => ({
        scope: scope?.name,
        name: metric.name,
        unit: metric.unit,
        attributes: plain(point.attributes),
        value: Number(point.asInt ?? point.asDouble ?? point.count),
        bounds: point.explicitBounds,
      }));
    }),
  );
}

function recordsOf({ scopeLogs }) {
  return scopeLogs.flatMap(({ scope, logRecords }) =>
    logRecords.map((record) => {
      const attributes = plain(record.attributes);
      return {
        scope: scope?.name,
        event: record.eventName || attributes['event.name'],
        severity: Number(record.severityNumber),
        body: record.body?.stringValue,
        traceId: record.traceId,
        spanId: record.spanId,
        attributes,
      };
    }),
  );
}

function plain(attributes = []) {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
