import type { BinaryMeaning } from '../lang/vocabulary.ts';
import { Fault, MAX_STRING_BYTES } from './faults.ts';
import { floatToText } from './float-text.ts';

/** An int is a 64-bit bigint, a float is a number. */
export type Scalar = bigint | number | boolean | string;

const MAX_INT = 2n ** 63n - 1n;
const MIN_INT = -(2n ** 63n);

function checked(value: bigint): bigint {
  if (value > MAX_INT || value < MIN_INT) throw new Fault('overflow');
  return value;
}

/** Applies a binary operator other than `and` and `or` to type-checked operands. */
export function binaryOperation(meaning: BinaryMeaning, left: Scalar, right: Scalar): Scalar {
  switch (meaning) {
    case 'equal':
      return left === right;
    case 'notEqual':
      return left !== right;
    case 'less':
      return compare(left, right, (order) => order < 0);
    case 'lessOrEqual':
      return compare(left, right, (order) => order <= 0);
    case 'greater':
      return compare(left, right, (order) => order > 0);
    case 'greaterOrEqual':
      return compare(left, right, (order) => order >= 0);
    case 'concatenate':
      return concatenate(left as string, right as string);
    case 'add':
      if (typeof left === 'string') return concatenate(left, right as string);
      if (typeof left === 'bigint') return checked(left + (right as bigint));
      return (left as number) + (right as number);
    case 'subtract':
      if (typeof left === 'bigint') return checked(left - (right as bigint));
      return (left as number) - (right as number);
    case 'multiply':
      if (typeof left === 'bigint') return checked(left * (right as bigint));
      return (left as number) * (right as number);
    case 'divide':
      if (typeof left === 'bigint') return checked(left / divisor(right as bigint));
      return (left as number) / (right as number);
    case 'remainder':
      return (left as bigint) % divisor(right as bigint);
    case 'power':
      if (typeof left === 'bigint') return intPower(left, right as bigint);
      return floatPower(left as number, right as bigint);
    case 'and':
    case 'or':
      throw new TypeError(`${meaning} is compiled to jumps.`);
  }
}

export function negate(value: Scalar): Scalar {
  return typeof value === 'bigint' ? checked(-value) : -(value as number);
}

export function absolute(value: Scalar): Scalar {
  if (typeof value === 'bigint') return value < 0n ? checked(-value) : value;
  const float = value as number;
  return float <= 0 ? 0 - float : float;
}

/** Returns the first value unless the second is smaller. A comparison with NaN is false. */
export function smaller(first: Scalar, second: Scalar): Scalar {
  if (second < first) return second;
  return first;
}

/** Returns the first value unless the second is larger. A comparison with NaN is false. */
export function larger(first: Scalar, second: Scalar): Scalar {
  if (first < second) return second;
  return first;
}

/** Converts a value to text, as `print` and `string` do. */
export function textOf(
  value: Scalar,
  words: { readonly true: string; readonly false: string },
): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? words.true : words.false;
  return typeof value === 'bigint' ? `${value}` : floatToText(value);
}

/** Truncates a float to an int. */
export function truncate(value: Scalar): bigint {
  return typeof value === 'bigint' ? value : toInt(Math.trunc(value as number));
}

export function floor(value: number): bigint {
  return toInt(Math.floor(value));
}

/** Length in code points. */
export function lengthOf(text: string): bigint {
  let count = text.length;
  // A string has no lone surrogates, so each pair is one code point.
  for (let at = 0; at < text.length; at += 1) if (isHighSurrogate(text.charCodeAt(at))) count -= 1;
  return BigInt(count);
}

/** Returns `count` code points from `start`; both are clamped to the string. */
export function substring(text: string, start: bigint, count: bigint): string {
  const from = skip(text, 0, clamp(start, text.length));
  return text.slice(from, skip(text, from, clamp(count, text.length)));
}

/** The index that is `points` code points after `from`, or the end of the text. */
function skip(text: string, from: number, points: number): number {
  let at = from;
  for (let left = points; left > 0 && at < text.length; left -= 1) {
    at += isHighSurrogate(text.charCodeAt(at)) ? 2 : 1;
  }
  return at;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** Compares by code point, which is also the order of the UTF-8 bytes that C compares. */
export function compareText(left: string, right: string): number {
  const end = Math.min(left.length, right.length);
  let at = 0;
  while (at < end && left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  if (at === end) return left.length - right.length;
  const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
  // A surrogate belongs to a code point above U+FFFF, so it sorts last.
  return Number(isSurrogate(a)) - Number(isSurrogate(b)) || a - b;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function compare(left: Scalar, right: Scalar, test: (order: number) => boolean): boolean {
  if (typeof left === 'string') return test(compareText(left, right as string));
  // Every comparison with NaN is false.
  if (left < right) return test(-1);
  if (left > right) return test(1);
  return left === right && test(0);
}

function concatenate(left: string, right: string): string {
  const whole = left + right;
  if (whole.length > MAX_STRING_BYTES || Buffer.byteLength(whole) > MAX_STRING_BYTES) {
    throw new Fault('stringTooLong');
  }
  return whole;
}

function divisor(value: bigint): bigint {
  if (value === 0n) throw new Fault('divisionByZero');
  return value;
}

/** Exponentiation by squaring, in the same steps as the C code. */
function intPower(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) throw new Fault('negativeExponent');
  let result = 1n;
  let square = base;
  for (let left = exponent; left > 0n; ) {
    if (left % 2n === 1n) result = checked(result * square);
    left /= 2n;
    if (left > 0n) square = checked(square * square);
  }
  return result;
}

/**
 * Exponentiation by squaring, with the same rounding as the C code. A negative exponent inverts.
 */
function floatPower(base: number, exponent: bigint): number {
  let result = 1;
  let square = base;
  for (let left = exponent < 0n ? -exponent : exponent; left > 0n; left /= 2n) {
    if (left % 2n === 1n) result *= square;
    square *= square;
  }
  return exponent < 0n ? 1 / result : result;
}

function toInt(whole: number): bigint {
  if (!(whole >= -(2 ** 63) && whole < 2 ** 63)) throw new Fault('noInt');
  return BigInt(whole);
}

function clamp(value: bigint, max: number): number {
  return value < 0n ? 0 : value > BigInt(max) ? max : Number(value);
}
