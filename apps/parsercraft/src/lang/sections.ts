import type {
  Associativity,
  BuiltinFunction,
  CommentStyle,
  LanguageDefinition,
  Operator,
} from './definition.ts';
import type { DefinitionDocument, Located } from './document.ts';
import {
  type Arity,
  BINARY_MEANINGS,
  INTRINSICS,
  type Intrinsic,
  KEYWORDS,
  type Keyword,
  PREFIX_MEANINGS,
  type PrefixMeaning,
  TYPE_NAMES,
  type TypeName,
} from './vocabulary.ts';
import { readBlockMark, readSign, readWord, readWordOrSign, type Spellings } from './words.ts';

/** The default words, for those that a definition does not rename. */
const ENGLISH: Readonly<Record<Keyword, string>> = {
  ...(Object.fromEntries(KEYWORDS.map((keyword) => [keyword, keyword])) as Record<Keyword, string>),
  function: 'fn',
};

/** The fields of a mapping by name. Reports each one that is unknown or missing. */
export function fields<K extends string>(
  document: DefinitionDocument,
  at: Located,
  known: readonly K[],
  required: readonly K[] = [],
): Partial<Record<K, Located>> {
  const found: Partial<Record<K, Located>> = {};
  const before = document.issues.length;
  for (const { key, keyAt, value } of document.entries(at)) {
    if ((known as readonly string[]).includes(key)) found[key as K] = value;
    else document.report(keyAt, keyAt.path, `unknown key; expected one of ${known.join(', ')}`);
  }
  if (document.issues.length === before || Object.keys(found).length > 0) {
    for (const key of required) {
      if (found[key] === undefined) document.report(at, at.path, `missing required key '${key}'`);
    }
  }
  return found;
}

export function readKeywords(
  document: DefinitionDocument,
  at: Located | undefined,
  spellings: Spellings,
  root: Located,
): LanguageDefinition['keywords'] {
  const given = at === undefined ? {} : fields(document, at, KEYWORDS);
  const words: Record<Keyword, string> = { ...ENGLISH };
  for (const keyword of KEYWORDS) {
    const place = given[keyword];
    if (place !== undefined) words[keyword] = readWord(document, place) ?? words[keyword];
    spellings.take(words[keyword], `the keyword ${keyword}`, place ?? at ?? root);
  }
  return words;
}

export function readTypes(
  document: DefinitionDocument,
  at: Located | undefined,
  keywords: Spellings,
  root: Located,
): LanguageDefinition['types'] {
  const given = at === undefined ? {} : fields(document, at, TYPE_NAMES);
  const words: Record<TypeName, string> = {
    int: 'int',
    float: 'float',
    bool: 'bool',
    string: 'string',
  };
  const seen = new Map<string, TypeName>();
  for (const type of TYPE_NAMES) {
    const place = given[type] ?? at ?? root;
    if (given[type] !== undefined) words[type] = readWord(document, place) ?? words[type];
    const first = seen.get(words[type]);
    if (first !== undefined) {
      document.report(place, place.path, `'${words[type]}' is already used for the type ${first}`);
    } else if (keywords.has(words[type])) {
      document.report(place, place.path, `'${words[type]}' is already a keyword`);
    }
    seen.set(words[type], type);
  }
  return words;
}

export function readMarks(
  document: DefinitionDocument,
  at: Located | undefined,
  spellings: Spellings,
  root: Located,
): LanguageDefinition['marks'] {
  const given = at === undefined ? {} : fields(document, at, ['blockOpen', 'blockClose', 'assign']);
  const open = given.blockOpen && readBlockMark(document, given.blockOpen, ['{', '[']);
  const close = given.blockClose && readBlockMark(document, given.blockClose, ['}', ']']);
  const assign = given.assign && readSign(document, given.assign);
  const marks = { blockOpen: open ?? '{', blockClose: close ?? '}', assign: assign ?? '=' };
  spellings.take(marks.blockOpen, 'the mark blockOpen', given.blockOpen ?? at ?? root);
  spellings.take(marks.blockClose, 'the mark blockClose', given.blockClose ?? at ?? root);
  spellings.take(marks.assign, 'the mark assign', given.assign ?? at ?? root);
  return marks;
}

