import assert from 'node:assert/strict';
import { startCollector } from '../telemetry/otlp.mjs';
import { startPostgres, startRedis } from '../telemetry/servers.mjs';
import {
  expectServiceLogs,
  expectServiceMetrics,
  expectServiceSpans,
} from '../telemetry/service.mjs';

/**
 * A service with two routes. `/` calls another service with `fetch` and `http`, Redis and PostgreSQL below
 * a retry, and succeeds with the second attempt. `/down` calls it below a retry and a breaker, which opens.
 */
const SERVICE = `let requests = 0;
const upstream = http.createServer((request, response) => {
  const fails = request.url === '/down' || (request.url === '/prices' && ++requests === 1);
  response.writeHead(fails ? 503 : 200).end();
});
const address = (path) => 'http://127.0.0.1:' + upstream.address().port + path;
const redis = new Redis(Number(process.env.REDIS_PORT), '127.0.0.1');
const database = new pg.Client({ host: '127.0.0.1', port: Number(process.env.POSTGRES_PORT), user: 'compat', database: 'postgres' });
const policy = retry({ name: 'compat', maxAttempts: 3, initialDelayMs: 2, spans: 'all' });
const hopeless = retry({ name: 'down', maxAttempts: 2, initialDelayMs: 2 });
const breaker = circuitBreaker({ name: 'down', failureThreshold: 2 });
async function load(path) {
  const response = await fetch(address(path));
  if (!response.ok) throw Object.assign(new Error('upstream'), { status: response.status });
}
const get = (path) => new Promise((resolve, reject) => {
  http.get(address(path), (response) => response.resume().on('end', resolve)).on('error', reject);
});
const app = fastify();
async function routes() {
  if (instrument !== undefined) await app.register(instrument);
  app.get('/', () =>
  policy.execute(async () => {
    await load('/prices');
    await get('/stock');
    await redis.set('key', 'value');
    const { rows } = await database.query('select 7 as answer');
    return rows[0];
  }));
  app.get('/down', async (request, reply) => {
    const { error } = await hopeless.tryExecute((call) => breaker.execute(() => load('/down'), { parent: call }));
    return reply.code(502).send({ error: error.message });
  });
}
// In a process of its own, without instrumentation, as a stranger would call.
const ask = (path) => new Promise((resolve, reject) => {
  const { execFile } = process.getBuiltinModule('node:child_process');
  const script = "fetch('http://127.0.0.1:" + app.server.address().port + path + "').then((r) => r.text()).then(console.log)";
  execFile(process.execPath, ['-e', script], { env: { PATH: process.env.PATH } }, (error, stdout) => error ? reject(error) : resolve(stdout));
});
async function main() {
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  await database.connect();
  await routes();
  await app.listen({ port: 0, host: '127.0.0.1' });
  process.stdout.write(await ask('/'));
  process.stdout.write(await ask('/down'));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  process.exit(0);
}
main();
`;

/** Fastify's own instrumentation, since OpenTelemetry's has been removed. */
const FASTIFY = 'new FastifyOtelInstrumentation().plugin()';

const commonjs = (own) => `const http = require('node:http');
const { fastify } = require('fastify');
const { Redis } = require('ioredis');
const pg = require('pg');
const { circuitBreaker } = require('@temper/breaker');
const { retry } = require('@temper/retry');
${own ? "const { FastifyOtelInstrumentation } = require('@fastify/otel');" : ''}
const instrument = ${own ? FASTIFY : undefined};
${SERVICE}`;

const esModule = (own) => `import http from 'node:http';
import fastify from 'fastify';
import { Redis } from 'ioredis';
import pg from 'pg';
import { circuitBreaker } from '@temper/breaker';
import { retry } from '@temper/retry';
${own ? "import { FastifyOtelInstrumentation } from '@fastify/otel';" : ''}
const instrument = ${own ? FASTIFY : undefined};
${SERVICE}`;

