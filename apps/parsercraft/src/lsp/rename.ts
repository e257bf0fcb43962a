import { ErrorCodes, ResponseError, type TextEdit } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { isWord } from '../lang/words.ts';
import { vocabularyOf } from '../parse/parse.ts';
import type { CheckedModule } from '../types/module.ts';
import { isOwn, nameAt, placesOf } from './symbols-at.ts';
import type { Workspace } from './workspace.ts';

/**
 * The edits that give the name at an offset another spelling. The result is analysed before it is
 * proposed: a name that would clash, or be taken for another, is refused.
 *
 * @throws {ResponseError} when the name cannot be renamed, or not to that
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
  if (place === undefined) return refuse('There is no name here.');
  const { name, symbol } = place;
  if (!isOwn(main, symbol)) return refuse(`'${name.text}' is declared elsewhere.`);
  const wanted = newName.normalize('NFC');
  if (!isWord(wanted) || vocabularyOf(main.parsed.definition).words.has(wanted)) {
    return refuse(`'${newName}' is no name in this language.`);
  }
  if (main.parsed.diagnostics.length > 0) return refuse('The document has syntax errors.');

  const places = placesOf(main, symbol);
  const text = document.getText();
  const after = places.reduceRight(
    (changed, { span }) => changed.slice(0, span.start) + wanted + changed.slice(span.end),
    text,
  );
  const renamed = workspace.analyseText(document, after);
  const clash = renamed.diagnostics.length > diagnostics.length;
  if (clash || !sameMeanings(main, renamed.main)) {
    return refuse(`'${wanted}' already means something where '${name.text}' is used.`);
  }
  return places.map(({ span }) => ({
    range: { start: document.positionAt(span.start), end: document.positionAt(span.end) },
    newText: wanted,
  }));
}

/** Whether the names of two texts, taken in order, are declared at the same places of that order. */
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
