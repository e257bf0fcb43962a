import { floatText } from '../format/expressions.ts';
import type { PlainType } from '../types/type.ts';

/** The C type of each type of the language. */
const C_TYPES: Readonly<Record<'int' | 'float' | 'bool' | 'string' | 'void', string>> = {
  int: 'int64_t ',
  float: 'double ',
  bool: 'bool ',
  string: 'const char *',
  void: 'void ',
};

/** `int64_t name` or `const char *name`. */
export function cDeclaration(type: Exclude<PlainType['kind'], 'unknown'>, name: string): string {
  return `${C_TYPES[type]}${name}`;
}

export function cInt(value: bigint): string {
  return value <= 2_147_483_647n ? `${value}` : `INT64_C(${value})`;
}

export function cFloat(value: number): string {
  return floatText(value);
}

/** A string literal with the UTF-8 bytes. Bytes that are not printable ASCII are octal escapes. */
export function cString(text: string): string {
  let literal = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    if (char === '\n') literal += '\\n';
    // Two question marks would begin a trigraph.
    else if (char === '"' || char === '\\' || char === '?') literal += `\\${char}`;
    else if (byte >= 0x20 && byte < 0x7f) literal += char;
    else literal += `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `"${literal}"`;
}

/**
 * A readable suffix for a C identifier, made of the characters of `name` that C allows. Not an
 * identifier by itself; may be empty.
 */
export function cSuffix(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9]+/g, '_').slice(0, 32);
  return plain === '' || plain === '_' ? '' : `_${plain}`;
}

/** Converts `lessOrEqual` to `less_or_equal`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
