import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { decode } from '../telemetry/message-pack.mjs';
import { startCollector } from '../telemetry/otlp.mjs';
import { expectLog, expectMetrics, expectTree, SCENARIO, TEMPER } from '../telemetry/scenario.mjs';

const ITEMS = `sent.flatMap((envelope) => envelope.split('\\n')).flatMap((line) => { try { return [JSON.parse(line)]; } catch { return []; } })`;

/** Sentry registers no provider of metrics or logs. One of the SDK has its place beside it. */
const sentry = (version, sdk) => ({
  id: `otel-sentry-${version.split('.')[0]}`,
  group: 'OpenTelemetry',
  title: `Sentry ${version.split('.')[0]} for Node`,
  async run(env) {
    const packages = [
      `@opentelemetry/api@${sdk.api}`,
      `@opentelemetry/sdk-metrics@${sdk.stable}`,
      `@opentelemetry/sdk-logs@${sdk.logs}`,
      ...(sdk.apiLogs ? [`@opentelemetry/api-logs@${sdk.logs}`] : []),
      `@opentelemetry/exporter-metrics-otlp-http@${sdk.experimental}`,
      `@opentelemetry/exporter-logs-otlp-http@${sdk.experimental}`,
    ];
    await env.install([...TEMPER, ...packages, `@sentry/node@${version}`], [], { type: 'module' });
    env.write('scenario.mjs', SCENARIO);
    env.write(
      'main.mjs',
      `import * as Sentry from '@sentry/node';
const sent = [];
Sentry.init({
  dsn: 'https://key@sentry.invalid/1',
  tracesSampleRate: 1,
  enableLogs: true,
  // Sentry 11 records the spans of OpenTelemetry's API on request.
  enableOpenTelemetrySetup: true,
  transport: (options) => Sentry.createTransport(options, async ({ body }) => { sent.push(String(body)); return { statusCode: 200 }; }),
});
const { scenario } = await import('./scenario.mjs');
const registered = globalThis[Symbol.for('opentelemetry.js.api.1')];
const providers = {
  trace: registered.trace !== undefined,
  metrics: registered.metrics !== undefined,
  logs: registered.logs !== undefined || globalThis[Symbol.for('io.opentelemetry.js.api.logs')] !== undefined,
};
const end = process.env.OTLP === undefined ? () => {} : (await import('./beside.mjs')).end;
await scenario((work) => Sentry.startSpan({ name: 'caller', op: 'test' }, work));
await end();
await Sentry.close(5000);
process.stdout.write(JSON.stringify({ providers, items: ${ITEMS} }));
`,
    );
    env.write(
      'beside.mjs',
      `import { metrics } from '@opentelemetry/api';
import { logs } from '@opentelemetry/api${sdk.apiLogs ? '-logs' : ''}';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { suppressTracing } from '@sentry/node';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
const url = (signal) => ({ url: process.env.OTLP + '/v1/' + signal });
const readers = [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(url('metrics')) })];
const processors = [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(url('logs')) })];
const meterProvider = new MeterProvider({ readers });
const loggerProvider = new LoggerProvider({ processors });
metrics.setGlobalMeterProvider(meterProvider);
logs.setGlobalLoggerProvider(loggerProvider);
// Sentry traces the requests of exporters unless it is told not to.
export const end = () => suppressTracing(() => Promise.all([meterProvider.shutdown(), loggerProvider.shutdown()]));
`,
    );
    const run = async (variables) => {
      const { stdout } = await env.exec('node', ['main.mjs'], { variables });
      const { providers, items } = JSON.parse(stdout);
      assert.deepEqual(providers, { trace: true, metrics: false, logs: false });
      const spans = items.flatMap(spansOfSentry);
      assert.equal(spans.filter(({ name }) => name === 'caller').length, 1);
      return { items, spans, asserted: expectTree(spans) };
    };
    const alone = await run({});
    // The envelopes hold spans, and nothing that Temper counts or logs.
    const types = new Set(alone.items.map(({ type }) => type).filter((type) => type !== undefined));
    for (const type of ['log', 'metric', 'trace_metric', 'statsd'])
      assert.ok(!types.has(type), type);
    assert.doesNotMatch(JSON.stringify(alone.items), /temper\.retry\.(?:operations|exhausted)/);
    const collector = await startCollector();
    env.onEnd(() => collector.close());
    const beside = await run({ OTLP: collector.url });
    return {
      loaded: [
        ...['@opentelemetry/api', '@sentry/node'].map((name) => env.versionOf(name)),
        `beside it: ${env.versionOf('@opentelemetry/sdk-metrics')}, ${env.versionOf('@opentelemetry/sdk-logs')}`,
      ],
      asserted: [
        'what Sentry is sent:',
        ...alone.asserted,
        'Sentry registers no provider of metrics or logs with OpenTelemetry, and is sent none',
        'what arrives at providers of the SDK that are registered beside Sentry:',
        ...expectMetrics(collector.metrics()).asserted,
        ...expectLog(collector.logs(), beside.spans),
      ],
    };
  },
});

