// Projects in TypeScript that use every entry point: no `skipLibCheck`, so that each declaration that
// they reach is checked too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENTRY_POINTS, PACKAGES } from '../entry-points.mjs';

const USAGE = readFileSync(join(import.meta.dirname, '../fixtures/typescript-usage.ts'), 'utf8');

/** Compilers, with the oldest types of Node that are tried, and the module modes that they have. */
export const COMPILERS = [
  { version: '5.1', node: '18', modes: ['node16', 'nodenext', 'bundler'] },
  { version: '5.4', node: '20', modes: ['node16', 'nodenext', 'bundler'] },
  { version: '5.9', node: '22', modes: ['node16', 'node20', 'nodenext', 'bundler'] },
  { version: '6', node: '24', modes: ['node16', 'node20', 'nodenext', 'bundler'] },
  { version: '7', node: '26', modes: ['node16', 'node20', 'nodenext', 'bundler'] },
];

/** One module that imports everything, in ESM or CommonJS by its extension. */
export const everything = () =>
  ENTRY_POINTS.map((entry, index) => `export * as entry${index} from '${entry}';`).join('\n');

export function configOf(mode, exact, files, extra = {}) {
  const module =
    mode === 'bundler'
      ? { module: 'esnext', moduleResolution: 'bundler' }
      : { module: mode, moduleResolution: mode === 'node20' ? 'node16' : mode };
  return JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      lib: ['es2022'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: exact,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      skipLibCheck: false,
      ...module,
      ...extra,
    },
    files,
  });
}

export default COMPILERS.map(({ version, node, modes }) => ({
  id: `typescript-${version}`,
  group: 'TypeScript',
  title: `TypeScript ${version}`,
  short: version === '5.1' || version === '7',
  async run(env) {
    await env.install(PACKAGES, [`typescript@${version}`, `@types/node@${node}`]);
    for (const extension of ['mts', 'cts']) {
      env.write(`everything.${extension}`, everything());
      env.write(`usage.${extension}`, USAGE);
    }
    const asserted = [];
    for (const mode of modes) {
      for (const exact of [false, true]) {
        const files = ['everything.mts', 'usage.mts'];
        // A bundler reads every file as ESM.
        if (mode !== 'bundler') files.push('everything.cts', 'usage.cts');
        env.write('tsconfig.json', configOf(mode, exact, files));
        await env.exec('node', ['node_modules/typescript/bin/tsc', '-p', '.']);
      }
      asserted.push(`${mode}: ${mode === 'bundler' ? 'ESM' : 'ESM and CommonJS'}`);
    }
    asserted.push('strict, with and without exactOptionalPropertyTypes, no skipLibCheck');
    return { loaded: [env.versionOf('typescript'), env.versionOf('@types/node')], asserted };
  },
}));
