import assert from 'node:assert/strict';
import { execute } from '../processes.mjs';

/** Every module of every package, by the `exports` of its tarball. */
async function modulesOf(env) {
  const modules = [];
  for (const [name, file] of Object.entries(env.tarballs)) {
    if (name === '@temper/testkit') continue; // it brings the newest SDK with it
    const { stdout } = await execute('tar', ['-xzOf', file, 'package/package.json'], {
      cwd: env.dir,
    });
    for (const path of Object.keys(JSON.parse(stdout).exports)) {
      if (path !== './package.json') modules.push(name + path.slice(1));
    }
  }
  return modules;
}

const row = ({ api, sdks }) => ({
  id: `otel-types-api-${api}`,
  group: 'OpenTelemetry',
  title: `Types against API ${api}, without \`skipLibCheck\``,
  async run(env) {
    const modules = await modulesOf(env);
    const packages = [...new Set(modules.map((path) => path.split('/').slice(0, 2).join('/')))];
    const aliases = sdks.map(
      (version, index) => `sdk-metrics-${index}@npm:@opentelemetry/sdk-metrics@${version}`,
    );
    const types = ['typescript@5.9', '@types/node@24', '@types/pg', 'undici@7', 'ioredis', 'redis'];
    await env.install([...packages, `@opentelemetry/api@${api}`, ...aliases], types, {
      type: 'module',
    });
    const producers = sdks.map(
      (_, index) => `import type { MetricProducer as Producer${index} } from 'sdk-metrics-${index}';
export const producer${index}: Producer${index} = temperMetricProducer();`,
    );
    env.write(
      'main.ts',
      [
        "import { temperMetricProducer } from '@temper/core';",
        ...modules.map((path, index) => `export * as m${index} from '${path}';`),
        ...producers,
      ].join('\n'),
    );
    const compilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      module: 'nodenext',
      target: 'es2024',
      lib: ['es2024', 'esnext.disposable', 'dom'],
      types: ['node'],
    };
    env.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['main.ts'] }));
    const { stdout } = await env.exec('npx', ['tsc', '-p', '.'], { mayFail: true });
    assert.equal(stdout, '');
    return {
      loaded: [
        env.versionOf('@opentelemetry/api'),
        env.versionOf('typescript'),
        ...sdks.map((_, index) =>
          env.versionOf(`sdk-metrics-${index}`).replace(/^\S+/, '@opentelemetry/sdk-metrics'),
        ),
      ],
      asserted: [
        `${modules.length} entry points compile`,
        '`temperMetricProducer()` is a `MetricProducer` of each SDK',
      ],
    };
  },
});

export default [
  row({ api: '1.8', sdks: ['1.30.1'] }),
  row({ api: '1.9', sdks: ['1.30.1', '2.12.1'] }),
  row({ api: '1.10', sdks: ['3.1.1'] }),
];