export function readComments(document: DefinitionDocument, at: Located | undefined): CommentStyle {
  if (at === undefined) return { line: undefined, block: undefined };
  const given = fields(document, at, ['line', 'blockOpen', 'blockClose']);
  const line = given.line && readSign(document, given.line);
  const open = given.blockOpen && readSign(document, given.blockOpen);
  const close = given.blockClose && readSign(document, given.blockClose);
  if ((given.blockOpen === undefined) !== (given.blockClose === undefined)) {
    document.report(at, at.path, 'blockOpen and blockClose must be given together');
  }
  if (given.blockOpen && open !== undefined && (open === close || open === line)) {
    document.report(
      given.blockOpen,
      given.blockOpen.path,
      `'${open}' is already used by ${open === line ? 'line' : 'blockClose'}`,
    );
  }
  return {
    line,
    block: open !== undefined && close !== undefined ? { open, close } : undefined,
  };
}

export function readOperator(document: DefinitionDocument, at: Located): Operator | undefined {
  const known = ['meaning', 'symbol', 'precedence', 'associativity'] as const;
  const given = fields(document, at, known, ['meaning', 'symbol', 'precedence']);
  if (!given.meaning || !given.symbol || !given.precedence) return undefined;
  const meaning = document.choice(given.meaning, [...BINARY_MEANINGS, ...PREFIX_MEANINGS]);
  const symbol = readWordOrSign(document, given.symbol);
  const precedence = document.integer(given.precedence, 1, 99);
  if (meaning === undefined || symbol === undefined || precedence === undefined) return undefined;
  if (isPrefix(meaning)) {
    if (given.associativity) {
      const { associativity } = given;
      document.report(
        associativity,
        associativity.path,
        `${meaning} is a prefix operator and has no associativity`,
      );
    }
    return { kind: 'prefix', meaning, symbol, precedence };
  }
  const choices: readonly Associativity[] = ['left', 'right', 'none'];
  const associativity = given.associativity
    ? document.choice(given.associativity, choices)
    : 'left';
  if (associativity === undefined) return undefined;
  return { kind: 'binary', meaning, symbol, precedence, associativity };
}

export function readFunction(
  document: DefinitionDocument,
  at: Located,
): BuiltinFunction | undefined {
  const known = ['name', 'meaning', 'arity'] as const;
  const given = fields(document, at, known, known);
  if (!given.name || !given.meaning || !given.arity) return undefined;
  const name = readWord(document, given.name);
  const meaning = document.choice(given.meaning, Object.keys(INTRINSICS) as Intrinsic[]);
  const arity = readArity(document, given.arity);
  if (name === undefined || meaning === undefined || arity === undefined) return undefined;
  const able = INTRINSICS[meaning];
  if (arity.min < able.min || arity.max > able.max) {
    const text = able.min === able.max ? `${able.min}` : `from ${able.min} to ${able.max}`;
    document.report(given.arity, given.arity.path, `the arity of ${meaning} must be ${text}`);
    return undefined;
  }
  return { name, meaning, arity };
}

function readArity(document: DefinitionDocument, at: Located): Arity | undefined {
  const isNumber = !(at.node !== null && 'items' in at.node);
  if (isNumber) {
    const count = document.integer(at, 0, 16);
    return count === undefined ? undefined : { min: count, max: count };
  }
  const given = fields(document, at, ['min', 'max'], ['min', 'max']);
  if (!given.min || !given.max) return undefined;
  const min = document.integer(given.min, 0, 16);
  const max = document.integer(given.max, 0, 16);
  if (min === undefined || max === undefined) return undefined;
  if (min <= max) return { min, max };
  document.report(at, at.path, `min ${min} is greater than max ${max}`);
  return undefined;
}

function isPrefix(meaning: string): meaning is PrefixMeaning {
  return (PREFIX_MEANINGS as readonly string[]).includes(meaning);
}
