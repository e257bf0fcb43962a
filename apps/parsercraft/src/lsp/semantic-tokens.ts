import type { IToken } from 'chevrotain';
import {
  type SemanticTokens,
  SemanticTokensBuilder,
  type SemanticTokensLegend,
} from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { type AnyNode, children } from '../parse/children.ts';
import { vocabularyOf } from '../parse/parse.ts';
import type { Vocabulary } from '../parse/vocabulary.ts';
import type { Span } from '../source/source.ts';
import type { CheckedModule } from '../types/module.ts';

const TYPES = [
  'keyword',
  'comment',
  'string',
  'number',
  'operator',
  'function',
  'variable',
  'parameter',
  'type',
  'namespace',
] as const;
type TokenKind = (typeof TYPES)[number];

export const semanticTokensLegend: SemanticTokensLegend = {
  tokenTypes: [...TYPES],
  tokenModifiers: ['declaration', 'defaultLibrary'],
};
const DECLARATION = 1;
const DEFAULT_LIBRARY = 2;

interface Coloured {
  readonly span: Span;
  readonly kind: TokenKind;
  readonly modifiers: number;
}

/** The semantic tokens of a text. */
export function semanticTokens(document: TextDocument, module: CheckedModule): SemanticTokens {
  const { parsed } = module;
  const vocabulary = vocabularyOf(parsed.definition);
  const names = namesByOffset(module);
  const coloured: Coloured[] = parsed.comments.map(({ span }) => ({
    span,
    kind: 'comment',
    modifiers: 0,
  }));
  for (const token of parsed.tokens) {
    const span = { start: token.startOffset, end: token.startOffset + token.image.length };
    const name = names.get(span.start);
    const kind = name?.kind ?? kindOf(token, vocabulary);
    if (kind !== undefined) coloured.push({ span, kind, modifiers: name?.modifiers ?? 0 });
  }
  const builder = new SemanticTokensBuilder();
  for (const { span, kind, modifiers } of coloured.sort((a, b) => a.span.start - b.span.start)) {
    for (const piece of byLine(document, span)) {
      const { line, character } = document.positionAt(piece.start);
      builder.push(line, character, piece.end - piece.start, TYPES.indexOf(kind), modifiers);
    }
  }
  // No result id, because delta requests are not supported.
  return { data: builder.build().data };
}

function kindOf({ tokenType }: IToken, vocabulary: Vocabulary): TokenKind | undefined {
  if (tokenType === vocabulary.int || tokenType === vocabulary.float) return 'number';
  if (tokenType === vocabulary.string || tokenType === vocabulary.unterminatedString)
    return 'string';
  if (vocabulary.binaryOf.has(tokenType) || vocabulary.prefixOf.has(tokenType)) return 'operator';
  if (tokenType === vocabulary.assign) return 'operator';
  if (tokenType === vocabulary.identifier) return 'variable';
  return [...vocabulary.words.values()].includes(tokenType) ? 'keyword' : undefined;
}

function namesByOffset(module: CheckedModule): Map<number, Omit<Coloured, 'span'>> {
  const names = new Map<number, Omit<Coloured, 'span'>>();
  for (const [name, symbol] of module.meanings) {
    const declared = symbol.kind !== 'builtin' && symbol.declaration === name ? DECLARATION : 0;
    const library = symbol.kind === 'builtin' ? DEFAULT_LIBRARY : 0;
    const isFunction = symbol.kind === 'builtin' || symbol.kind === 'function';
    const kind = isFunction ? 'function' : symbol.kind === 'parameter' ? 'parameter' : 'variable';
    names.set(name.span.start, { kind, modifiers: declared | library });
  }
  const waiting: AnyNode[] = [module.parsed.program];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.kind === 'NamedType' && node.type !== undefined) {
      names.set(node.span.start, { kind: 'type', modifiers: DEFAULT_LIBRARY });
    } else if (node.kind === 'MemberExpression') {
      names.set(node.module.span.start, { kind: 'namespace', modifiers: 0 });
    } else if (node.kind === 'UseDeclaration' && node.alias !== undefined) {
      names.set(node.alias.span.start, { kind: 'namespace', modifiers: DECLARATION });
    }
    for (const child of children(node)) waiting.push(child);
  }
  return names;
}

/** The protocol does not allow a token to span lines by default. */
function* byLine(document: TextDocument, { start, end }: Span): Iterable<Span> {
  const text = document.getText().slice(start, end);
  let at = start;
  for (const line of text.split('\n')) {
    const length = line.replace(/\r$/, '').length;
    if (length > 0) yield { start: at, end: at + length };
    at += line.length + 1;
  }
}
