import type { BinaryMeaning, Intrinsic } from '../lang/vocabulary.ts';
import type { Scalar } from './operations.ts';

/** The words that a text's language prints for the two bools. */
export interface BoolWords {
  readonly true: string;
  readonly false: string;
}

/**
 * One step of the machine. It works on a stack of values; `slot` is a local variable of the
 * running function, `capture` a variable that a function expression took along. A captured
 * variable lives in a cell that all its users share. `at` is a place for faults.
 */
export type Instruction =
  | { readonly op: 'constant'; readonly value: Scalar }
  | { readonly op: 'load'; readonly slot: number }
  | { readonly op: 'store'; readonly slot: number }
  | { readonly op: 'newCell'; readonly slot: number }
  | { readonly op: 'loadCell'; readonly slot: number }
  | { readonly op: 'storeCell'; readonly slot: number }
  | { readonly op: 'loadCapture'; readonly capture: number }
  | { readonly op: 'storeCapture'; readonly capture: number }
  | { readonly op: 'pop' }
  | { readonly op: 'jump'; readonly to: number }
  | { readonly op: 'jumpUnless'; readonly to: number }
  /** Jumps and keeps the bool when it equals `when`, else drops it: `and` and `or`. */
  | { readonly op: 'shortcut'; readonly when: boolean; readonly to: number }
  | { readonly op: 'not' }
  | { readonly op: 'negate'; readonly at: string }
  | { readonly op: 'binary'; readonly meaning: BinaryMeaning; readonly at: string }
  | {
      readonly op: 'builtin';
      readonly meaning: Intrinsic;
      readonly count: number;
      readonly words: BoolWords;
      readonly at: string;
    }
  | { readonly op: 'function'; readonly code: FunctionCode; readonly captures: readonly Capture[] }
  | { readonly op: 'call'; readonly count: number; readonly at: string }
  | { readonly op: 'return'; readonly value: boolean };

/** Where a function expression finds a variable that it takes along: a cell of its maker, or one its maker took. */
export interface Capture {
  readonly from: 'slot' | 'capture';
  readonly index: number;
}

export interface FunctionCode {
  readonly name: string;
  readonly instructions: readonly Instruction[];
  readonly slots: number;
}

/** A function as a value. */
export interface Closure {
  readonly code: FunctionCode;
  readonly captures: readonly Cell[];
}

export interface Cell {
  value: Value;
}

export type Value = Scalar | Closure;
