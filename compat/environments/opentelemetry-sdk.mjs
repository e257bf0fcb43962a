import assert from 'node:assert/strict';
import { startCollector } from '../telemetry/otlp.mjs';
import {
  expectBoundaries,
  expectLog,
  expectMetrics,
  expectTree,
  SCENARIO,
  TEMPER,
} from '../telemetry/scenario.mjs';
import { nodeSdkModule, nodeSdkPackages, SDKS } from '../telemetry/sdks.mjs';

/** The order in which an application may start its SDK and load Temper. */
const PROGRAMS = {
  'early.mjs': `import { exported, makeSdk } from './sdk.mjs';
const sdk = makeSdk();
sdk.start();
const { scenario } = await import('./scenario.mjs');
await scenario();
await exported();
await sdk.shutdown();
`,
  'late.mjs': `import { scenario } from './scenario.mjs';
import { exported, makeSdk } from './sdk.mjs';
const sdk = makeSdk();
sdk.start();
await scenario();
await exported();
await sdk.shutdown();
`,
  'producer.mjs': `import { diag, DiagLogLevel } from '@opentelemetry/api';
import { temperMetricProducer } from '@temper/core';
import { scenario } from './scenario.mjs';
import { exported, makeSdk } from './sdk.mjs';
const [warn, quiet] = [(text) => console.log('WARN ' + text), () => {}];
diag.setLogger({ error: warn, warn, info: quiet, debug: quiet, verbose: quiet }, { logLevel: DiagLogLevel.WARN });
const sdk = makeSdk([temperMetricProducer()]);
sdk.start();
await scenario();
await exported();
await sdk.shutdown();
`,
  'disable.mjs': `import { metrics, trace } from '@opentelemetry/api';
import { scenario } from './scenario.mjs';
import { exported, makeSdk } from './sdk.mjs';
const sdk = makeSdk();
sdk.start();
trace.disable();
metrics.disable();
await scenario();
await exported();
await sdk.shutdown();
`,
};

const rows = SDKS.map((sdk) => ({
  id: `otel-${sdk.name.replace(' ', '-').toLowerCase()}-api-${sdk.api.replace(/\.\d+$/, '')}`,
  group: 'OpenTelemetry',
  title: `${sdk.name}, API ${sdk.api}`,
  short: ['1.30.1', '3.1.1'].includes(sdk.stable) && sdk.api !== '1.8.0',
  async run(env) {
    await env.install([...TEMPER, '@temper/core', ...nodeSdkPackages(sdk)], [], { type: 'module' });
    assert.equal((await env.copiesOf('@opentelemetry/api')).length, 1, 'copies of the API');
    env.write('scenario.mjs', SCENARIO);
    env.write('sdk.mjs', nodeSdkModule(sdk));
    const asserted = new Set([
      'one copy of the API',
      'the SDK may start before or after Temper is loaded',
    ]);
    for (const [file, text] of Object.entries(PROGRAMS)) {
      const withoutProducers = file === 'producer.mjs' && sdk.stable === '1.15.2';
      env.write(file, text);
      const collector = await startCollector();
      env.onEnd(() => collector.close());
      const { stdout, stderr } = await env.exec('node', [file], {
        variables: { OTLP: collector.url },
      });
      assert.equal(stderr, '', file);
      if (withoutProducers) {
        assert.match(stdout, /^WARN temperMetricProducer: .*metricProducers/);
        asserted.add('a warning on `diag` where the SDK does not know metric producers');
        continue;
      }
      assert.equal(stdout, '', file);
      assert.deepEqual(collector.refused, []);
      const [spans, points, logs] = [collector.spans(), collector.metrics(), collector.logs()];
      const ours = (all) => all.filter(({ scope }) => scope?.startsWith('@temper/'));
      if (file === 'disable.mjs') {
        assert.deepEqual(ours(spans), []);
        assert.deepEqual(ours(points), []);
        asserted.add('nothing after `trace.disable()` and `metrics.disable()`');
        continue;
      }
      for (const each of expectTree(spans)) asserted.add(each);
      const { duration, asserted: more } = expectMetrics(points);
      const knowsAdvice = file === 'producer.mjs' || sdk.stable !== '1.15.2';
      for (const each of [...more, ...expectLog(logs, spans)]) asserted.add(each);
      if (knowsAdvice) for (const each of expectBoundaries(duration)) asserted.add(each);
      if (file === 'producer.mjs') asserted.add('`temperMetricProducer()`');
    }
    return { loaded: loadedOf(env), asserted: [...asserted] };
  },
}));

function loadedOf(env) {
  return ['api', 'sdk-node', 'sdk-metrics', 'sdk-logs'].map((name) =>
    env.versionOf(`@opentelemetry/${name}`),
  );
}

export default rows;
