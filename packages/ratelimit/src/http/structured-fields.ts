import { decodeBase64, encodeBase64 } from './base64.ts';

/** A value of Structured Fields: a String, Token, Byte Sequence, Integer or Decimal, or Boolean. */
export type BareItem =
  | { readonly type: 'string' | 'token'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'integer' | 'decimal'; readonly value: number }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'date' | 'display'; readonly value: string };

/** A member of a list: a value with parameters. */
export interface Item {
  readonly bare: BareItem;
  readonly parameters: ReadonlyMap<string, BareItem>;
}

/** Largest Integer of Structured Fields. */
export const MAX_INTEGER = 999_999_999_999_999;

const SPACES = / */y;
const WHITESPACE = /[ \t]*/y;
const KEY = /[a-z*][a-z0-9_.*-]*/y;
const NUMBER = /-?(\d+)(?:\.(\d+))?/y;
const STRING = /"((?:[ !#-[\]-~]|\\["\\])*)"/y;
const TOKEN = /[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*/y;
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y;
const BOOLEAN = /\?([01])/y;
const DATE = /@(-?\d{1,15})/y;
const DISPLAY = /%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"/y;

/** Reads a text from left to right. */
class Reader {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.at >= this.#text.length;
  }

  /** Takes `text` if it comes next. */
  take(text: string): boolean {
    if (!this.#text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.at += found[0].length;
    return found;
  }
}

/**
 * Parses a List of Structured Fields (RFC 9651, section 4.2.1) whose members are Items.
 *
 * @returns `undefined` when it is malformed or has an Inner List: the whole field must be ignored then
 */
export function parseList(text: string): Item[] | undefined {
  const reader = new Reader(text);
  reader.match(SPACES);
  const items: Item[] = [];
  while (!reader.done) {
    const item = parseItem(reader);
    if (item === undefined) return undefined;
    items.push(item);
    reader.match(WHITESPACE);
    if (reader.done) return items;
    if (!reader.take(',')) return undefined;
    reader.match(WHITESPACE);
    if (reader.done) return undefined; // a trailing comma
  }
  return items;
}

function parseItem(reader: Reader): Item | undefined {
  const bare = parseBare(reader);
  if (bare === undefined) return undefined;
  const parameters = new Map<string, BareItem>();
  while (reader.take(';')) {
    reader.match(SPACES);
    const key = reader.match(KEY)?.[0];
    if (key === undefined) return undefined;
    const value: BareItem | undefined = reader.take('=')
      ? parseBare(reader)
      : { type: 'boolean', value: true };
    if (value === undefined) return undefined;
    parameters.set(key, value);
  }
  return { bare, parameters };
}

function parseBare(reader: Reader): BareItem | undefined {
  const string = reader.match(STRING);
  if (string !== undefined) {
    return { type: 'string', value: string[1]!.replace(/\\(["\\])/g, '$1') };
  }
  const bytes = reader.match(BYTES);
  if (bytes !== undefined) {
    const value = decodeBase64(bytes[1]!);
    return value && { type: 'bytes', value };
  }
  const boolean = reader.match(BOOLEAN);
  if (boolean !== undefined) return { type: 'boolean', value: boolean[1] === '1' };
  const date = reader.match(DATE);
  if (date !== undefined) return { type: 'date', value: date[1]! };
  const display = reader.match(DISPLAY);
  if (display !== undefined) return { type: 'display', value: display[1]! };
  const token = reader.match(TOKEN);
  if (token !== undefined) return { type: 'token', value: token[0] };
  return parseNumber(reader);
}

function parseNumber(reader: Reader): BareItem | undefined {
  const number = reader.match(NUMBER);
  if (number === undefined) return undefined;
  const [text, whole, fraction] = number;
  if (fraction === undefined) {
    return whole!.length > 15 ? undefined : { type: 'integer', value: Number(text) };
  }
  if (whole!.length > 12 || fraction.length > 3) return undefined;
  return { type: 'decimal', value: Number(text) };
}

/** @throws {TypeError} when the text has a character that is not printable ASCII */
export function serializeString(text: string): string {
  if (!/^[ -~]*$/.test(text)) {
    throw new TypeError(`'${text}' cannot be a String of Structured Fields: printable ASCII only.`);
  }
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** As the nearest Integer from 0 to the largest that there is. */
export function serializeCount(value: number): string {
  return String(Math.min(MAX_INTEGER, Math.max(0, Math.floor(value))));
}

export function serializeBytes(bytes: Uint8Array): string {
  return `:${encodeBase64(bytes)}:`;
}
