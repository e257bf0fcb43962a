import { isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import { LineIndex } from '../source/source.ts';
import type { DefinitionIssue } from './errors.ts';

/** A YAML value with its position, for issue reports. */
export interface Located {
  readonly node: Node | null;
  readonly offset: number;
  readonly path: string;
}

/** An entry of a mapping, with the position of its key. */
interface LocatedEntry {
  readonly key: string;
  readonly keyAt: Located;
  readonly value: Located;
}

/**
 * A YAML document read with the failsafe schema, and the issues found in it. In that schema every
 * scalar is a string, so `true: verdadero` maps a string and not a boolean.
 */
export class DefinitionDocument {
  readonly root: Located;
  readonly #lines: LineIndex;
  readonly #issues: (DefinitionIssue & { readonly offset: number })[] = [];

  constructor(text: string) {
    this.#lines = new LineIndex(text);
    try {
      const document = parseDocument(text, {
        schema: 'failsafe',
        prettyErrors: false,
        uniqueKeys: true,
      });
      this.root = { node: document.contents as Node | null, offset: 0, path: '' };
      for (const error of document.errors) this.report(error.pos[0], '', error.message);
    } catch (error) {
      // The YAML composer is recursive, so a deeply nested document overflows the stack.
      if (!(error instanceof RangeError)) throw error;
      this.root = { node: null, offset: 0, path: '' };
      this.report(0, '', 'the document is nested too deeply');
    }
  }

  /** The issues found so far, in document order. */
  get issues(): readonly DefinitionIssue[] {
    return this.#issues
      .toSorted((a, b) => a.offset - b.offset)
      .map(({ path, message, line, column }) => ({ path, message, line, column }));
  }

  report(at: number | Located, path: string, message: string): void {
    const offset = typeof at === 'number' ? at : at.offset;
    this.#issues.push({ path, message, ...this.#lines.positionAt(offset) });
  }

  /** The entries of a mapping. Reports an issue and returns none for any other value. */
  entries(at: Located): readonly LocatedEntry[] {
    if (!isMap(at.node)) {
      this.report(at, at.path, 'must be a mapping');
      return [];
    }
    const found: LocatedEntry[] = [];
    for (const pair of at.node.items) {
      const key = pair.key as Node | null;
      const offset = key?.range?.[0] ?? at.offset;
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.report(offset, at.path, 'a key must be a string');
        continue;
      }
      const path = at.path === '' ? key.value : `${at.path}.${key.value}`;
      const value = pair.value as Node | null;
      found.push({
        key: key.value,
        keyAt: { node: key, offset, path },
        value: { node: value, offset: value?.range?.[0] ?? offset, path },
      });
    }
    return found;
  }

  /** The items of a list. Reports an issue and returns none for any other value. */
  items(at: Located): readonly Located[] {
    if (!isSeq(at.node)) {
      this.report(at, at.path, 'must be a list');
      return [];
    }
    return at.node.items.map((item, index) => {
      const node = item as Node | null;
      return { node, offset: node?.range?.[0] ?? at.offset, path: `${at.path}.${index}` };
    });
  }

  /** The text of a scalar. Reports an issue and returns `undefined` for any other value. */
  text(at: Located): string | undefined {
    if (isScalar(at.node) && typeof at.node.value === 'string' && at.node.value !== '') {
      return at.node.value.normalize('NFC');
    }
    this.report(at, at.path, 'must be a non-empty string');
    return undefined;
  }

  /**
   * An integer from `min` to `max`. Reports an issue and returns `undefined` for any other value.
   */
  integer(at: Located, min: number, max: number): number | undefined {
    const text = isScalar(at.node) ? at.node.value : undefined;
    const value = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.report(at, at.path, `must be an integer from ${min} to ${max}`);
    return undefined;
  }

  /** One of `choices`. Reports an issue and returns `undefined` for any other value. */
  choice<T extends string>(at: Located, choices: readonly T[]): T | undefined {
    const text = isScalar(at.node) ? at.node.value : undefined;
    const found = choices.find((choice) => choice === text);
    if (found === undefined) this.report(at, at.path, `must be one of ${choices.join(', ')}`);
    return found;
  }
}
