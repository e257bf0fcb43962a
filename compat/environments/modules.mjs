// Ways to load the packages in Node: require(), import, both at once, and what reads their manifests.
import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENTRY_POINTS, PACKAGES } from '../entry-points.mjs';
import { configOf, everything } from './typescript.mjs';

const fixture = (name) => readFileSync(join(import.meta.dirname, '../fixtures', name), 'utf8');

/** The versions of Node that the manifests and the README name. */
const NODES = ['20.19', '22.15', '24', '26'];

const group = 'Module systems';

const nodes = NODES.map((version) => ({
  id: `modules-node-${version}`,
  group,
  title: `Node ${version}: require() and import`,
  short: true,
  async run(env) {
    const node = await env.node(version);
    await env.install(PACKAGES);
    env.write('load.cjs', fixture('load-everything.cjs'));
    const { stdout, stderr } = await env.exec(node, ['load.cjs', ...ENTRY_POINTS]);
    assert.equal(stderr, '');
    assert.ok(stdout.startsWith(`v${version}`), stdout);
    return {
      loaded: [`Node ${stdout.trim().slice(1)}`, `${ENTRY_POINTS.length} entry points`],
      asserted: [
        'the same exports by require() and import, no warning and none of our globals on load',
        'a pipeline retries, a breaker opens, from CommonJS',
      ],
    };
  },
}));

export default [
  ...nodes,
  {
    id: 'modules-one-state',
    group,
    title: 'ESM and CommonJS of two installations in one process',
    short: true,
    async run(env) {
      const otel = ['api', 'context-async-hooks', 'sdk-metrics', 'sdk-trace-base'];
      const versions = {
        api: '1',
        'context-async-hooks': '2',
        'sdk-metrics': '2',
        'sdk-trace-base': '2',
      };
      await env.install([
        ...PACKAGES,
        ...otel.map((name) => `@opentelemetry/${name}@${versions[name]}`),
      ]);
      cpSync(join(env.dir, 'node_modules/@temper'), join(env.dir, 'second/node_modules/@temper'), {
        recursive: true,
      });
      env.write('one-state.mjs', fixture('one-state.mjs'));
      const { stdout, stderr } = await env.exec('node', ['one-state.mjs']);
      assert.equal(stderr, '');
      assert.equal(stdout, '4 copies, 16 pairs\n');
      return {
        loaded: ['4 copies of each package'],
        asserted: [
          'nested retries are not multiplied, retryDetails, isRefusal, instanceof, classify agree',
          'calls join by parent, with cost and who ended them; spans nest; each call is counted once',
        ],
      };
    },
  },
  {
    id: 'modules-manifests',
    group,
    title: 'Are The Types Wrong, publint',
    short: true,
    async run(env) {
      await env.install(['@arethetypeswrong/cli@0.18', 'publint@0.3']);
      for (const name of PACKAGES) {
        const profile = ['--profile', 'strict', '--no-emoji', '--no-color'];
        await env.exec('node', ['node_modules/.bin/attw', env.tarballs[name], ...profile]);
        const args = ['node_modules/.bin/publint', 'run', env.tarballs[name], '--strict'];
        const { stdout } = await env.exec('node', args);
        assert.match(stdout, /All good!/, name);
      }
      return {
        loaded: [env.versionOf('@arethetypeswrong/cli'), env.versionOf('publint')],
        asserted: [`${PACKAGES.length} packages without a finding, Node 10's resolution included`],
      };
    },
  },
  {
    id: 'modules-no-exports',
    group,
    title: 'Tools that do not read `exports`',
    async run(env) {
      await env.install([...PACKAGES, 'resolve@1', 'typescript@5.9', '@types/node@22']);
      env.write('found.cjs', fixture('found-without-exports.cjs'));
      const { stdout } = await env.exec('node', ['found.cjs', ...ENTRY_POINTS]);
      assert.equal(stdout, `${ENTRY_POINTS.length}\n`);

      env.write('usage.ts', fixture('typescript-usage.ts'));
      env.write('everything.ts', everything());
      const files = ['everything.ts', 'usage.ts'];
      const modules = { module: 'commonjs', moduleResolution: 'node10' };
      env.write('tsconfig.json', configOf('node16', true, files, modules));
      await env.exec('node', ['node_modules/typescript/bin/tsc', '-p', '.']);

      const loaded = ['resolve', 'typescript'].map((one) => env.versionOf(one));
      // No install script runs, so Parcel takes what its packages ship.
      await env.install(['@temper/recovery', '@temper/retry', '@temper/breaker', 'parcel@2']);
      env.write('service.js', fixture('parcel-service.cjs'));
      const parcel = ['node_modules/.bin/parcel', 'build', 'service.js', '--no-cache'];
      await env.exec('node', [...parcel, '--no-source-maps', '--dist-dir', 'out']);
      const bundle = await env.exec('node', ['out/service.js']);
      assert.equal(bundle.stdout, '2\n');
      return {
        loaded: [...loaded, env.versionOf('parcel')],
        asserted: [
          `\`main\` and a folder with a manifest lead to each of ${ENTRY_POINTS.length} entry points`,
          'TypeScript with `moduleResolution: node10` compiles every entry point, no skipLibCheck',
          'a bundle of Parcel with its defaults runs',
        ],
      };
    },
  },
];
