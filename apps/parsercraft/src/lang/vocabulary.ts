/** The words that a definition may rename, by meaning. */
export const KEYWORDS = [
  'use',
  'as',
  'function',
  'let',
  'if',
  'else',
  'while',
  'for',
  'from',
  'to',
  'break',
  'continue',
  'return',
  'true',
  'false',
] as const;
export type Keyword = (typeof KEYWORDS)[number];

/** The named types. */
export const TYPE_NAMES = ['int', 'float', 'bool', 'string'] as const;
export type TypeName = (typeof TYPE_NAMES)[number];

export const BINARY_MEANINGS = [
  'or',
  'and',
  'equal',
  'notEqual',
  'less',
  'lessOrEqual',
  'greater',
  'greaterOrEqual',
  'add',
  'subtract',
  'concatenate',
  'multiply',
  'divide',
  'remainder',
  'power',
] as const;
export type BinaryMeaning = (typeof BINARY_MEANINGS)[number];

export const PREFIX_MEANINGS = ['negate', 'not'] as const;
export type PrefixMeaning = (typeof PREFIX_MEANINGS)[number];

/** Number of arguments that a built-in function takes, inclusive. */
export interface Arity {
  readonly min: number;
  readonly max: number;
}

/** The built-in functions and their arities. A definition gives them names. */
export const INTRINSICS: {
  readonly print: Arity;
  readonly string: Arity;
  readonly int: Arity;
  readonly float: Arity;
  readonly length: Arity;
  readonly substring: Arity;
  readonly abs: Arity;
  readonly min: Arity;
  readonly max: Arity;
  readonly floor: Arity;
} = {
  print: { min: 0, max: 16 },
  string: { min: 1, max: 1 },
  int: { min: 1, max: 1 },
  float: { min: 1, max: 1 },
  length: { min: 1, max: 1 },
  substring: { min: 3, max: 3 },
  abs: { min: 1, max: 1 },
  min: { min: 2, max: 2 },
  max: { min: 2, max: 2 },
  floor: { min: 1, max: 1 },
};
export type Intrinsic = keyof typeof INTRINSICS;
