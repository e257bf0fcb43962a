import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

/** The part of an OTLP/JSON span that the tests use. */
export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface TracesBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<ReceivedSpan, 'service' | 'attributes'> & {
        readonly attributes?: readonly Attribute[];
      })[];
    }[];
  }[];
}

const recordOf = (attributes: readonly Attribute[] = []): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** An OTLP/HTTP receiver that stores spans, with the variables that make a process export to it. */
export async function otlpReceiver(): Promise<{
  readonly spans: ReceivedSpan[];
  readonly env: Readonly<Record<string, string>>;
}> {
  const spans: ReceivedSpan[] = [];
  const url = await listening((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      const { resourceSpans } = JSON.parse(body.toString()) as TracesBody;
      for (const { resource, scopeSpans } of resourceSpans) {
        const service = String(recordOf(resource.attributes)['service.name']);
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
          const { name, kind, traceId, spanId, parentSpanId = '' } = span;
          const attributes = recordOf(span.attributes);
          spans.push({ service, name, kind, traceId, spanId, parentSpanId, attributes });
        }
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '200',
  };
  return { spans, env };
}

/** A receiver that accepts requests and never responds. */
export function hangingReceiver(): Promise<string> {
  return listening((request) => void request.resume());
}

/** Starts a server on a free port; it closes when the test ends. */
async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
