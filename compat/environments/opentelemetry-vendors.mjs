import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { startCollector } from '../telemetry/otlp.mjs';
import { expectTree, SCENARIO, TEMPER } from '../telemetry/scenario.mjs';

const sentry = (version) => ({
  id: `otel-sentry-${version.split('.')[0]}`,
  group: 'OpenTelemetry',
  title: `Sentry ${version.split('.')[0]} for Node`,
  async run(env) {
    await env.install([...TEMPER, '@opentelemetry/api', `@sentry/node@${version}`], [], {
      type: 'module',
    });
    env.write('scenario.mjs', SCENARIO);
    env.write(
      'main.mjs',
      `import * as Sentry from '@sentry/node';
const sent = [];
Sentry.init({
  dsn: 'https://key@sentry.invalid/1',
  tracesSampleRate: 1,
  // Sentry 11 records the spans of OpenTelemetry's API on request.
  enableOpenTelemetrySetup: true,
  transport: (options) => Sentry.createTransport(options, async ({ body }) => { sent.push(String(body)); return { statusCode: 200 }; }),
});
const { scenario } = await import('./scenario.mjs');
await scenario((work) => Sentry.startSpan({ name: 'caller', op: 'test' }, work));
await Sentry.close(5000);
const items = sent.flatMap((envelope) => envelope.split('\\n')).flatMap((line) => { try { return [JSON.parse(line)]; } catch { return []; } });
process.stdout.write(JSON.stringify(items));
`,
    );
    const { stdout } = await env.exec('node', ['main.mjs']);
    const spans = JSON.parse(stdout).flatMap(spansOfSentry);
    assert.equal(spans.filter(({ name }) => name === 'caller').length, 1);
    const asserted = expectTree(spans);
    return {
      loaded: [env.versionOf('@opentelemetry/api'), env.versionOf('@sentry/node')],
      asserted: ['what Sentry is sent:', ...asserted],
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
const ended = [];
const provider = new tracer.TracerProvider();
provider.register();
const { scenario } = await import('./scenario.mjs');
await scenario();
await new Promise((resolve) => setTimeout(resolve, 1500));
process.exit(0);
`,
    );
    const agent = await startAgent(env);
    const variables = {
      DD_TRACE_AGENT_URL: agent.url,
      DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
      DD_REMOTE_CONFIGURATION_ENABLED: 'false',
    };
    await env.exec('node', ['main.mjs'], { variables });
    const payloads = agent.requests.filter(({ url }) => /\/v0\.\d\/traces/.test(url));
    const spans = payloads.flatMap(({ text }) => decode(Buffer.from(text, 'latin1'))).flat(2);
    const asserted = expectTree(
      spans.map((span) => ({
        scope: span.resource === 'caller' ? 'app' : '@temper/',
        name: span.resource,
        traceId: String(span.trace_id),
        spanId: String(span.span_id),
        parentSpanId: String(span.parent_id),
        start: BigInt(span.start),
        end: BigInt(span.start) + BigInt(span.duration),
        status: span.error === 1 ? 2 : 0,
        attributes: { ...span.meta, ...span.metrics },
      })),
    );
    return {
      loaded: [env.versionOf('@opentelemetry/api'), env.versionOf('dd-trace')],
      asserted: ['what the agent receives:', ...asserted],
    };
  },
};

/** MessagePack, as far as the agent's traces need it. */
function decode(bytes) {
  let at = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (length) => {
    at += length;
    return bytes.subarray(at - length, at).toString();
  };
  const list = (length) => Array.from({ length }, read);
  const map = (length) => Object.fromEntries(Array.from({ length }, () => [read(), read()]));
  const number = (method, size) => {
    const value = view[method](at);
    at += size;
    return value;
  };
  function read() {
    const type = bytes[at++];
    if (type <= 0x7f) return type;
    if (type <= 0x8f) return map(type & 0x0f);
    if (type <= 0x9f) return list(type & 0x0f);
    if (type <= 0xbf) return text(type & 0x1f);
    if (type >= 0xe0) return type - 256;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return text(number('getUint8', 1));
      case 0xc5:
        return text(number('getUint16', 2));
      case 0xc6:
        return text(number('getUint32', 4));
      case 0xca:
        return number('getFloat32', 4);
      case 0xcb:
        return number('getFloat64', 8);
      case 0xcc:
        return number('getUint8', 1);
      case 0xcd:
        return number('getUint16', 2);
      case 0xce:
        return number('getUint32', 4);
      case 0xcf:
        return number('getBigUint64', 8);
      case 0xd0:
        return number('getInt8', 1);
      case 0xd1:
        return number('getInt16', 2);
      case 0xd2:
        return number('getInt32', 4);
      case 0xd3:
        return number('getBigInt64', 8);
      case 0xd9:
        return text(number('getUint8', 1));
      case 0xda:
        return text(number('getUint16', 2));
      case 0xdb:
        return text(number('getUint32', 4));
      case 0xdc:
        return list(number('getUint16', 2));
      case 0xdd:
        return list(number('getUint32', 4));
      case 0xde:
        return map(number('getUint16', 2));
      case 0xdf:
        return map(number('getUint32', 4));
      default:
        throw new Error(`MessagePack type ${type}`);
    }
  }
  return read();
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
      `import { OTLPHttpJsonTraceExporter, registerOTel } from '@vercel/otel';
export function register() {
  registerOTel({ serviceName: 'compat', traceExporter: new OTLPHttpJsonTraceExporter({ url: process.env.OTLP + '/v1/traces' }) });
}
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
    return {
      loaded: ['@opentelemetry/api', '@vercel/otel', 'next'].map((name) => env.versionOf(name)),
      asserted: ['`next build`', 'a route handler, whose spans arrive:', ...expectTree(spans)],
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

export default [sentry('10.78.0'), sentry('11.12.0'), datadog, vercel];
