import { readFileSync } from 'node:fs';
import { safeText } from '@temper/core/policy';
import { type Document, isMap, isScalar, LineCounter, parseDocument, type Scalar } from 'yaml';
import { type HardeningOverrides, resolveSettings } from './settings.ts';

/** A settings file that does not fit: the message has the line and column. */
export class SettingsFileError extends Error {
  readonly path: string;
  readonly line: number;
  readonly column: number;

  constructor(path: string, line: number, column: number, problem: string, cause?: unknown) {
    super(`${path}:${line}:${column}: ${safeText(problem, MAX_PROBLEM)}`, { cause });
    this.name = 'SettingsFileError';
    this.path = path;
    this.line = line;
    this.column = column;
  }
}

/**
 * Longest document, in UTF-16 code units. All settings together have about 4000; the time of a parser of YAML
 * grows with the square of the number of keys.
 */
const MAX_LENGTH = 32_768;
/** Longest problem in a message, in UTF-16 code units: it quotes the document. */
const MAX_PROBLEM = 1024;

/**
 * Reads overrides from YAML (or JSON, which is YAML): the structure of `HardeningSettings`, with only
 * the parts that differ.
 *
 * @param text - the document, of at most 32 768 characters
 * @param path - its name, for messages
 * @throws {SettingsFileError} with line and column, when it is too long, is not YAML or does not fit
 */
export function parseSettings(text: string, path = 'settings'): HardeningOverrides {
  if (text.length > MAX_LENGTH) {
    const problem = `is ${text.length} characters long; the maximum is ${MAX_LENGTH}`;
    throw new SettingsFileError(path, 1, 1, problem);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw new SettingsFileError(path, line, col, broken.message, broken);
  }
  try {
    const overrides = (document.toJS() ?? {}) as HardeningOverrides;
    resolveSettings(overrides);
    return overrides;
  } catch (error) {
    const { line, col } = lines.linePos(offsetOf(document, (error as Error).message));
    throw new SettingsFileError(path, line, col, (error as Error).message, error);
  }
}

/** {@link parseSettings} of a file. */
export function readSettings(path: string): HardeningOverrides {
  return parseSettings(readFileSync(path, 'utf8'), path);
}

/** Where in the document the option stands that a message of `resolveSettings` names. */
function offsetOf(document: Document, message: string): number {
  const match =
    /^parserCraftHardening((?:\.[^.:\s]+)*): (?:unknown option '(.*)'; known are |(\w+) must)/.exec(
      message,
    );
  if (match === null) return 0;
  const [, prefix = '', unknown, named] = match;
  const path = prefix.split('.').filter(Boolean);
  if (unknown !== undefined) {
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === unknown)
      : undefined;
    return (pair?.key as Scalar | undefined)?.range?.[0] ?? 0;
  }
  const key = named === 'settings' ? undefined : named;
  for (const candidate of [key === undefined ? path : [...path, key], path]) {
    const node = candidate.length === 0 ? document.contents : document.getIn(candidate, true);
    const range = (node as { range?: readonly number[] } | undefined)?.range;
    if (range?.[0] !== undefined) return range[0];
  }
  return 0;
}
