import type { DefinitionDocument, Located } from './document.ts';

const WORD = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;
const SYMBOL = /^[+\-*/%<>=!&|^~?@$#:\\]{1,4}$/;

export function isWord(text: string): boolean {
  return WORD.test(text);
}

/** Reads the word for a keyword, type or function: an identifier. Reports any other text. */
export function readWord(document: DefinitionDocument, at: Located): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  if (text.length <= 40 && isWord(text)) return text;
  document.report(
    at,
    at.path,
    `'${text}' is not a word: use letters, digits and _, at most 40 characters`,
  );
  return undefined;
}

/**
 * Reads a sign such as `<=`. The brackets, quotes, dots and separators of the grammar are excluded.
 */
export function readSign(document: DefinitionDocument, at: Located): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  if (SYMBOL.test(text) && text !== ':') return text;
  document.report(
    at,
    at.path,
    `'${text}' is not a sign: use 1 to 4 of + - * / % < > = ! & | ^ ~ ? @ $ # : \\`,
  );
  return undefined;
}

/** Reads an operator symbol: a word or a sign. */
export function readWordOrSign(document: DefinitionDocument, at: Located): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  return isWord(text) ? readWord(document, at) : readSign(document, at);
}

/** Reads a block mark: a word, `{` or `}`, `[` or `]`. */
export function readBlockMark(
  document: DefinitionDocument,
  at: Located,
  brackets: readonly string[],
): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  if (brackets.includes(text)) return text;
  if (isWord(text)) return readWord(document, at);
  document.report(at, at.path, `'${text}' must be a word or one of ${brackets.join(' ')}`);
  return undefined;
}

/** The spellings in use, so that a duplicate can be reported with the first use. */
export class Spellings {
  readonly #document: DefinitionDocument;
  readonly #uses = new Map<string, string>();

  constructor(document: DefinitionDocument) {
    this.#document = document;
  }

  has(spelling: string): boolean {
    return this.#uses.has(spelling);
  }

  /** Registers a spelling for `what`. Reports an issue when it is already in use. */
  take(spelling: string, what: string, at: Located): void {
    const first = this.#uses.get(spelling);
    if (first === undefined) this.#uses.set(spelling, what);
    else this.#document.report(at, at.path, `'${spelling}' is already used for ${first}`);
  }

  entries(): Iterable<[string, string]> {
    return this.#uses.entries();
  }
}
