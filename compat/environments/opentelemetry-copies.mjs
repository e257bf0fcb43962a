import assert from 'node:assert/strict';
import { startCollector } from '../telemetry/otlp.mjs';
import { expectLog, expectMetrics, expectTree, SCENARIO, TEMPER } from '../telemetry/scenario.mjs';
import { nodeSdkModule, nodeSdkPackages, SDKS } from '../telemetry/sdks.mjs';

/** Where a second copy of the API is found: by Temper alone, as npm nests it. */
const WITH_TEMPER = ['core', 'retry', 'breaker'].map((name) => `node_modules/@temper/${name}`);

/** `diag` is set before the SDK starts or after. */
const program = (early) => `import { diag, DiagLogLevel } from '@opentelemetry/api';
import { exported, makeSdk } from './sdk.mjs';
import { scenario } from './scenario.mjs';
const quiet = () => {};
const warn = (text) => console.log('WARN ' + text);
const logger = { error: (text) => console.log('ERROR ' + text), warn, info: quiet, debug: quiet, verbose: quiet };
const listen = () => diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
${early ? 'listen();' : ''}
const sdk = makeSdk();
sdk.start();
await scenario();
${early ? '' : 'listen();'}
await exported();
await sdk.shutdown();
`;

const row = ({ id, title, sdk, nested, short }) => ({
  id,
  group: 'OpenTelemetry',
  title,
  short,
  async run(env) {
    await env.install([...TEMPER, '@temper/core', ...nodeSdkPackages(sdk)], [], { type: 'module' });
    await env.exec('npm', ['pack', `@opentelemetry/api@${nested}`, '--silent']);
    for (const folder of WITH_TEMPER) {
      const target = `${folder}/node_modules/@opentelemetry/api`;
      await env.exec('mkdir', ['-p', target]);
      const archive = `opentelemetry-api-${nested}.tgz`;
      await env.exec('tar', ['-xzf', archive, '--strip-components=1', '-C', target]);
    }
    env.write('scenario.mjs', SCENARIO);
    env.write('sdk.mjs', nodeSdkModule(sdk));
    const asserted = new Set();
    for (const early of [true, false]) {
      env.write('main.mjs', program(early));
      const collector = await startCollector();
      env.onEnd(() => collector.close());
      const { stdout } = await env.exec('node', ['main.mjs'], {
        variables: { OTLP: collector.url },
      });
      // Nothing is lost, so there is nothing to warn of; and Temper loads no copy that could not be reached.
      assert.equal(stdout, '');
      for (const each of expectTree(collector.spans())) asserted.add(each);
      for (const each of expectMetrics(collector.metrics()).asserted) asserted.add(each);
      for (const each of expectLog(collector.logs(), collector.spans())) asserted.add(each);
    }
    asserted.add('no warning on `diag`');
    return {
      loaded: [
        env.versionOf('@opentelemetry/api'),
        ...WITH_TEMPER.slice(0, 1).map(
          (folder) => `${env.versionOf('@opentelemetry/api', folder)} below Temper`,
        ),
        env.versionOf('@opentelemetry/sdk-node'),
      ],
      asserted: [...asserted],
    };
  },
});

export default [
  row({
    id: 'otel-copies-older-global',
    title: 'SDK 2 on API 1.9, and a second copy of the API, 1.10, below Temper',
    sdk: SDKS.find(({ stable }) => stable === '2.12.1'),
    nested: '1.10.0',
    short: true,
  }),
  row({
    id: 'otel-copies-newer-global',
    title: 'SDK 3 on API 1.10, and a second copy of the API, 1.9, below Temper',
    sdk: SDKS.find(({ stable }) => stable === '3.1.1'),
    nested: '1.9.1',
  }),
];
