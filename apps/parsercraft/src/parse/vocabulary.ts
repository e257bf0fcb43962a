import { createToken, EOF, Lexer, type TokenType } from 'chevrotain';
import type { BinaryOperator, LanguageDefinition, PrefixOperator } from '../lang/definition.ts';
import { KEYWORDS, type Keyword } from '../lang/vocabulary.ts';
import { isWord } from '../lang/words.ts';

const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}]*/uy;

/** The token types of a definition, and its lexer. */
export interface Vocabulary {
  readonly lexer: Lexer;
  /** Every token type, as the parser requires it. */
  readonly all: readonly TokenType[];
  /** Reserved words, in NFC. */
  readonly words: ReadonlyMap<string, TokenType>;
  readonly keyword: Readonly<Record<Keyword, TokenType>>;
  readonly identifier: TokenType;
  readonly int: TokenType;
  readonly float: TokenType;
  readonly string: TokenType;
  readonly unterminatedString: TokenType;
  readonly unterminatedComment: TokenType | undefined;
  readonly blockOpen: TokenType;
  readonly blockClose: TokenType;
  readonly assign: TokenType;
  readonly binary: TokenType;
  readonly prefix: TokenType;
  readonly binaryOf: ReadonlyMap<TokenType, BinaryOperator>;
  readonly prefixOf: ReadonlyMap<TokenType, PrefixOperator>;
  readonly parenOpen: TokenType;
  readonly parenClose: TokenType;
  readonly comma: TokenType;
  readonly colon: TokenType;
  readonly dot: TokenType;
  readonly semicolon: TokenType;
}

/**
 * Creates the token types of a definition. Words are scanned as identifiers and looked up in
 * `words` by their NFC form, so that `función` is recognized in composed and decomposed form.
 */
export function createVocabulary(definition: LanguageDefinition): Vocabulary {
  const scanned: TokenType[] = [];
  const words = new Map<string, TokenType>();
  const spelled = new Map<string, TokenType>();

  const scan = (name: string, label: string, pattern: RegExp | string, more = {}): TokenType => {
    const type = createToken({ name, label, pattern, ...more });
    scanned.push(type);
    return type;
  };
  /**
   * Creates the token type of a spelling: a word, or a sign (the longest sign is matched first).
   */
  const spell = (name: string, spelling: string, categories: TokenType[] = []): TokenType => {
    const label = `'${spelling}'`;
    const pattern = isWord(spelling) ? Lexer.NA : spelling;
    const type = createToken({ name, label, pattern, categories });
    if (isWord(spelling)) words.set(spelling, type);
    else spelled.set(spelling, type);
    return type;
  };

  scan('Space', 'space', /\s+/y, { group: Lexer.SKIPPED, line_breaks: true });
  const unterminatedComment = scanComments(definition, scan);
  const string = scan('String', 'a string', /"(?:[^"\\\r\n]|\\[^\r\n])*"/y);
  const unterminatedString = scan(
    'UnterminatedString',
    'a string',
    /"(?:[^"\\\r\n]|\\[^\r\n])*\\?/y,
    { categories: [string] },
  );
  const float = scan('Float', 'a number', /\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)/y);
  const int = scan('Int', 'a number', /\d+/y);

  const binary = createToken({ name: 'BinaryOperator', label: 'an operator', pattern: Lexer.NA });
  const prefix = createToken({ name: 'PrefixOperator', label: 'an operator', pattern: Lexer.NA });
  const binaryOf = new Map<TokenType, BinaryOperator>();
  const prefixOf = new Map<TokenType, PrefixOperator>();
  for (const [symbol, uses] of Map.groupBy(definition.operators, (one) => one.symbol)) {
    const kinds = uses.map(({ kind }) => (kind === 'binary' ? binary : prefix));
    const type = spell(uses.map(({ meaning }) => meaning).join('_'), symbol, kinds);
    for (const use of uses) {
      if (use.kind === 'binary') binaryOf.set(type, use);
      else prefixOf.set(type, use);
    }
  }
  const { marks, keywords } = definition;
  const blockOpen = spell('BlockOpen', marks.blockOpen);
  const blockClose = spell('BlockClose', marks.blockClose);
  const assign = spell('Assign', marks.assign);
  const keyword = Object.fromEntries(
    KEYWORDS.map((one) => [one, spell(`keyword_${one}`, keywords[one])]),
  ) as Record<Keyword, TokenType>;
  const colon = spell('Colon', ':');
  const parenOpen = scan('ParenOpen', "'('", '(');
  const parenClose = scan('ParenClose', "')'", ')');
  const comma = scan('Comma', "','", ',');
  const dot = scan('Dot', "'.'", '.');
  const semicolon = scan('Semicolon', "';'", ';');
  const identifier = scan('Identifier', 'a name', '', {
    pattern: {
      exec: (text: string, offset: number) => {
        IDENTIFIER.lastIndex = offset;
        return IDENTIFIER.exec(text);
      },
    },
    line_breaks: false,
  });
  scanned.push(...[...spelled].sort(([a], [b]) => b.length - a.length).map(([, type]) => type));

  return {
    lexer: new Lexer(scanned, { positionTracking: 'onlyOffset', ensureOptimizations: false }),
    all: [...scanned, ...words.values(), binary, prefix, EOF],
    words,
    keyword,
    identifier,
    int,
    float,
    string,
    unterminatedString,
    unterminatedComment,
    blockOpen,
    blockClose,
    assign,
    binary,
    prefix,
    binaryOf,
    prefixOf,
    parenOpen,
    parenClose,
    comma,
    colon,
    dot,
    semicolon,
  };
}

function scanComments(
  definition: LanguageDefinition,
  scan: (name: string, label: string, pattern: RegExp, more: object) => TokenType,
): TokenType | undefined {
  const { line, block } = definition.comments;
  const group = { group: 'comments', line_breaks: true };
  let unterminated: TokenType | undefined;
  if (block !== undefined) {
    const open = escapeRegExp(block.open);
    const close = escapeRegExp(block.close);
    scan('BlockComment', 'a comment', new RegExp(`${open}[^]*?${close}`), group);
    unterminated = scan('UnterminatedComment', 'a comment', new RegExp(`${open}[^]*`), group);
  }
  if (line !== undefined) {
    scan('LineComment', 'a comment', new RegExp(`${escapeRegExp(line)}[^\\r\\n]*`), group);
  }
  return unterminated;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
