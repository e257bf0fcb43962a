import { expect, it } from 'vitest';
import { commonJsManifest, moveSources, sourcesOf } from './commonjs.mjs';

it('builds every module but tests, declarations and programs', () => {
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

it('repeats conditional imports with targets in the CommonJS build', () => {
  const manifest = commonJsManifest({
    name: '@temper/core',
    type: 'module',
    sideEffects: false,
    imports: {
      '#context': {
        node: { types: './dist/node/context.d.ts', default: './dist/node/context.js' },
        default: './dist/context.js',
      },
    },
  });
  expect(JSON.parse(manifest)).toEqual({
    type: 'commonjs',
    sideEffects: false,
    imports: {
      '#context': {
        node: { types: './node/context.d.ts', default: './node/context.js' },
        default: './context.js',
      },
    },
  });
});

it('reaches the sources of a map from its new folder', () => {
  const map = { version: 3, sources: ['../src/index.ts'], mappings: 'AAAA' };
  expect(JSON.parse(moveSources(JSON.stringify(map), '../'))).toEqual({
    ...map,
    sources: ['../../src/index.ts'],
  });
});
