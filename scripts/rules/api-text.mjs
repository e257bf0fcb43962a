// Reads API reports: how many names one exports, and in which lines two differ.

/** The number of names that a report of API Extractor exports; overloads count once. */
export function countExports(report) {
  const names = new Set();
  const code = report.slice(report.indexOf('```ts'), report.lastIndexOf('```'));
  for (const [, name] of code.matchAll(
    /^export (?:declare |abstract |default )*(?:function|class|interface|type|const|let|var|enum|namespace) ([\w$]+)/gm,
  ))
    names.add(name);
  for (const [, list] of code.matchAll(/^export \{([^}]*)\}/gm))
    for (const item of list.split(',')) {
      const name = item
        .trim()
        .split(/\s+as\s+/)
        .at(-1);
      if (name) names.add(name);
    }
  return names.size;
}

const MOST_LINES = 20;

/** The lines that only one of two texts has, at most 20, each with `-` or `+`. */
export function lineDifference(before, after) {
  const old = countLines(before);
  const changed = [];
  for (const line of after.split('\n')) {
    const left = old.get(line) ?? 0;
    if (left > 0) old.set(line, left - 1);
    else changed.push(`  + ${line}`);
  }
  const gone = [...old].flatMap(([line, left]) => Array(left).fill(`  - ${line}`));
  const all = [...gone, ...changed];
  const more = all.length - MOST_LINES;
  return [...all.slice(0, MOST_LINES), ...(more > 0 ? [`  … and ${more} lines more`] : [])].join(
    '\n',
  );
}

function countLines(text) {
  const counts = new Map();
  for (const line of text.split('\n')) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
