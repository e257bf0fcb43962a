import { expect, it } from 'vitest';
import { commonJsManifest, entriesOf, moveSources, sourcesOf } from './bundles.mjs';

it('takes the declarations of every module but tests, declarations and programs', () => {
  const files = [
    'src/index.ts',
    'src/http\\node.ts',
    'src/index.test.ts',
    'src/contract.type-test.ts',
    'src/ambient.d.ts',
    'src/cli/main.ts',
    'src/cli/run.ts',
  ];
  expect(sourcesOf({ bin: { temper: './dist/cli/main.js' } }, files)).toEqual([
    'cli/run',
    'http/node',
    'index',
  ]);
});

it('bundles the entry points of both module systems', () => {
  const exports = {
    './http': {
      import: { types: './dist/http/index.d.ts', default: './dist/http/index.js' },
      require: { types: './dist/cjs/http/index.d.ts', default: './dist/cjs/http/index.js' },
    },
    '.': {
      import: { default: './dist/index.js' },
      require: { default: './dist/cjs/index.js' },
    },
    './repository': { types: './dist/repository.d.ts', default: './dist/repository.js' },
    './package.json': './package.json',
  };
  expect(entriesOf({ exports })).toEqual(['http/index', 'index']);
});

it('writes a manifest that makes the files of dist/cjs CommonJS', () => {
  const manifest = commonJsManifest({ name: '@temper/core', type: 'module', sideEffects: false });
  expect(JSON.parse(manifest)).toEqual({ type: 'commonjs', sideEffects: false });
});

it('reaches the sources of a map from its new folder', () => {
  const map = { version: 3, sources: ['../src/index.ts'], mappings: 'AAAA' };
  expect(JSON.parse(moveSources(JSON.stringify(map), '../'))).toEqual({
    ...map,
    sources: ['../../src/index.ts'],
  });
});
