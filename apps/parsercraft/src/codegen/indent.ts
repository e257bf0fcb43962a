/**
 * Joins lines of C, indented by two spaces per open brace. Only a `{` at the end or a `}` at the
 * start of a line counts.
 */
export function indentLines(lines: readonly string[]): string {
  let depth = 0;
  return lines
    .map((line) => {
      if (line.startsWith('}')) depth -= 1;
      const indented = `${'  '.repeat(Math.max(0, depth))}${line}`;
      if (line.endsWith('{')) depth += 1;
      return indented;
    })
    .join('\n');
}