/** Sentry 10 sends a transaction with its spans, Sentry 11 a list of spans. */
function spansOfSentry({ type, transaction, contexts, spans, items, ...root }) {
  if (type === 'transaction' && spans !== undefined) {
    const first = { ...root, ...contexts.trace, name: transaction };
    return [first, ...spans].map((span) => spanOfSentry(span, span.timestamp, span.data));
  }
  if (!Array.isArray(items)) return [];
  return items
    .filter((item) => item.span_id !== undefined && item.end_timestamp !== undefined)
    .map((span) => {
      const attributes = Object.entries(span.attributes).map(([key, { value }]) => [key, value]);
      return spanOfSentry(span, span.end_timestamp, Object.fromEntries(attributes));
    });
}

function spanOfSentry(span, end, attributes) {
  const nano = (seconds) => BigInt(Math.round(seconds * 1e9));
  const name = span.name ?? span.description;
  return {
    scope: name === 'caller' ? 'app' : '@temper/',
    name,
    traceId: span.trace_id,
    spanId: span.span_id,
    parentSpanId: span.parent_span_id,
    start: nano(span.start_timestamp),
    end: nano(end),
    status: span.status === undefined || span.status === 'ok' ? 0 : 2,
    attributes: attributes ?? {},
  };
}

/** An agent of Datadog: takes whatever is sent, and keeps nothing. */
async function startAgent(env) {
  const requests = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      requests.push({ url: request.url, text: Buffer.concat(chunks).toString('latin1') });
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(request.url === '/info' ? '{"endpoints":[]}' : '{"rate_by_service":{}}');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  env.onEnd(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { requests, url: `http://127.0.0.1:${server.address().port}` };
}

const datadog = {
  id: 'otel-dd-trace-6',
  group: 'OpenTelemetry',
  title: 'The OpenTelemetry bridge of dd-trace 6, with an agent that records',
  async run(env) {
    await env.install([...TEMPER, '@opentelemetry/api@1.9', 'dd-trace@6'], [], { type: 'module' });
    assert.equal((await env.copiesOf('@opentelemetry/api')).length, 1, 'copies of the API');
    env.write('scenario.mjs', SCENARIO);
    env.write(
      'main.mjs',
      `import tracer from 'dd-trace';
tracer.init({ service: 'compat', flushInterval: 50, startupLogs: false, telemetry: { enabled: false } });
const provider = new tracer.TracerProvider();
provider.register();
const { scenario } = await import('./scenario.mjs');
await scenario();
// Until the row has what it waits for.
setInterval(() => {}, 60_000);
`,
    );
    const agent = await startAgent(env);
    const collector = await startCollector();
    env.onEnd(() => collector.close());
    const variables = {
      DD_TRACE_AGENT_URL: agent.url,
      DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
      DD_REMOTE_CONFIGURATION_ENABLED: 'false',
      // Its own pipes of metrics and logs, to an OTLP port as the agent has one.
      DD_METRICS_OTEL_ENABLED: 'true',
      DD_LOGS_OTEL_ENABLED: 'true',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector.url}/v1/metrics`,
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${collector.url}/v1/logs`,
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'cumulative',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
      OTEL_BSP_SCHEDULE_DELAY: '200',
    };
    const program = env.serve('node', ['main.mjs'], { variables });
    const spans = await eventually(() => {
      const arrived = spansOfAgent(agent);
      expectTree(arrived);
      return arrived;
    }, program);
    const metrics = await eventually(() => expectMetrics(collector.metrics()), program);
    const logs = await eventually(
      () => expectLog(collector.logs().map(shortTraceId), spans),
      program,
    );
    return {
      loaded: [env.versionOf('@opentelemetry/api'), env.versionOf('dd-trace')],
      asserted: [
        'what the agent receives:',
        ...expectTree(spans),
        'what its OTLP port receives, with `DD_METRICS_OTEL_ENABLED` and `DD_LOGS_OTEL_ENABLED`:',
        ...metrics.asserted,
        ...logs,
      ],
    };
  },
};

const hex = (id) => BigInt(id).toString(16).padStart(16, '0');

/** Its JSON has ids as bytes. Of a trace id it sends the lower half with each span. */
const hexOf = (id) =>
  typeof id === 'string' ? id : Buffer.from(Object.values(id.data ?? id)).toString('hex');
