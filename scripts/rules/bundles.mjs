// How the bundles of a package follow from its manifest and its sources.

/**
 * The modules that `exports` names for both module systems, by their path under `src` without an extension.
 *
 * @param {{ exports: Record<string, unknown> }} manifest
 */
export function entriesOf({ exports }) {
  return Object.values(exports)
    .filter((target) => target.import?.default && target.require?.default)
    .map((target) => target.import.default.replace(/^\.\/dist\/(.*)\.js$/, '$1'))
    .sort();
}

/**
 * The modules that have declarations: all but tests and the programs of `bin`, which nobody loads.
 *
 * @param {{ bin?: Record<string, string> }} manifest
 * @param {string[]} files paths from the folder of the package
 */
export function sourcesOf({ bin = {} }, files) {
  const programs = new Set(
    Object.values(bin).map((file) => file.replace(/^(?:\.\/)?dist\/(.*)\.js$/, '$1')),
  );
  return files
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !/\.(?:test|type-test|d)\.ts$/.test(file))
    .map((file) => file.replace(/^src\/(.*)\.ts$/, '$1'))
    .filter((module) => !programs.has(module))
    .sort();
}

/**
 * The manifest in `dist/cjs`. Node and bundlers read the nearest one, so it repeats what of the
 * package's manifest concerns single files.
 *
 * @param {{ sideEffects?: boolean }} manifest
 */
export function commonJsManifest({ sideEffects }) {
  return `${JSON.stringify({ type: 'commonjs', sideEffects }, undefined, 2)}\n`;
}

/** A source map whose sources are reached from another folder. */
export function moveSources(map, prefix) {
  const parsed = JSON.parse(map);
  return JSON.stringify({ ...parsed, sources: parsed.sources.map((source) => prefix + source) });
}
