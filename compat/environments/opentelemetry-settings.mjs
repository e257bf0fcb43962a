import assert from 'node:assert/strict';
import { startCollector } from '../telemetry/otlp.mjs';
import { expectLog, expectMetrics, expectTree, SCENARIO, TEMPER } from '../telemetry/scenario.mjs';
import { nodeSdkModule, nodeSdkPackages, SDKS } from '../telemetry/sdks.mjs';

const NEWEST = SDKS.at(-1);

const configuration = (url) => `file_format: '1.0'
resource:
  attributes:
    - name: service.name
      value: compat
tracer_provider:
  processors:
    - simple:
        exporter:
          otlp_http:
            endpoint: ${url}/v1/traces
            encoding: json
meter_provider:
  readers:
    - periodic:
        interval: 60000
        exporter:
          otlp_http:
            endpoint: ${url}/v1/metrics
            encoding: json
logger_provider:
  processors:
    - simple:
        exporter:
          otlp_http:
            endpoint: ${url}/v1/logs
            encoding: json
`;

export default [
  {
    id: 'otel-sdk-disabled',
    group: 'OpenTelemetry',
    title: '`OTEL_SDK_DISABLED=true`, SDK 3.1',
    async run(env) {
      await env.install([...TEMPER, ...nodeSdkPackages(NEWEST)], [], { type: 'module' });
      env.write('scenario.mjs', SCENARIO);
      env.write('sdk.mjs', nodeSdkModule(NEWEST));
      env.write(
        'main.mjs',
        `import { makeSdk } from './sdk.mjs';
import { scenario } from './scenario.mjs';
const sdk = makeSdk();
sdk.start();
await scenario();
await sdk.shutdown();
console.log('done');
`,
      );
      const collector = await startCollector();
      env.onEnd(() => collector.close());
      const variables = { OTLP: collector.url, OTEL_SDK_DISABLED: 'true' };
      const { stdout, stderr } = await env.exec('node', ['main.mjs'], { variables });
      assert.equal(stdout.trim(), 'done');
      assert.equal(stderr, '');
      assert.deepEqual([collector.spans(), collector.metrics(), collector.logs()], [[], [], []]);
      return {
        loaded: [env.versionOf('@opentelemetry/api'), env.versionOf('@opentelemetry/sdk-node')],
        asserted: ['the policies work, and nothing is sent or printed'],
      };
    },
  },
  {
    id: 'otel-config-file',
    group: 'OpenTelemetry',
    title: '`OTEL_CONFIG_FILE`, the declarative configuration, SDK 3.1',
    async run(env) {
      const { api, node } = NEWEST;
      const packages = [`@opentelemetry/api@${api}`, `@opentelemetry/sdk-node@${node}`];
      await env.install([...TEMPER, ...packages], [], { type: 'module' });
      env.write('scenario.mjs', SCENARIO);
      env.write(
        'main.mjs',
        `import { startNodeSdk } from '@opentelemetry/sdk-node';
import { scenario } from './scenario.mjs';
const sdk = startNodeSdk();
await scenario();
await sdk.shutdown();
`,
      );
      const collector = await startCollector();
      env.onEnd(() => collector.close());
      env.write('otel.yaml', configuration(collector.url));
      await env.exec('node', ['main.mjs'], { variables: { OTEL_CONFIG_FILE: 'otel.yaml' } });
      assert.deepEqual(collector.refused, []);
      const spans = collector.spans();
      return {
        loaded: [env.versionOf('@opentelemetry/api'), env.versionOf('@opentelemetry/sdk-node')],
        asserted: [
          ...expectTree(spans),
          ...expectMetrics(collector.metrics()).asserted,
          ...expectLog(collector.logs(), spans),
        ],
      };
    },
  },
];
