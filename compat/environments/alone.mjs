// Each package in a folder of its own, whose modules find nothing but what the package declares.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { ENTRY_POINTS, PACKAGES } from '../entry-points.mjs';
import { ROOT } from '../pack.mjs';

/** What installs beside a package, as its README and the README of the repository say it. */
const BESIDE = {
  '@temper/runbooks': [],
  '@temper/core': ['@opentelemetry/api'],
  '@temper/testkit': ['@opentelemetry/api'],
  '@temper/recovery': ['@opentelemetry/api', '@temper/breaker', '@temper/core', '@temper/retry'],
  '@temper/redis': ['@opentelemetry/api', '@temper/breaker', '@temper/core', '@temper/ratelimit'],
};
const POLICY = ['@opentelemetry/api', '@temper/core'];

const PORTABLE = ['core', 'retry', 'breaker', 'ratelimit', 'recovery'].map(
  (name) => `@temper/${name}`,
);

const packageOf = (specifier) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** Bare specifiers of every built module and declaration of a package. */
function imported(folder) {
  const found = new Set();
  for (const file of readdirSync(join(folder, 'dist'), { recursive: true })) {
    if (!/\.(?:c|m)?(?:js|d\.ts)$/.test(file)) continue;
    const text = readFileSync(join(folder, 'dist', file), 'utf8').replaceAll(
      /\/\*[\s\S]*?\*\//g,
      '',
    );
    for (const [, specifier] of text.matchAll(
      /(?:\bfrom|\bimport|\brequire\(|\bimport\() ?['"]([^'"\s(),]+)['"]/g,
    ))
      if (!/^(?:[.#]|node:)/.test(specifier)) found.add(packageOf(specifier));
  }
  return [...found].filter((name) => !builtinModules.includes(name));
}

/** Asserts what the README says of Node, against the manifest. */
function expectSentences(name, { engines }) {
  const readme = readFileSync(
    join(ROOT, 'packages', name.replace('@temper/', ''), 'README.md'),
    'utf8',
  );
  const [, said] = /ESM and CommonJS, Node ([\d.]+) or later/.exec(readme) ?? [];
  assert.equal(`>=${said}`, engines.node, `${name}: Node in the README`);
  const needs = /(?:^|- )Needs Node\b|inMemoryTelemetry` needs Node\b/m.test(readme);
  const runs = /^- Runs in Node, Bun, Deno, Cloudflare Workers/m.test(readme);
  const portable = PORTABLE.includes(name);
  assert.deepEqual([needs, runs], [!portable, portable], `${name}: platforms in the README`);
}

const load = (name) => `const assert = require('node:assert/strict');
const entries = ${JSON.stringify(ENTRY_POINTS.filter((entry) => packageOf(entry) === name))};
(async () => {
  for (const entry of entries) {
    assert.ok(Object.keys(require(entry)).length >= 0);
    await import(entry);
  }
  console.log(entries.length);
})();
`;

export default [
  {
    id: 'modules-alone',
    group: 'Module systems',
    title: 'Each package alone, with nothing within reach that it does not declare',
    async run(env) {
      let entries = 0;
      for (const name of PACKAGES) {
        await env.exec('rm', ['-rf', 'node_modules', 'package-lock.json']);
        await env.install([name]);
        const { stdout } = await env.exec('npm', ['ls', '--all', '--parseable']);
        const beside = stdout
          .split('\n')
          .filter((line) => line.includes('node_modules/'))
          .map((line) => line.slice(line.lastIndexOf('node_modules/') + 'node_modules/'.length))
          .filter((one) => one !== name);
        const manifest = JSON.parse(
          readFileSync(join(env.dir, 'node_modules', name, 'package.json'), 'utf8'),
        );
        if (name !== '@temper/parsercraft-handlers') {
          assert.deepEqual([...new Set(beside)].sort(), BESIDE[name] ?? POLICY, name);
        }
        const declared = [
          name,
          ...Object.keys(manifest.dependencies ?? {}),
          ...Object.keys(manifest.peerDependencies ?? {}),
        ];
        const loose = imported(join(env.dir, 'node_modules', name)).filter(
          (one) => !declared.includes(one),
        );
        assert.deepEqual(loose, [], `${name} imports what it does not declare`);
        for (const [peer, { optional }] of Object.entries(manifest.peerDependenciesMeta ?? {})) {
          assert.equal(optional && existsSync(join(env.dir, 'node_modules', peer)), false, peer);
        }
        expectSentences(name, manifest);
        env.write('load.cjs', load(name));
        entries += Number((await env.exec('node', ['load.cjs'])).stdout);
      }
      return {
        loaded: [`${PACKAGES.length} packages, ${entries} entry points`],
        asserted: [
          'by require() and import, without any optional peer',
          'core and the API of OpenTelemetry are all that installs beside a policy',
          'modules and declarations import only what the manifest declares',
          "the README's sentences about Node, and about the platforms, are those of the manifest and of the rows below",
        ],
      };
    },
  },
];
