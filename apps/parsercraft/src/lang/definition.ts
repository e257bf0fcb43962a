import type {
  Arity,
  BinaryMeaning,
  Intrinsic,
  Keyword,
  PrefixMeaning,
  TypeName,
} from './vocabulary.ts';

export type Associativity = 'left' | 'right' | 'none';

export interface BinaryOperator {
  readonly kind: 'binary';
  readonly meaning: BinaryMeaning;
  readonly symbol: string;
  /** From 1 to 99. A higher value binds tighter. */
  readonly precedence: number;
  readonly associativity: Associativity;
}

export interface PrefixOperator {
  readonly kind: 'prefix';
  readonly meaning: PrefixMeaning;
  readonly symbol: string;
  /** From 1 to 99. The operand includes every binary operator of higher precedence. */
  readonly precedence: number;
}

export type Operator = BinaryOperator | PrefixOperator;

export interface BuiltinFunction {
  readonly name: string;
  readonly meaning: Intrinsic;
  readonly arity: Arity;
}

export interface CommentStyle {
  /** Starts a comment that ends with the line. */
  readonly line: string | undefined;
  /** The delimiters of a comment that may span lines. Such comments do not nest. */
  readonly block: { readonly open: string; readonly close: string } | undefined;
}

/**
 * The configurable parts of a ParserCraft language. Created and validated by `loadDefinition`.
 * Treat it as immutable: parsers are cached per object.
 */
export interface LanguageDefinition {
  readonly name: string;
  readonly title: string;
  /** Including the dot, for example `.pc`. */
  readonly extension: string;
  readonly keywords: Readonly<Record<Keyword, string>>;
  readonly types: Readonly<Record<TypeName, string>>;
  readonly marks: {
    readonly blockOpen: string;
    readonly blockClose: string;
    readonly assign: string;
  };
  readonly comments: CommentStyle;
  readonly operators: readonly Operator[];
  readonly functions: readonly BuiltinFunction[];
}
