import { types } from 'node:util';
import { safeLines } from '@temper/core/policy';

/** Contents of an object, read without running code of the caller. */
export interface Contents {
  /** The items, if the object is a list. */
  readonly items?: readonly unknown[];
  /** The keys and values otherwise. */
  readonly entries: readonly (readonly [string, unknown])[];
  /** Number of omitted items or entries. */
  readonly more: number;
}

const GETTER = '[getter]';
/** Most lines of the message of an error, and the longest line: no limit of details is larger. */
const MAX_LINES = 100;
const MAX_LINE = 65_536;
/** Maximum number of prototypes searched for a data property. */
const MAX_PROTOTYPES = 5;

/** The value of a data property, own or inherited; undefined for accessors, which are not called. */
export function dataProperty(value: object, key: string): unknown {
  let holder: object | null = value;
  for (let i = 0; holder !== null && i < MAX_PROTOTYPES; i++) {
    if (types.isProxy(holder)) return undefined;
    const found = Object.getOwnPropertyDescriptor(holder, key);
    if (found !== undefined) return found.value;
    holder = Object.getPrototypeOf(holder) as object | null;
  }
  return undefined;
}

/** The value of an object that represents one value, such as a Date; otherwise undefined. */
export function specialValue(value: object): string | number | boolean | undefined {
  if (Array.isArray(value)) return undefined;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype || prototype === null) return undefined;
  if (types.isDate(value)) return date(value);
  if (types.isRegExp(value)) return '[regular expression]';
  if (types.isPromise(value)) return '[promise]';
  if (types.isAnyArrayBuffer(value)) return '[binary]';
  if (ArrayBuffer.isView(value)) return '[binary]';
  if (types.isStringObject(value)) return String.prototype.valueOf.call(value);
  if (types.isNumberObject(value)) return Number.prototype.valueOf.call(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  if (types.isWeakMap(value) || types.isWeakSet(value)) return '[weak collection]';
  if (prototype === URL.prototype) return URL.prototype.toString.call(value);
  return undefined;
}

function date(value: Date): string {
  const time = Date.prototype.getTime.call(value);
  return Number.isNaN(time) ? 'Invalid Date' : new Date(time).toISOString();
}

/** At most `limit` items or entries of an object. */
export function entriesOf(value: object, limit: number): Contents {
  if (Array.isArray(value)) return listContents(value, limit);
  if (types.isNativeError(value)) return errorContents(value, limit);
  if (types.isSet(value)) {
    const items = take(Set.prototype.values.call(value), limit);
    return { items, entries: [], more: sizeOf(value) - items.length };
  }
  if (types.isMap(value)) {
    const pairs = take(Map.prototype.entries.call(value), limit) as [unknown, unknown][];
    const entries = pairs.map(([key, item]) => [keyText(key), item] as const);
    return { entries, more: sizeOf(value) - pairs.length };
  }
  return objectContents(value, limit);
}

function listContents(value: readonly unknown[], limit: number): Contents {
  const length = Math.min(value.length, limit);
  const items: unknown[] = [];
  for (let i = 0; i < length; i++) items.push(ownValue(value, String(i)));
  return { items, entries: [], more: value.length - length };
}

function objectContents(value: object, limit: number): Contents {
  const keys = Object.keys(value);
  const length = Math.min(keys.length, limit);
  const entries: [string, unknown][] = [];
  for (let i = 0; i < length; i++) {
    const key = keys[i] as string;
    entries.push([key, ownValue(value, key)]);
  }
  return { entries, more: keys.length - length };
}

function errorContents(value: Error, limit: number): Contents {
  const { entries, more } = objectContents(value, limit);
  const named: [string, unknown][] = [
    ['name', errorName(value)],
    ['message', message(value)],
    ['cause', dataProperty(value, 'cause')],
    ['errors', dataProperty(value, 'errors')],
  ];
  return { entries: [...named, ...entries], more };
}

/** Others wrote it, so it may quote credentials, unlike data that the caller has chosen. */
function message(value: Error): unknown {
  const text = dataProperty(value, 'message');
  return typeof text === 'string' ? safeLines(text, MAX_LINES, MAX_LINE) : text;
}

/** The `name` of an error, or the name of its class if `name` is an accessor or just 'Error'. */
export function errorName(value: object): string {
  const name = dataProperty(value, 'name');
  const made = dataProperty(value, 'constructor');
  const className = typeof made === 'function' ? dataProperty(made, 'name') : undefined;
  // 'Error' is inherited from Error.prototype; the class name is more specific.
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name;
  return typeof className === 'string' && className !== '' ? className : 'Error';
}

/** The value of an own data property; a marker for an accessor, which is not called. */
export function ownValue(value: object, key: string): unknown {
  const found = Object.getOwnPropertyDescriptor(value, key);
  return found?.get !== undefined || found?.set !== undefined ? GETTER : found?.value;
}

function take(iterator: Iterator<unknown>, limit: number): unknown[] {
  const items: unknown[] = [];
  while (items.length < limit) {
    const { done, value } = iterator.next();
    if (done === true) break;
    items.push(value);
  }
  return items;
}

const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, 'size')?.get as () => number;
const setSize = Object.getOwnPropertyDescriptor(Set.prototype, 'size')?.get as () => number;

function sizeOf(value: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>): number {
  return types.isMap(value) ? mapSize.call(value) : setSize.call(value);
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number' || typeof key === 'boolean') return String(key);
  return `[${key === null ? 'null' : typeof key}]`;
}
