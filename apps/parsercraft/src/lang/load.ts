import type {
  BinaryOperator,
  BuiltinFunction,
  LanguageDefinition,
  Operator,
} from './definition.ts';
import { DefinitionDocument, type Located } from './document.ts';
import { LanguageDefinitionError } from './errors.ts';
import {
  fields,
  readComments,
  readFunction,
  readKeywords,
  readMarks,
  readOperator,
  readTypes,
} from './sections.ts';
import { isWord, Spellings } from './words.ts';

/** Maximum length of a definition, in characters. */
const MAX_DEFINITION_LENGTH = 65_536;

const SECTIONS = [
  'name',
  'title',
  'extension',
  'keywords',
  'types',
  'marks',
  'comments',
  'operators',
  'functions',
] as const;

/**
 * Parses and validates a language definition in YAML.
 *
 * @throws {LanguageDefinitionError} with the line and column of every issue
 */
export function loadDefinition(yaml: string): LanguageDefinition {
  if (yaml.length > MAX_DEFINITION_LENGTH) {
    const message = `is ${yaml.length} characters long; the maximum is ${MAX_DEFINITION_LENGTH}`;
    throw new LanguageDefinitionError([{ path: '', message, line: 1, column: 1 }]);
  }
  const document = new DefinitionDocument(yaml);
  if (document.issues.length > 0) throw new LanguageDefinitionError(document.issues);
  const definition = read(document);
  if (document.issues.length > 0) throw new LanguageDefinitionError(document.issues);
  return Object.freeze(definition);
}

function read(document: DefinitionDocument): LanguageDefinition {
  const { root } = document;
  const given = fields(document, root, SECTIONS, ['name', 'operators', 'functions']);
  const name = (given.name && readName(document, given.name, /^[a-z][a-z0-9-]{0,39}$/)) ?? '';
  const extension =
    given.extension && readName(document, given.extension, /^(\.[a-z0-9]{1,16}){1,4}$/);
  const spellings = new Spellings(document);
  const keywords = readKeywords(document, given.keywords, spellings, root);
  const types = readTypes(document, given.types, spellings, root);
  const marks = readMarks(document, given.marks, spellings, root);
  const comments = readComments(document, given.comments);
  const operators = given.operators ? readOperators(document, given.operators, spellings) : [];
  const functions = given.functions ? readFunctions(document, given.functions, spellings) : [];
  checkComments(document, given.comments ?? root, comments, spellings);
  return {
    name,
    title: (given.title && document.text(given.title)) ?? name,
    extension: extension ?? `.${name}`,
    keywords,
    types,
    marks,
    comments,
    operators,
    functions,
  };
}

function readName(document: DefinitionDocument, at: Located, pattern: RegExp): string | undefined {
  const text = document.text(at);
  if (text === undefined || pattern.test(text)) return text;
  document.report(at, at.path, `'${text}' does not match ${pattern.source}`);
  return undefined;
}

function readOperators(
  document: DefinitionDocument,
  at: Located,
  spellings: Spellings,
): readonly Operator[] {
  const operators: Operator[] = [];
  for (const item of document.items(at)) {
    const operator = readOperator(document, item);
    if (operator === undefined) continue;
    const other = operators.find(({ symbol }) => symbol === operator.symbol);
    if (operators.some(({ meaning }) => meaning === operator.meaning)) {
      document.report(item, item.path, `an operator for ${operator.meaning} is already defined`);
    } else if (other?.kind === operator.kind) {
      document.report(
        item,
        item.path,
        `'${operator.symbol}' is already used for the operator ${other.meaning}`,
      );
    } else if (other === undefined) {
      spellings.take(operator.symbol, `the operator ${operator.meaning}`, item);
    }
    const unlike = operators.find(
      (seen): seen is BinaryOperator =>
        operator.kind === 'binary' &&
        seen.kind === 'binary' &&
        seen.precedence === operator.precedence &&
        seen.associativity !== operator.associativity,
    );
    if (unlike !== undefined) {
      const message = `precedence ${unlike.precedence} already has associativity '${unlike.associativity}' (operator ${unlike.meaning})`;
      document.report(item, item.path, message);
    }
    operators.push(operator);
  }
  return operators;
}

function readFunctions(
  document: DefinitionDocument,
  at: Located,
  spellings: Spellings,
): readonly BuiltinFunction[] {
  const functions: BuiltinFunction[] = [];
  for (const item of document.items(at)) {
    const builtin = readFunction(document, item);
    if (builtin === undefined) continue;
    spellings.take(builtin.name, `the function ${builtin.name}`, item);
    functions.push(builtin);
  }
  return functions;
}

/** The lexer matches comments first, so no other sign may start with a comment mark. */
function checkComments(
  document: DefinitionDocument,
  at: Located,
  comments: LanguageDefinition['comments'],
  spellings: Spellings,
): void {
  const marks = [comments.line, comments.block?.open].filter((mark) => mark !== undefined);
  for (const mark of marks) {
    for (const [spelling, what] of spellings.entries()) {
      if (!isWord(spelling) && spelling.startsWith(mark)) {
        document.report(
          at,
          at.path,
          `'${mark}' starts a comment, so '${spelling}' (${what}) is never recognized`,
        );
      }
    }
  }
  if (comments.line !== undefined && comments.block?.open.startsWith(comments.line)) {
    document.report(
      at,
      at.path,
      `the line comment '${comments.line}' hides the block comment '${comments.block.open}'`,
    );
  }
}
