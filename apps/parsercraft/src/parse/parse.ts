import type { ILexingResult, IToken } from 'chevrotain';
import type { LanguageDefinition } from '../lang/definition.ts';
import { type Diagnostic, diagnosticAt } from '../source/diagnostic.ts';
import { LineIndex, type Span } from '../source/source.ts';
import type { Comment, Program } from './ast.ts';
import { deepBracket, deepNode } from './depth.ts';
import { ParseError } from './errors.ts';
import { Grammar } from './grammar.ts';
import { createVocabulary, type Vocabulary } from './vocabulary.ts';

export interface ParseOptions {
  /**
   * Longest text that is read, in UTF-16 units; a longer one is one diagnostic.
   *
   * @defaultValue 262_144
   */
  readonly maxLength?: number;
}

/** A parsed text. The program is the whole tree when there are no diagnostics, else what could be saved. */
export interface ParseResult {
  readonly definition: LanguageDefinition;
  readonly text: string;
  readonly lines: LineIndex;
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly tokens: readonly IToken[];
  readonly diagnostics: readonly Diagnostic[];
}

export const DEFAULT_MAX_LENGTH = 262_144;
/** Brackets and blocks inside each other. */
export const MAX_NESTING = 100;
/** Nodes of the tree above each other. */
export const MAX_TREE_DEPTH = 400;
/** Syntax errors of one text that are reported; the parse ends there. */
export const MAX_SYNTAX_ERRORS = 50;

interface Machinery {
  readonly vocabulary: Vocabulary;
  readonly grammar: Grammar;
}

/** Building a parser takes some ten milliseconds; one is kept for as long as its definition lives. */
const machineries = new WeakMap<LanguageDefinition, Machinery>();

function machineryOf(definition: LanguageDefinition): Machinery {
  let machinery = machineries.get(definition);
  if (machinery === undefined) {
    const vocabulary = createVocabulary(definition);
    const grammar = new Grammar(definition, vocabulary, MAX_SYNTAX_ERRORS);
    machinery = { vocabulary, grammar };
    machineries.set(definition, machinery);
  }
  return machinery;
}

/** The token types of a definition's parser, to tell the tokens of a {@link ParseResult} apart. */
export function vocabularyOf(definition: LanguageDefinition): Vocabulary {
  return machineryOf(definition).vocabulary;
}

/** Parses a text with recovery. Never throws for what the text holds. */
export function parse(
  definition: LanguageDefinition,
  text: string,
  options: ParseOptions = {},
): ParseResult {
  const { vocabulary, grammar } = machineryOf(definition);
  const lines = new LineIndex(text);
  const diagnostics: Diagnostic[] = [];
  const complain = (code: string, message: string, span: Span): void => {
    diagnostics.push(diagnosticAt(lines, span, { source: 'syntax', code, message }));
  };
  const finish = (program: Program, tokens: readonly IToken[], comments: readonly Comment[]) => ({
    definition,
    text,
    lines,
    program,
    comments,
    tokens,
    diagnostics: diagnostics
      .toSorted((a, b) => a.start.offset - b.start.offset)
      .slice(0, MAX_SYNTAX_ERRORS),
  });
  const nothing: Program = { kind: 'Program', body: [], span: { start: 0, end: text.length } };

  const maxLength = options.maxLength ?? DEFAULT_MAX_LENGTH;
  if (text.length > maxLength) {
    const message = `the text has ${text.length} characters; at most ${maxLength} are read`;
    complain('too-long', message, { start: maxLength, end: maxLength });
    return finish(nothing, [], []);
  }

  const scanned = scan(text, vocabulary, complain);
  const bracket = deepBracket(scanned.tokens, vocabulary, MAX_NESTING);
  if (bracket !== undefined) {
    const message = `more than ${MAX_NESTING} brackets or blocks inside each other`;
    const span = { start: bracket.startOffset, end: bracket.startOffset + bracket.image.length };
    complain('too-deep', message, span);
    return finish(nothing, scanned.tokens, scanned.comments);
  }

  const { program, faults } = grammar.parseTokens(text, [...scanned.tokens]);
  // The end of the text is no place to look at: the end of the last token is.
  const last = scanned.tokens.at(-1);
  const end = last === undefined ? 0 : spanOf(last).end;
  for (const { message, token } of grammar.errors) {
    const start = token.startOffset >= 0 ? token.startOffset : end;
    complain('unexpected', message, { start, end: start + token.image.length });
  }
  for (const { code, message, span } of faults) complain(code, message, span);
  const deep = deepNode(program, MAX_TREE_DEPTH);
  if (deep !== undefined) {
    const message = `more than ${MAX_TREE_DEPTH} operators, calls or blocks inside each other`;
    complain('too-deep', message, deep);
    return finish(nothing, scanned.tokens, scanned.comments);
  }
  return finish(program, scanned.tokens, scanned.comments);
}

/**
 * Parses a text that must be right.
 *
 * @throws {ParseError} with every fault found
 */
export function parseStrict(
  definition: LanguageDefinition,
  text: string,
  options: ParseOptions = {},
): ParseResult {
  const result = parse(definition, text, options);
  if (result.diagnostics.length > 0) throw new ParseError(result.diagnostics);
  return result;
}

function scan(
  text: string,
  vocabulary: Vocabulary,
  complain: (code: string, message: string, span: Span) => void,
): { readonly tokens: readonly IToken[]; readonly comments: readonly Comment[] } {
  const { tokens, groups, errors }: ILexingResult = vocabulary.lexer.tokenize(text);
  for (const { offset, length } of errors.slice(0, MAX_SYNTAX_ERRORS)) {
    const shown = text.slice(offset, offset + Math.min(length, 20));
    complain('bad-character', `'${shown}' means nothing here`, {
      start: offset,
      end: offset + length,
    });
  }
  for (const token of tokens) {
    if (token.tokenType === vocabulary.identifier) {
      const word = vocabulary.words.get(token.image.normalize('NFC'));
      if (word !== undefined) {
        token.tokenType = word;
        token.tokenTypeIdx = word.tokenTypeIdx as number;
      }
    } else if (token.tokenType === vocabulary.unterminatedString) {
      complain('open-string', 'the string is not closed on its line', spanOf(token));
    }
  }
  const comments = (groups.comments ?? []).map((token) => {
    if (token.tokenType === vocabulary.unterminatedComment) {
      complain('open-comment', 'the comment is not closed', spanOf(token));
    }
    return { text: token.image, span: spanOf(token) };
  });
  return { tokens, comments };
}

function spanOf(token: IToken): Span {
  return { start: token.startOffset, end: token.startOffset + token.image.length };
}
