// Lets tools that do not read `exports` find the entry points of a package that is being packed: TypeScript
// with `moduleResolution: node10`, Parcel, Browserify, Metro, the resolvers of older linters. Each subpath,
// such as `@temper/audit/file`, becomes a folder that names its CommonJS build and its types.
// usage, in a package's folder: node ../../scripts/entry-folders.mjs write|remove
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const { exports, publishConfig } = JSON.parse(readFileSync('package.json', 'utf8'));

for (const [subpath, target] of Object.entries(publishConfig?.exports ?? exports)) {
  if (subpath === '.' || typeof target === 'string') continue;
  const folder = subpath.slice('./'.length);
  if (process.argv[2] === 'remove') {
    rmSync(folder, { recursive: true });
    continue;
  }
  if (existsSync(folder)) throw new Error(`${folder} is in the way of the entry point ${subpath}`);
  mkdirSync(folder);
  const { types, default: main } = target.require;
  writeFileSync(
    `${folder}/package.json`,
    `${JSON.stringify({ main: `../${main.slice(2)}`, types: `../${types.slice(2)}` }, undefined, 2)}\n`,
  );
}
