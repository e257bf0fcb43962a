/** The value of a literal, or an error with its offset from the start of the literal. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly value: T; readonly message: string; readonly at: number };

const MAX_INT = 9_223_372_036_854_775_807n;
const PLAIN: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"' };

export function decodeInt(image: string): Decoded<bigint> {
  const digits = image.replace(/^0+(?=\d)/, '');
  // Check the length first: converting a megabyte of digits takes seconds.
  const value = digits.length <= 19 ? BigInt(digits || '0') : MAX_INT + 1n;
  if (value <= MAX_INT) return { ok: true, value };
  return {
    ok: false,
    value: 0n,
    message: `the int literal is too large; the maximum is ${MAX_INT}`,
    at: 0,
  };
}

export function decodeFloat(image: string): Decoded<number> {
  const value = Number(image);
  if (Number.isFinite(value)) return { ok: true, value };
  return { ok: false, value: 0, message: 'the float literal is too large', at: 0 };
}

/** Decodes a string literal including its quotes. The closing quote is missing unless `closed`. */
export function decodeString(image: string, closed: boolean): Decoded<string> {
  const inner = image.slice(1, closed ? -1 : undefined);
  let value = '';
  let fault: { message: string; at: number } | undefined;
  for (let at = 0; at < inner.length; at += 1) {
    const char = inner[at] as string;
    if (char === '\0') fault ??= { message: 'a string cannot contain U+0000', at: at + 1 };
    if (char !== '\\') {
      value += char;
      continue;
    }
    const next = inner[at + 1] ?? '';
    const unicode = /^\\u\{([0-9a-fA-F]{1,6})\}/.exec(inner.slice(at, at + 10));
    const code = unicode === null ? undefined : Number.parseInt(unicode[1] as string, 16);
    if (PLAIN[next] !== undefined) {
      value += PLAIN[next];
      at += 1;
    } else if (unicode !== null && code !== undefined && isScalarValue(code)) {
      value += String.fromCodePoint(code);
      at += unicode[0].length - 1;
    } else {
      fault ??= {
        message:
          'invalid escape sequence; the valid ones are \\n \\t \\r \\\\ \\" and \\u{…} with a hexadecimal code point',
        at: at + 1,
      };
      at += 1;
    }
  }
  if (!value.isWellFormed())
    fault ??= { message: 'a string cannot contain an unpaired surrogate', at: 0 };
  return fault === undefined
    ? { ok: true, value }
    : { ok: false, value: value.toWellFormed(), ...fault };
}

/** Encodes `value` as a string literal; the inverse of `decodeString`. */
export function encodeString(value: string): string {
  const escaped = value.replace(/[\\"\p{Cc}\u2028\u2029]/gu, (char) => {
    if (char === '\n') return '\\n';
    if (char === '\t') return '\\t';
    if (char === '\r') return '\\r';
    if (char === '\\' || char === '"') return `\\${char}`;
    return `\\u{${(char.codePointAt(0) as number).toString(16)}}`;
  });
  return `"${escaped}"`;
}

function isScalarValue(code: number): boolean {
  return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}
