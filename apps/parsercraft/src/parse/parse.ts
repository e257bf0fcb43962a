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
   * Maximum length of the source, in UTF-16 code units. A longer one results in a single
   * diagnostic.
   *
   * @defaultValue 262_144
   */
  readonly maxLength?: number;
}

/**
 * The result of a parse. With diagnostics, `program` is the part of the tree that could be
 * recovered.
 */
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
/** Maximum nesting depth of brackets and blocks. */
export const MAX_NESTING = 100;
/** Maximum depth of the syntax tree. */
export const MAX_TREE_DEPTH = 400;
/** Maximum number of syntax errors per text; parsing stops there. */
export const MAX_SYNTAX_ERRORS = 50;

interface Machinery {
  readonly vocabulary: Vocabulary;
  readonly grammar: Grammar;
}

/**
 * Building a parser takes about ten milliseconds, so it is cached with its definition.
 */
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

/** The token types of a definition, to identify the tokens of a {@link ParseResult}. */
export function vocabularyOf(definition: LanguageDefinition): Vocabulary {
  return machineryOf(definition).vocabulary;
}

/** Parses a text with error recovery. Never throws, whatever the text contains. */
export function parse(
  definition: LanguageDefinition,
  text: string,
  options: ParseOptions = {},
): ParseResult {
  const { vocabulary, grammar } = machineryOf(definition);
  const lines = new LineIndex(text);
  const diagnostics: Diagnostic[] = [];
  const report = (code: string, message: string, span: Span): void => {
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
    const message = `the source is ${text.length} characters long; the maximum is ${maxLength}`;
    report('too-long', message, { start: maxLength, end: maxLength });
    return finish(nothing, [], []);
  }

  const scanned = scan(text, vocabulary, report);
  const bracket = deepBracket(scanned.tokens, vocabulary, MAX_NESTING);
  if (bracket !== undefined) {
    const message = `brackets or blocks are nested more than ${MAX_NESTING} levels deep`;
    const span = { start: bracket.startOffset, end: bracket.startOffset + bracket.image.length };
    report('too-deep', message, span);
    return finish(nothing, scanned.tokens, scanned.comments);
  }

  const { program, faults } = grammar.parseTokens(text, [...scanned.tokens]);
  // Report errors at the end of input at the end of the last token.
  const last = scanned.tokens.at(-1);
  const end = last === undefined ? 0 : spanOf(last).end;
  for (const { message, token } of grammar.errors) {
    const start = token.startOffset >= 0 ? token.startOffset : end;
    report('unexpected', message, { start, end: start + token.image.length });
  }
  for (const { code, message, span } of faults) report(code, message, span);
  const deep = deepNode(program, MAX_TREE_DEPTH);
  if (deep !== undefined) {
    const message = `operators, calls or blocks are nested more than ${MAX_TREE_DEPTH} levels deep`;
    report('too-deep', message, deep);
    return finish(nothing, scanned.tokens, scanned.comments);
  }
  return finish(program, scanned.tokens, scanned.comments);
}

/**
 * Parses a text, and throws if it has syntax errors.
 *
 * @throws {ParseError} with all syntax errors
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
  report: (code: string, message: string, span: Span) => void,
): { readonly tokens: readonly IToken[]; readonly comments: readonly Comment[] } {
  const { tokens, groups, errors }: ILexingResult = vocabulary.lexer.tokenize(text);
  for (const { offset, length } of errors.slice(0, MAX_SYNTAX_ERRORS)) {
    const shown = text.slice(offset, offset + Math.min(length, 20));
    report('bad-character', `unrecognized input '${shown}'`, {
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
      report('open-string', 'unterminated string literal', spanOf(token));
    }
  }
  const comments = (groups.comments ?? []).map((token) => {
    if (token.tokenType === vocabulary.unterminatedComment) {
      report('open-comment', 'unterminated comment', spanOf(token));
    }
    return { text: token.image, span: spanOf(token) };
  });
  return { tokens, comments };
}

function spanOf(token: IToken): Span {
  return { start: token.startOffset, end: token.startOffset + token.image.length };
}
