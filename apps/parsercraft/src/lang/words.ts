import type { DefinitionDocument, Located } from './document.ts';

const WORD = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;
const SYMBOL = /^[+\-*/%<>=!&|^~?@$#:\\]{1,4}$/;

export function isWord(text: string): boolean {
  return WORD.test(text);
}

/** A keyword, type or function: an identifier; a complaint and `undefined` when it is none. */
export function readWord(document: DefinitionDocument, at: Located): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  if (text.length <= 40 && isWord(text)) return text;
  document.complain(at, at.path, `'${text}' is no word: letters, digits and _, at most 40`);
  return undefined;
}

/** Signs such as `<=`; the brackets, quotes, dots and separators of the grammar are not among them. */
export function readSign(document: DefinitionDocument, at: Located): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  if (SYMBOL.test(text) && text !== ':') return text;
  document.complain(
    at,
    at.path,
    `'${text}' is no sign: 1 to 4 of + - * / % < > = ! & | ^ ~ ? @ $ # : \\`,
  );
  return undefined;
}

/** An operator's symbol: a word or a sign. */
export function readWordOrSign(document: DefinitionDocument, at: Located): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  return isWord(text) ? readWord(document, at) : readSign(document, at);
}

/** A block's mark: a word, `{` or `}`, `[` or `]`. */
export function readBlockMark(
  document: DefinitionDocument,
  at: Located,
  brackets: readonly string[],
): string | undefined {
  const text = document.text(at);
  if (text === undefined) return undefined;
  if (brackets.includes(text)) return text;
  if (isWord(text)) return readWord(document, at);
  document.complain(at, at.path, `'${text}' must be a word or one of ${brackets.join(' ')}`);
  return undefined;
}

/** Who uses which spelling, so that a second use can name the first. */
export class Spellings {
  readonly #document: DefinitionDocument;
  readonly #uses = new Map<string, string>();

  constructor(document: DefinitionDocument) {
    this.#document = document;
  }

  has(spelling: string): boolean {
    return this.#uses.has(spelling);
  }

  /** Takes a spelling for `what`; a complaint when something else has it. */
  take(spelling: string, what: string, at: Located): void {
    const first = this.#uses.get(spelling);
    if (first === undefined) this.#uses.set(spelling, what);
    else this.#document.complain(at, at.path, `'${spelling}' is already ${first}`);
  }

  entries(): Iterable<[string, string]> {
    return this.#uses.entries();
  }
}
