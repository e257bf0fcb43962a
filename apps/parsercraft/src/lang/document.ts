import { isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import { LineIndex } from '../source/source.ts';
import type { DefinitionIssue } from './errors.ts';

/** A YAML value together with where it stands, so that every complaint can point at it. */
export interface Located {
  readonly node: Node | null;
  readonly offset: number;
  readonly path: string;
}

/** A map's entry: the key has a place of its own. */
interface LocatedEntry {
  readonly key: string;
  readonly keyAt: Located;
  readonly value: Located;
}

/**
 * A YAML text read with the failsafe schema (every scalar is text, so that `true: verdadero`
 * is a word and not a boolean), and the list of complaints about it.
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
      for (const error of document.errors) this.complain(error.pos[0], '', error.message);
    } catch (error) {
      // The composer recurses; a text nested thousands deep ends it.
      if (!(error instanceof RangeError)) throw error;
      this.root = { node: null, offset: 0, path: '' };
      this.complain(0, '', 'the document is nested too deeply');
    }
  }

  /** The complaints so far, in document order. */
  get issues(): readonly DefinitionIssue[] {
    return this.#issues
      .toSorted((a, b) => a.offset - b.offset)
      .map(({ path, message, line, column }) => ({ path, message, line, column }));
  }

  complain(at: number | Located, path: string, message: string): void {
    const offset = typeof at === 'number' ? at : at.offset;
    this.#issues.push({ path, message, ...this.#lines.positionAt(offset) });
  }

  /** The entries of a map; a complaint and none when it is no map. */
  entries(at: Located): readonly LocatedEntry[] {
    if (!isMap(at.node)) {
      this.complain(at, at.path, 'must be a map');
      return [];
    }
    const found: LocatedEntry[] = [];
    for (const pair of at.node.items) {
      const key = pair.key as Node | null;
      const offset = key?.range?.[0] ?? at.offset;
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.complain(offset, at.path, 'a key must be plain text');
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

  /** The items of a list; a complaint and none when it is no list. */
  items(at: Located): readonly Located[] {
    if (!isSeq(at.node)) {
      this.complain(at, at.path, 'must be a list');
      return [];
    }
    return at.node.items.map((item, index) => {
      const node = item as Node | null;
      return { node, offset: node?.range?.[0] ?? at.offset, path: `${at.path}.${index}` };
    });
  }

  /** The text of a scalar; a complaint and `undefined` when it is none. */
  text(at: Located): string | undefined {
    if (isScalar(at.node) && typeof at.node.value === 'string' && at.node.value !== '') {
      return at.node.value.normalize('NFC');
    }
    this.complain(at, at.path, 'must be text');
    return undefined;
  }

  /** A whole number from `min` to `max`; a complaint and `undefined` when it is none. */
  integer(at: Located, min: number, max: number): number | undefined {
    const text = isScalar(at.node) ? at.node.value : undefined;
    const value = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.complain(at, at.path, `must be a whole number from ${min} to ${max}`);
    return undefined;
  }

  /** One of `choices`; a complaint and `undefined` when it is none of them. */
  choice<T extends string>(at: Located, choices: readonly T[]): T | undefined {
    const text = isScalar(at.node) ? at.node.value : undefined;
    const found = choices.find((choice) => choice === text);
    if (found === undefined) this.complain(at, at.path, `must be one of ${choices.join(', ')}`);
    return found;
  }
}
