import type { BinaryMeaning, Intrinsic, PrefixMeaning, TypeName } from '../lang/vocabulary.ts';
import { BOOL, FLOAT, INT, type PlainType, STRING, VOID } from './type.ts';

const NUMBERS: readonly TypeName[] = ['int', 'float'];
const ORDERED: readonly TypeName[] = ['int', 'float', 'string'];
const PRINTABLE: readonly TypeName[] = ['int', 'float', 'bool', 'string'];

/** The typing rule of an operator or built-in function. */
export interface Rule {
  /** The allowed operand types. With `same`, all operands must have the same type. */
  readonly operands: readonly TypeName[];
  readonly same: boolean;
  /** The result type; `'first'` is the type of the first operand. */
  readonly result: PlainType | 'first';
  /** The allowed types of the operands after the first, if they differ from `operands`. */
  readonly rest?: readonly TypeName[];
}

const arithmetic: Rule = { operands: NUMBERS, same: true, result: 'first' };
const logic: Rule = { operands: ['bool'], same: true, result: BOOL };
const order: Rule = { operands: ORDERED, same: true, result: BOOL };
const equality: Rule = { operands: PRINTABLE, same: true, result: BOOL };

export const BINARY_RULES: Readonly<Record<BinaryMeaning, Rule>> = {
  or: logic,
  and: logic,
  equal: equality,
  notEqual: equality,
  less: order,
  lessOrEqual: order,
  greater: order,
  greaterOrEqual: order,
  add: { operands: ORDERED, same: true, result: 'first' },
  concatenate: { operands: ['string'], same: true, result: STRING },
  subtract: arithmetic,
  multiply: arithmetic,
  divide: arithmetic,
  remainder: { operands: ['int'], same: true, result: INT },
  power: { operands: NUMBERS, same: false, rest: ['int'], result: 'first' },
};

export const PREFIX_RULES: Readonly<Record<PrefixMeaning, Rule>> = {
  negate: arithmetic,
  not: logic,
};

export const INTRINSIC_RULES: Readonly<Record<Intrinsic, Rule>> = {
  print: { operands: PRINTABLE, same: false, result: VOID },
  string: { operands: PRINTABLE, same: false, result: STRING },
  int: { operands: NUMBERS, same: false, result: INT },
  float: { operands: NUMBERS, same: false, result: FLOAT },
  length: { operands: ['string'], same: false, result: INT },
  substring: { operands: ['string'], same: false, rest: ['int'], result: STRING },
  abs: arithmetic,
  min: arithmetic,
  max: arithmetic,
  floor: { operands: ['float'], same: false, result: INT },
};
