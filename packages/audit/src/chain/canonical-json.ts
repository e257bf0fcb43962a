/** What JSON can say. */
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
 * Serialises to the one text that RFC 8785 (JSON Canonicalization Scheme) allows: no white space,
 * keys in UTF-16 order, numbers and strings as ECMAScript writes them. Two implementations in two
 * languages then hash the same bytes.
 *
 * @throws {TypeError} when a number is not finite, a string holds a lone surrogate, or a value is
 *   not JSON at all
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
  // The default order of sort() is by UTF-16 code unit, which is the one RFC 8785 asks for.
  const keys = Object.keys(value).sort();
  let text = '{';
  for (const key of keys) {
    text += `${text.length === 1 ? '' : ','}${quote(key)}:${canonicalize(value[key] as JsonValue)}`;
  }
  return `${text}}`;
}

/** Text that JSON writes between quotes as it is: printable ASCII but for the quote and backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Longest string that {@link isPlain} looks at. */
export const MAX_PLAIN = 63;

/** Whether a short string needs no attention of any kind: the cheapest test there is for it. */
export function isPlain(text: string): boolean {
  return text.length <= MAX_PLAIN && PLAIN.test(text);
}

/** Makes a string one that every store accepts: well-formed Unicode without NUL. */
export function cleanText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes('\0') ? whole.replaceAll('\0', '\uFFFD') : whole;
}

/** A string as canonical JSON writes it. */
export function quote(text: string): string {
  if (isPlain(text)) return `"${text}"`;
  if (!text.isWellFormed()) {
    throw new TypeError(
      'Canonical JSON has no lone surrogates; make the string well formed first.',
    );
  }
  return JSON.stringify(text);
}

function numeral(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`Canonical JSON has no ${value}.`);
  // ECMAScript's own number formatting is the one RFC 8785 prescribes; it writes -0 as 0.
  return String(value);
}
