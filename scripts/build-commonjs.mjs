// Makes the CommonJS build of a package from its ESM build: dist/cjs mirrors dist file by file, with
// declarations and source maps. Runs in the folder of the package, after `tsc -b`. Only what has
// changed is written, so that a build under way never shows a half-written file that nobody changed.
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { commonJsManifest, moveSources, sourcesOf } from './rules/commonjs.mjs';

const OUT = 'dist/cjs';
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const modules = sourcesOf(manifest, globSync('src/**/*.ts'));

const { outputFiles } = await build({
  entryPoints: modules.map((module) => `dist/${module}.js`),
  outdir: OUT,
  outbase: 'dist',
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  sourcesContent: false,
  write: false,
  logLevel: 'error',
});

/** @type {Map<string, string>} content by path */
const files = new Map([[join(OUT, 'package.json'), commonJsManifest(manifest)]]);
for (const { path, text } of outputFiles) files.set(path.slice(process.cwd().length + 1), text);
for (const module of modules) {
  for (const extension of ['.d.ts', '.d.ts.map']) {
    const text = readFileSync(`dist/${module}${extension}`, 'utf8');
    files.set(
      join(OUT, module + extension),
      extension === '.d.ts.map' ? moveSources(text, '../') : text,
    );
  }
}

for (const [path, text] of files) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
for (const path of globSync(`${OUT}/**/*.*`)) if (!files.has(path)) rmSync(path);
