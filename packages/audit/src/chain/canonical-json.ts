/** A JSON value. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * Serialises a value by RFC 8785 (JSON Canonicalization Scheme): no white space, keys in UTF-16 order,
 * numbers and strings as ECMAScript writes them. Different implementations produce the same bytes.
 *
 * @throws {TypeError} if a number is not finite, a string has a lone surrogate, or a value is not
 *   JSON
 * @see https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalize(value: JsonValue): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      return numeral(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      break;
    default:
      throw new TypeError(`Canonical JSON has no ${typeof value}.`);
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) return list(value);
  return object(value as JsonObject);
}

function list(items: readonly JsonValue[]): string {
  if (items.length === 0) return '[]';
  let text = '[';
  for (let i = 0; i < items.length; i++) {
    text += (i === 0 ? '' : ',') + canonicalize(items[i] as JsonValue);
  }
  return `${text}]`;
}

function object(value: JsonObject): string {
  // sort() orders by UTF-16 code unit, as RFC 8785 requires.
  const keys = Object.keys(value).sort();
  let text = '{';
  for (const key of keys) {
    text += `${text.length === 1 ? '' : ','}${quote(key)}:${canonicalize(value[key] as JsonValue)}`;
  }
  return `${text}}`;
}

/** Text that JSON does not escape: printable ASCII except quote and backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Longest string that {@link isPlain} accepts. */
export const MAX_PLAIN = 63;

/** Whether a string is short and needs no escaping and no cleaning. */
export function isPlain(text: string): boolean {
  return text.length <= MAX_PLAIN && PLAIN.test(text);
}

/** Replaces NUL and lone surrogates, which some stores reject, by U+FFFD. */
export function cleanText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes('\0') ? whole.replaceAll('\0', '\uFFFD') : whole;
}

/** A string in canonical JSON. */
export function quote(text: string): string {
  if (isPlain(text)) return `"${text}"`;
  if (!text.isWellFormed()) {
    throw new TypeError(
      'Canonical JSON has no lone surrogates; call toWellFormed() on the string first.',
    );
  }
  return JSON.stringify(text);
}

function numeral(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`Canonical JSON has no ${value}.`);
  // RFC 8785 prescribes the number formatting of ECMAScript, which writes -0 as 0.
  return String(value);
}