const shortTraceId = (record) => ({
  ...record,
  traceId: hexOf(record.traceId).slice(-16),
  spanId: hexOf(record.spanId),
});

function spansOfAgent({ requests }) {
  const payloads = requests.filter(({ url }) => /\/v0\.\d\/traces/.test(url));
  const spans = payloads.flatMap(({ text }) => decode(Buffer.from(text, 'latin1'))).flat(2);
  return spans.map((span) => ({
    scope: span.resource === 'caller' ? 'app' : '@temper/',
    name: span.resource,
    traceId: hex(span.trace_id),
    spanId: hex(span.span_id),
    parentSpanId: hex(span.parent_id),
    start: BigInt(span.start),
    end: BigInt(span.start) + BigInt(span.duration),
    status: span.error === 1 ? 2 : 0,
    attributes: { ...span.meta, ...span.metrics },
  }));
}

const vercel = {
  id: 'otel-vercel-next',
  group: 'OpenTelemetry',
  title: '`@vercel/otel` 2.1 in a Next.js 16 server',
  async run(env) {
    await env.install([
      ...TEMPER,
      '@opentelemetry/api@1.9',
      '@opentelemetry/api-logs@0.223.1',
      '@opentelemetry/sdk-logs@0.223.1',
      '@opentelemetry/sdk-metrics@2',
      '@opentelemetry/exporter-logs-otlp-http@0.223',
      '@opentelemetry/exporter-metrics-otlp-http@0.223',
      '@vercel/otel@2.1',
      'next@16',
      'react@19',
      'react-dom@19',
    ]);
    env.write(
      'app/layout.js',
      'export default ({ children }) => <html><body>{children}</body></html>;\n',
    );
    env.write('app/scenario.js', SCENARIO);
    env.write(
      'app/call/route.js',
      `import { scenario } from '../scenario';
export const dynamic = 'force-dynamic';
export async function GET() { await scenario(); return new Response('done'); }
`,
    );
    env.write(
      'instrumentation.js',
      `export async function register() {
  if (process.env.NEXT_RUNTIME === 'nodejs') await import('./instrumentation-node.js');
}
`,
    );
    env.write(
      'instrumentation-node.js',
      `import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { OTLPHttpJsonTraceExporter, registerOTel } from '@vercel/otel';
const url = (signal) => ({ url: process.env.OTLP + '/v1/' + signal });
const exporter = new OTLPMetricExporter(url('metrics'));
registerOTel({
  serviceName: 'compat',
  traceExporter: new OTLPHttpJsonTraceExporter(url('traces')),
  metricReaders: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 500, exportTimeoutMillis: 500 })],
  logRecordProcessors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter(url('logs')) })],
});
`,
    );
    const collector = await startCollector();
    env.onEnd(() => collector.close());
    const variables = {
      OTLP: collector.url,
      NEXT_TELEMETRY_DISABLED: '1',
      OTEL_BSP_SCHEDULE_DELAY: '200',
      NODE_ENV: 'production',
    };
    await env.exec('npx', ['next', 'build'], { variables });
    const { freePort } = await import('../processes.mjs');
    const port = await freePort();
    const server = env.serve('npx', ['next', 'start', '-p', String(port), '-H', '127.0.0.1'], {
      variables,
    });
    const answer = await eventually(() => fetch(`http://127.0.0.1:${port}/call`), server);
    assert.equal(await answer.text(), 'done');
    const spans = await eventually(() => {
      const all = collector.spans();
      assert.ok(all.some(({ name }) => name === 'caller'));
      return all;
    }, server);
    const metrics = await eventually(() => expectMetrics(collector.metrics()), server);
    const logs = await eventually(() => expectLog(collector.logs(), spans), server);
    return {
      loaded: ['@opentelemetry/api', '@vercel/otel', 'next'].map((name) => env.versionOf(name)),
      asserted: [
        '`next build`',
        'a route handler, of which arrive:',
        ...expectTree(spans),
        ...metrics.asserted,
        ...logs,
      ],
    };
  },
};

async function eventually(work, server) {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries > 60) throw new Error(`${error.message}\n${server.printed().slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

const SDK_2 = {
  api: '1.9.1',
  stable: '2.12.1',
  experimental: '0.223.0',
  logs: '0.223.1',
  apiLogs: true,
};
const SDK_3 = { api: '1.10.0', stable: '3.1.1', experimental: '0.301.0', logs: '3.1.1' };

export default [sentry('10.78.0', SDK_2), sentry('11.12.0', SDK_3), datadog, vercel];
