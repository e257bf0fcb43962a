// Violations that were there when a rule was introduced. The list only shrinks: a violation that is not
// on it fails the check, and so does an entry that no longer occurs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './workspace.mjs';

const LINE_WIDTH = 100;
const FILE = join(ROOT, 'scripts/known-violations.json');

/**
 * @typedef {{ rule: string, file: string, what: string, count: number }} Known lines are left out, as
 *   they move
 */

/** @returns {Known[]} the entries of one check: `imports` or `unused` */
export const readKnown = (check) => JSON.parse(readFileSync(FILE, 'utf8'))[check];

/** Replaces the entries of one check. */
export function writeKnown(check, known) {
  const all = { ...JSON.parse(readFileSync(FILE, 'utf8')), [check]: known };
  const text = Object.entries(all)
    .map(
      ([name, list]) =>
        `  "${name}": [${list.map((one) => `\n    ${entryText(one)}`).join(',')}${list.length > 0 ? '\n  ' : ''}]`,
    )
    .join(',\n');
  writeFileSync(FILE, `{\n${text}\n}\n`);
}

/** One line, or where that is too long one line a field: as the formatter would write it. */
function entryText({ rule, file, what, count }) {
  const fields = Object.entries({ rule, file, what, count }).map(
    ([name, value]) => `"${name}": ${JSON.stringify(value)}`,
  );
  const line = `    { ${fields.join(', ')} }`;
  return line.length < LINE_WIDTH ? line.trim() : `{\n      ${fields.join(',\n      ')}\n    }`;
}

const keyOf = ({ rule, file, what }) => `${rule}\n${file}\n${what}`;

/** The violations as entries of the list, sorted. */
export function toKnown(violations) {
  const known = new Map();
  for (const { rule, file, what } of violations) {
    const entry = known.get(keyOf({ rule, file, what })) ?? { rule, file, what, count: 0 };
    entry.count++;
    known.set(keyOf(entry), entry);
  }
  return [...known.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/**
 * @template {{ rule: string, file: string, what: string }} V
 * @param {V[]} violations
 * @param {Known[]} known
 * @returns {{ fresh: V[], gone: Known[] }} violations beyond the list, and entries beyond the violations,
 *   with the count by which they exceed them
 */
export function compareWithKnown(violations, known) {
  const open = new Map(known.map((entry) => [keyOf(entry), entry.count]));
  const fresh = violations.filter((violation) => {
    const left = open.get(keyOf(violation)) ?? 0;
    open.set(keyOf(violation), left - 1);
    return left <= 0;
  });
  const gone = known.flatMap((entry) => {
    const left = open.get(keyOf(entry));
    return left > 0 ? [{ ...entry, count: left }] : [];
  });
  return { fresh, gone };
}

/** The list without the entries that no longer occur. */
export function prune(known, gone) {
  const excess = new Map(gone.map((entry) => [keyOf(entry), entry.count]));
  return known
    .map((entry) => ({ ...entry, count: entry.count - (excess.get(keyOf(entry)) ?? 0) }))
    .filter(({ count }) => count > 0);
}
