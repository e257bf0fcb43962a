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
  /** From 1 to 99; the higher binds tighter. */
  readonly precedence: number;
  readonly associativity: Associativity;
}

export interface PrefixOperator {
  readonly kind: 'prefix';
  readonly meaning: PrefixMeaning;
  readonly symbol: string;
  /** From 1 to 99; the operand takes in every binary operator of a higher one. */
  readonly precedence: number;
}

export type Operator = BinaryOperator | PrefixOperator;

export interface BuiltinFunction {
  readonly name: string;
  readonly meaning: Intrinsic;
  readonly arity: Arity;
}

export interface CommentStyle {
  /** What begins a comment that ends with its line. */
  readonly line: string | undefined;
  /** What opens and closes a comment that may span lines; it does not nest. */
  readonly block: { readonly open: string; readonly close: string } | undefined;
}

/**
 * Everything that a language made with ParserCraft can choose. Made by
 * `loadDefinition`, which checks it; treat it as frozen: parsers are kept per object.
 */
export interface LanguageDefinition {
  readonly name: string;
  readonly title: string;
  /** With the dot, for instance `.pc`. */
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
