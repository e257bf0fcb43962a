// Makes the bundles of a package from its modules: dist/node, ES modules with one file for each entry point and
// for what entry points share, so that Node opens few files; and dist/cjs, the same as CommonJS, with the
// declarations of every module. Runs in the folder of the package, after `tsc -b`. Only what has changed is
// written, so that a build under way never shows a half-written file that nobody changed.
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { build, transform } from 'esbuild';
import { commonJsManifest, entriesOf, moveSources, sourcesOf } from './rules/bundles.mjs';

const ESM = 'dist/node';
const COMMON_JS = 'dist/cjs';
const TARGET = 'node20.19';
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));

const { outputFiles } = await build({
  entryPoints: entriesOf(manifest).map((module) => `dist/${module}.js`),
  outdir: ESM,
  outbase: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'shared/[hash]',
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: TARGET,
  sourcemap: true,
  sourcesContent: false,
  write: false,
  logLevel: 'error',
});

/** @type {Map<string, string>} content by path */
const files = new Map([[join(COMMON_JS, 'package.json'), commonJsManifest(manifest)]]);
const bundles = new Map(outputFiles.map(({ path, text }) => [relative('.', path), text]));
for (const [path, text] of bundles) {
  files.set(path, text);
  if (path.endsWith('.map')) continue;
  const map = bundles.get(`${path}.map`);
  const inline = Buffer.from(map).toString('base64');
  const converted = await transform(
    text.replace(
      /^\/\/# sourceMappingURL=.*$/m,
      `//# sourceMappingURL=data:application/json;base64,${inline}`,
    ),
    {
      format: 'cjs',
      platform: 'node',
      target: TARGET,
      sourcemap: true,
      sourcesContent: false,
      sourcefile: path,
    },
  );
  const target = join(COMMON_JS, relative(ESM, path));
  files.set(target, `${converted.code}//# sourceMappingURL=${basename(target)}.map\n`);
  files.set(`${target}.map`, converted.map);
}
for (const module of sourcesOf(manifest, globSync('src/**/*.ts'))) {
  for (const extension of ['.d.ts', '.d.ts.map']) {
    const text = readFileSync(`dist/${module}${extension}`, 'utf8');
    files.set(
      join(COMMON_JS, module + extension),
      extension === '.d.ts.map' ? moveSources(text, '../') : text,
    );
  }
}

for (const [path, text] of files) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
for (const path of globSync(`{${ESM},${COMMON_JS}}/**/*.*`)) if (!files.has(path)) rmSync(path);
