import type { BinaryMeaning, Intrinsic } from '../lang/vocabulary.ts';
import type { Scalar } from './operations.ts';

/** The words that a language prints for the two bools. */
export interface BoolWords {
  readonly true: string;
  readonly false: string;
}

/**
 * An instruction of the stack machine. `slot` is a local variable of the running function,
 * `capture` a variable captured by a function expression. A captured variable is stored in a cell
 * that all functions using it share. `at` is the source position for runtime errors.
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
  /** Implements `and` and `or`: jumps and keeps the bool when it equals `when`, else drops it. */
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

/** Source of a captured variable: a slot or a capture of the function that creates the closure. */
export interface Capture {
  readonly from: 'slot' | 'capture';
  readonly index: number;
}

export interface FunctionCode {
  readonly name: string;
  readonly instructions: readonly Instruction[];
  readonly slots: number;
}

/** A function value. */
export interface Closure {
  readonly code: FunctionCode;
  readonly captures: readonly Cell[];
}

export interface Cell {
  value: Value;
}

export type Value = Scalar | Closure;