const row = ({ id, title, auto, api, esm }) => ({
  id,
  group: 'OpenTelemetry',
  title,
  async run(env) {
    const [redis, postgres] = [await startRedis(env), await startPostgres(env)];
    const own = auto !== '0.56.1';
    const packages = ['fastify@5', 'ioredis@5', 'pg@8', ...(own ? ['@fastify/otel@0.21'] : [])];
    await env.install(
      [
        '@temper/breaker',
        '@temper/retry',
        `@opentelemetry/api@${api}`,
        `@opentelemetry/auto-instrumentations-node@${auto}`,
        ...packages,
      ],
      [],
      { type: esm ? 'module' : 'commonjs' },
    );
    assert.equal((await env.copiesOf('@opentelemetry/api')).length, 1, 'copies of the API');
    const file = env.write(esm ? 'main.mjs' : 'main.cjs', (esm ? esModule : commonjs)(own));
    const collector = await startCollector();
    env.onEnd(() => collector.close());
    const variables = {
      REDIS_PORT: String(redis),
      POSTGRES_PORT: String(postgres),
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_BLRP_SCHEDULE_DELAY: '100',
      OTEL_METRIC_EXPORT_INTERVAL: '200',
      OTEL_METRIC_EXPORT_TIMEOUT: '200',
      OTEL_NODE_RESOURCE_DETECTORS: 'none',
      OTEL_SERVICE_NAME: 'compat',
      // Fastify's is not enabled by default.
      ...(own
        ? {}
        : { OTEL_NODE_ENABLED_INSTRUMENTATIONS: 'dns,net,http,undici,fastify,ioredis,pg' }),
    };
    const register = '@opentelemetry/auto-instrumentations-node/register';
    const options = esm
      ? ['--import', register, '--experimental-loader=@opentelemetry/instrumentation/hook.mjs']
      : ['--require', register];
    const { stdout } = await env.exec('node', [...options, file], { variables, timeoutMs: 60_000 });
    assert.ok(stdout.endsWith('{"answer":7}\n{"error":"upstream"}\n'), stdout);
    assert.deepEqual(collector.refused, []);
    const spans = collector.spans();
    return {
      loaded: [
        '@opentelemetry/api',
        '@opentelemetry/auto-instrumentations-node',
        'fastify',
        'ioredis',
        'pg',
        ...(own ? ['@fastify/otel'] : []),
      ].map((name) => env.versionOf(name)),
      asserted: [
        ...expectServiceSpans(spans),
        ...expectServiceMetrics(collector.metrics()),
        ...expectServiceLogs(collector.logs(), spans),
      ],
    };
  },
});

export default [
  row({
    id: 'otel-auto-1.30',
    title: 'auto-instrumentations-node, SDK 1.30, CommonJS',
    auto: '0.56.1',
    api: '1.9',
    esm: false,
  }),
  row({
    id: 'otel-auto-2',
    title: 'auto-instrumentations-node, SDK 2.12, CommonJS',
    auto: '0.81.2',
    api: '1.9',
    esm: false,
  }),
  row({
    id: 'otel-auto-3',
    title: 'auto-instrumentations-node, SDK 3.0, CommonJS',
    auto: '0.82.0',
    api: '1.10',
    esm: false,
  }),
  row({
    id: 'otel-hook-1.30',
    title: 'auto-instrumentations-node, SDK 1.30, ES modules with the loader hook',
    auto: '0.56.1',
    api: '1.9',
    esm: true,
  }),
  row({
    id: 'otel-hook-2',
    title: 'auto-instrumentations-node, SDK 2.12, ES modules with the loader hook',
    auto: '0.81.2',
    api: '1.9',
    esm: true,
  }),
  row({
    id: 'otel-hook-3',
    title: 'auto-instrumentations-node, SDK 3.0, ES modules with the loader hook',
    auto: '0.82.0',
    api: '1.10',
    esm: true,
  }),
];
