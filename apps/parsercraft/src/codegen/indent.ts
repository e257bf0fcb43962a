/** Joins lines of C, two spaces per open brace. A line opens or closes at its ends only. */
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
