import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { ROOT } from './workspace.mjs';

/**
 * Bytes of a module when it is bundled, minified and gzipped, without Node's own modules. As bundlers for browsers
 * and workers resolve it: from single modules, of which they drop those that nothing uses. For Node there are
 * bundles, which keep more and open faster.
 *
 * @param {string} code the module
 * @param {string[]} external packages that are left out as well
 * @param {string} [resolveDir] where its imports are resolved
 */
export async function bundleSize(code, external, resolveDir = ROOT) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'node22',
    external: ['node:*', ...builtinModules, ...external],
    write: false,
    logLevel: 'silent',
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

/** Single module of each published entry point by the name that an application imports. */
export function builtFiles(packages) {
  return new Map(
    packages.flatMap(({ id, entries, doors }) =>
      doors.map((subpath) => [
        id + subpath.slice(1),
        join(ROOT, entries[subpath].replace('/src/', '/dist/').replace(/\.ts$/, '.js')),
      ]),
    ),
  );
}

/**
 * A module that exports some names of entry points.
 *
 * @param {Map<string, string>} files of `builtFiles`
 * @param {Record<string, string[]>} names by entry point
 */
export function moduleOf(files, names) {
  return Object.entries(names)
    .map(([entry, list]) => {
      const file = files.get(entry);
      if (file === undefined) throw new Error(`${entry} is no published entry point.`);
      return `export { ${list.join(', ')} } from ${JSON.stringify(file)};`;
    })
    .join('\n');
}
