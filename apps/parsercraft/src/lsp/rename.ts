import { ErrorCodes, ResponseError, type TextEdit } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { isWord } from '../lang/words.ts';
import { vocabularyOf } from '../parse/parse.ts';
import type { CheckedModule } from '../types/module.ts';
import { isOwn, nameAt, placesOf } from './symbols-at.ts';
import type { Workspace } from './workspace.ts';

/**
 * The edits that rename the symbol at an offset. The renamed document is analysed first: a new name
 * that causes an error, or changes what another name refers to, is rejected.
 *
 * @throws {ResponseError} when the symbol cannot be renamed, or the new name is invalid
 */
export function rename(
  workspace: Workspace,
  document: TextDocument,
  offset: number,
  newName: string,
): readonly TextEdit[] {
  const { main, diagnostics } = workspace.analyse(document);
  const refuse = (why: string): never => {
    throw new ResponseError(ErrorCodes.InvalidParams, why);
  };
  const place = nameAt(main, offset);
  if (place === undefined) return refuse('There is no symbol at this position.');
  const { name, symbol } = place;
  if (!isOwn(main, symbol)) return refuse(`'${name.text}' is not declared in this document.`);
  const wanted = newName.normalize('NFC');
  if (!isWord(wanted) || vocabularyOf(main.parsed.definition).words.has(wanted)) {
    return refuse(`'${newName}' is not a valid name in this language.`);
  }
  const places = placesOf(main, symbol);
  // What is not parsed beside a syntax error may use either name, and keeps what it says.
  const unparsed = namesWithoutMeaning(main);
  for (const either of [name.text, wanted]) {
    if (unparsed.has(either)) {
      return refuse(`'${either}' is also used where the document has a syntax error.`);
    }
  }
  const text = document.getText();
  const ends = [0, ...places.map(({ span }) => span.end)];
  const kept = places.map(({ span }, index) => text.slice(ends[index], span.start));
  const after = [...kept, text.slice(ends.at(-1))].join(wanted);
  const renamed = workspace.analyseText(document, after);
  const clash = renamed.diagnostics.length > diagnostics.length;
  if (clash || !sameMeanings(main, renamed.main)) {
    return refuse(`'${wanted}' conflicts with an existing name where '${name.text}' is used.`);
  }
  return places.map(({ span }) => ({
    range: { start: document.positionAt(span.start), end: document.positionAt(span.end) },
    newText: wanted,
  }));
}

/** The names in a text with syntax errors that were not understood. None in a text without. */
function namesWithoutMeaning({ parsed, meanings }: CheckedModule): ReadonlySet<string> {
  if (parsed.diagnostics.length === 0) return new Set();
  const { identifier } = vocabularyOf(parsed.definition);
  // A name that the parser made up is empty.
  const written = [...meanings.keys()].filter(({ text }) => text !== '');
  const understood = new Set(written.map(({ span }) => span.start));
  const names = parsed.tokens.filter(
    ({ tokenType, startOffset }) => tokenType === identifier && !understood.has(startOffset),
  );
  return new Set(names.map(({ image }) => image.normalize('NFC')));
}

/**
 * Whether the names in two texts, in order, refer to the same declarations.
 */
function sameMeanings(before: CheckedModule, after: CheckedModule): boolean {
  const [a, b] = [declarations(before), declarations(after)];
  return a.length === b.length && a.every((declared, index) => declared === b[index]);
}

function declarations(module: CheckedModule): readonly (number | string)[] {
  const names = [...module.meanings].sort(([a], [b]) => a.span.start - b.span.start);
  const order = new Map(names.map(([name], index) => [name, index]));
  return names.map(([, symbol]) =>
    symbol.kind === 'builtin' ? symbol.name : (order.get(symbol.declaration) ?? symbol.name),
  );
}
