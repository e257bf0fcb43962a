// What `pnpm mutate` changes, and how it tells what became of it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, matchesGlob, relative } from 'node:path';

/** Not mutated: tests, types checked by the compiler, and names that the reports of the API hold. */
const LEFT_OUT = ['**/*.test.ts', '**/*.type-test.ts', '**/version.ts', '**/semconv.ts'];

/** @typedef {{ file: string, from: number, to: number }} Lines of a file relative to its package */

/**
 * The lines that a package has now and did not have where it left a commit, whether or not they are committed.
 *
 * @returns {Lines[]}
 */
export function changedSince(commit, folder) {
  const git = (...args) => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });
  const changed = addedLines(
    git('diff', '--merge-base', '--unified=0', '--no-color', '--relative', commit, '--', 'src'),
  );
  const added = git('ls-files', '--others', '--exclude-standard', 'src')
    .split('\n')
    .filter(Boolean);
  return [
    ...changed,
    ...added.map((file) => ({
      file,
      from: 1,
      to: readFileSync(join(folder, file), 'utf8').split('\n').length,
    })),
  ];
}

/** The lines that a patch without context adds. @returns {Lines[]} */
export function addedLines(patch) {
  const lines = [];
  let file;
  for (const line of patch.split('\n')) {
    if (line.startsWith('+++ ')) file = line.startsWith('+++ b/') ? line.slice(6) : undefined;
    const [, start, count = '1'] = /^@@ -\S+ \+(\d+)(?:,(\d+))? @@/.exec(line) ?? [];
    if (start === undefined || file === undefined || count === '0') continue;
    lines.push({ file, from: Number(start), to: Number(start) + Number(count) - 1 });
  }
  return lines;
}

/** The files that are mutated, sorted. */
export function sourcesOf(files) {
  const isMutated = (file) => !LEFT_OUT.some((pattern) => matchesGlob(file, pattern));
  return files
    .map((file) => file.replaceAll('\\', '/'))
    .filter(isMutated)
    .sort();
}

/** Stryker's patterns for these lines of these sources. @param {Lines[]} lines */
export const patternsOf = (sources, lines) =>
  lines
    .filter(({ file }) => sources.includes(file))
    .map(({ file, from, to }) => `${file}:${from}-${to}`);

const UNNOTICED = ['Survived', 'NoCoverage'];

/** One line for each mutant that no test noticed, in the order of the sources. */
export function describeMutants(results, folder) {
  return results
    .filter(({ status }) => UNNOTICED.includes(status))
    .sort(
      (a, b) =>
        a.fileName.localeCompare(b.fileName) ||
        a.location.start.line - b.location.start.line ||
        a.location.start.column - b.location.start.column,
    )
    .map(({ fileName, location, mutatorName, replacement, status }) => {
      const { start, end } = location;
      const text = textBetween(readFileSync(fileName, 'utf8'), start, end);
      const place = `${relative(folder, fileName).replaceAll('\\', '/')}:${start.line}:${start.column}`;
      const what = status === 'NoCoverage' ? 'not reached by a test' : 'survived';
      return `${place} ${what}, ${mutatorName}: ${short(text)} -> ${short(replacement)}`;
    });
}

/** @param start - line from 1, column from 1, as `end`, which is exclusive */
function textBetween(source, start, end) {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column - 1);
  lines[0] = lines[0].slice(start.column - 1);
  return lines.join('\n');
}

function short(text) {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 70 ? `${line.slice(0, 67)}...` : line || '(nothing)';
}

/** The share of the valid mutants that a test noticed, in per cent. */
export function scoreOf(results) {
  const count = (...states) => results.filter(({ status }) => states.includes(status)).length;
  const [killed, unnoticed] = [count('Killed', 'Timeout'), count(...UNNOTICED)];
  const score = killed + unnoticed === 0 ? 100 : (100 * killed) / (killed + unnoticed);
  const counts = `${killed} of ${killed + unnoticed} noticed (${count('Timeout')} by a timeout)`;
  const other = count('Survived') + count('NoCoverage');
  const text = `${counts}, ${other} not, ${count('NoCoverage')} of them not reached; score ${score.toFixed(1)} %`;
  return { score, text };
}
