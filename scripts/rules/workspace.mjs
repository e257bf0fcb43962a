// The packages of this repository: where they lie, what they export, and on which floor they stand.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of this repository. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * The floors of the house, from the ground up. A package imports packages of lower floors only, so
 * packages that share a floor never import each other.
 */
export const FLOORS = [
  ['core', 'testkit'],
  ['retry', 'breaker', 'ratelimit', 'audit', 'health', 'shutdown', 'runbooks', 'forecast'],
  ['recovery', 'redis'],
  ['parsercraft-handlers'],
  ['parsercraft', 'registry'],
  ['demo', 'bench', 'observability', 'clients', 'drain', 'simulation'],
];

/** Floor of a package by its folder name, or -1. */
export const floorOf = (name) => FLOORS.findIndex((floor) => floor.includes(name));

/**
 * @typedef {object} Package
 * @property {string} name folder name: `retry`
 * @property {string} id npm name: `@temper/retry`
 * @property {string} folder relative to the root, with forward slashes: `packages/retry`
 * @property {boolean} published
 * @property {Record<string, string>} entries subpath of each entry point to its source file, relative
 *   to the root: `{ '.': 'packages/retry/src/index.ts' }`
 * @property {string[]} doors the subpaths that its tarball has, which may be fewer
 */

/** @returns {Package[]} the packages, apps, bench, clients, drain, observability and simulation, sorted by folder */
export function readPackages(root = ROOT) {
  return globSync('{packages/*,apps/*,bench,clients,drain,observability,simulation}/package.json', {
    cwd: root,
  })
    .map((manifest) => dirname(manifest).replaceAll('\\', '/'))
    .sort()
    .map((folder) => {
      const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const entries = Object.entries(manifest.exports ?? {})
        .filter(([, target]) => typeof target === 'object')
        .map(([subpath, target]) => [subpath, sourceOf(folder, (target.import ?? target).default)]);
      return {
        name: basename(folder),
        id: manifest.name,
        folder,
        published: manifest.private !== true,
        entries: Object.fromEntries(entries),
        doors: entries
          .map(([subpath]) => subpath)
          .filter((subpath) => subpath in (manifest.publishConfig?.exports ?? manifest.exports)),
      };
    });
}

/** The source of a built file: `./dist/http/index.js` is built from `src/http/index.ts`. */
function sourceOf(folder, built) {
  return posix.join(folder, built.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts'));
}

/** The package that a file belongs to, or undefined. */
export const packageOf = (packages, file) =>
  packages.find(({ folder }) => file.startsWith(`${folder}/`));

/** Tests and what only tests use. */
export const isTest = (file) => file.endsWith('.test.ts') || file.includes('/test/');

/** Every TypeScript file of the packages, relative to the root, sorted. */
export function listFiles(root = ROOT) {
  return globSync(
    '{packages/*,apps/*,bench,clients,drain,observability,simulation}/{src,test,page}/**/*.ts',
    {
      cwd: root,
      exclude: (name) => name === 'node_modules' || name === 'dist',
    },
  )
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !file.endsWith('.d.ts'))
    .sort();
}

/**
 * What an import leads to.
 *
 * @returns {{ file: string } | { external: string } | { missing: true }} a file of this repository, the
 *   name of a package from elsewhere, or nothing
 */
export function resolveImport(packages, from, specifier, exists) {
  if (specifier.startsWith('.')) {
    const file = posix.join(posix.dirname(from), specifier);
    return exists(file) ? { file } : { missing: true };
  }
  const [scope, name] = specifier.split('/');
  const id = specifier.startsWith('@') ? `${scope}/${name}` : scope;
  const target = packages.find((one) => one.id === id);
  if (target === undefined) return { external: id };
  const subpath = specifier === id ? '.' : `.${specifier.slice(id.length)}`;
  const file = target.entries[subpath];
  return file !== undefined && exists(file) ? { file } : { missing: true };
}

/** Whether a file is in the tree, for {@link resolveImport}. */
export const existsUnder = (root) => (file) => existsSync(join(root, file));
