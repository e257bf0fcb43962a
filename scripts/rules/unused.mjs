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
