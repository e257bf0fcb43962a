// Reads the JSON report of knip.

/** What is called a finding, by the field of the report. Any other field with entries counts as well. */
const NAMES = {
  files: 'file',
  exports: 'export',
  types: 'type',
  dependencies: 'dependency',
  devDependencies: 'dependency',
  optionalPeerDependencies: 'dependency',
  catalog: 'catalog entry',
  enumMembers: 'enum member',
  namespaceMembers: 'namespace member',
};

/**
 * @param {{ issues: Record<string, unknown>[] }} report of `knip --reporter json`
 * @returns {{ rule: string, file: string, line: number, what: string }[]}
 */
export function findingsOf({ issues }) {
  return issues.flatMap(({ file, owners, ...fields }) =>
    Object.entries(fields).flatMap(([field, list]) => {
      if (!Array.isArray(list)) throw new Error(`The report of knip has no list in '${field}'.`);
      return list.flat().map(({ name, namespace, line = 1 }) => ({
        rule: NAMES[field] ?? field,
        file,
        line,
        what: namespace === undefined ? name : `${namespace}.${name}`,
      }));
    }),
  );
}

const ADVICE = {
  unlisted: 'is used but is no dependency.\n  Add it to package.json.',
  unresolved: 'is imported but does not exist.\n  Correct the import.',
  binaries: 'is run but comes from no dependency.\n  Add the dependency to package.json.',
  catalogReferences: 'is not in the catalog.\n  Add it to pnpm-workspace.yaml.',
  duplicates: 'is exported twice.\n  Keep one name.',
};

/** What is wrong with a finding, and what to do. */
export const adviceOn = (rule) =>
  ADVICE[rule] ?? 'nothing uses it.\n  Remove it, or say in knip.config.js why it stays.';
