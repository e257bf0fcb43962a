import { types } from 'node:util';
import {
  canonicalize,
  cleanText,
  isPlain,
  type JsonObject,
  type JsonValue,
  MAX_PLAIN,
  quote,
} from '../../chain/canonical-json.ts';
import { entriesOf, ownValue, specialValue } from './exotic-values.ts';
import { type KeyInfo, MASK, type PathState, type Redactor } from './redaction.ts';
import type { RedactionAction } from './redaction-rules.ts';

/** Size limits of one event. */
export interface AuditLimits {
  /**
   * Maximum size of `details`, in bytes of canonical JSON. Longer details are truncated and marked.
   *
   * @defaultValue 16_384
   * @throws {RangeError} at construction, unless an integer from 256 to 1_048_576
   */
  readonly maxBytes?: number;
  /**
   * Maximum length of a string, in UTF-16 code units. Longer strings are truncated and marked.
   *
   * @defaultValue 2_048
   * @throws {RangeError} at construction, unless an integer from 16 to 65_536
   */
  readonly maxStringLength?: number;
  /**
   * Maximum number of keys of an object, or items of an array.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless an integer from 1 to 10_000
   */
  readonly maxEntries?: number;
  /**
   * Maximum nesting depth of objects.
   *
   * @defaultValue 8
   * @throws {RangeError} at construction, unless an integer from 1 to 32
   */
  readonly maxDepth?: number;
}

/** A plain, frozen, bounded and redacted copy of a value. */
export interface Sanitised {
  readonly value: JsonObject;
  /** Its canonical JSON. */
  readonly text: string;
}

/** Marks a truncated value. */
export const TRUNCATED = '[truncated]';
/** Text beyond the truncation point that patterns still search, to find a secret that crosses it. */
const PATTERN_MARGIN = 256;
/** Longest text that is taken for a key, in UTF-16 code units. */
const MAX_NAME = 64;
/** Keys whose value may be the key that the other values of the object belong to. */
const NAME_FIELDS: ReadonlySet<string> = new Set([
  'name',
  'key',
  'field',
  'header',
  'param',
  'parameter',
  'path',
  'property',
  'attribute',
]);
/** Keys of those values. */
const VALUE_FIELDS: ReadonlySet<string> = new Set([
  'value',
  'values',
  'old',
  'oldValue',
  'new',
  'newValue',
  'from',
  'to',
  'before',
  'after',
  'previous',
  'current',
]);
/** Smallest scale of the limits before all details are dropped. */
const SMALLEST_SCALE = 1 / 64;

/**
 * Copies any value into plain, frozen JSON.
 *
 * No code of the caller runs: accessors, `toJSON` and proxy traps are not called, so that they
 * cannot throw, block or have side effects. Redaction is applied during the copy, so that a dropped
 * or masked value is never read.
 *
 * @param field name of the event's field, the first segment of redaction paths
 */
export function sanitise(
  value: object,
  field: string,
  redactor: Redactor,
  limits: Required<AuditLimits>,
): Sanitised {
  const state = redactor.start(field);
  const action = redactor.actionAt(state);
  // The limits are halved until the result fits.
  for (let scale = 1; scale >= SMALLEST_SCALE; scale /= 2) {
    const walk = new Walk(field, redactor, limits, scale);
    const result = asObject(walk.start(value, state, action), walk);
    // UTF-8 needs at most three bytes per UTF-16 code unit.
    if (result.text.length * 3 <= limits.maxBytes) return result;
    if (Buffer.byteLength(result.text) <= limits.maxBytes) return result;
  }
  return { value: Object.freeze({ [TRUNCATED]: 'all' }), text: `{"${TRUNCATED}":"all"}` };
}

/** Details are an object, so any other value is wrapped in one. */
function asObject(value: JsonValue, { text }: Walk): Sanitised {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? { value: value as JsonObject, text }
    : { value: Object.freeze({ value }), text: `{"value":${text}}` };
}

/** Truncates and redacts one string, the value of `field`. */
export function sanitiseText(
  text: string,
  redactor: Redactor,
  maxLength: number,
  field: string,
): string {
  if (text.length <= maxLength && isPlain(text) && !redactor.suspects(text)) return text;
  const start = text.length > maxLength ? text.slice(0, maxLength + PATTERN_MARGIN) : text;
  const clean = redactor.text(cleanText(start), field, start.length < text.length);
  return clean.length > maxLength || text.length > maxLength
    ? `${cleanText(clean.slice(0, maxLength))}${TRUNCATED}`
    : clean;
}

/** One traversal of one value, which also writes its canonical JSON. */
class Walk {
  text = '';
  readonly #redactor: Redactor;
  readonly #limits: Required<AuditLimits>;
  /** Length of the text from which strings and objects are replaced by markers. */
  readonly #full: number;
  /** The enclosing objects, to detect circular references. */
  readonly #ancestors: object[] = [];
  /** Keys from the event's root to the value at hand. */
  readonly #path: string[];

  constructor(field: string, redactor: Redactor, limits: Required<AuditLimits>, scale: number) {
    this.#path = [field];
    this.#redactor = redactor;
    this.#limits =
      scale === 1
        ? limits
        : {
            ...limits,
            maxEntries: Math.ceil(limits.maxEntries * scale),
            maxStringLength: Math.ceil(limits.maxStringLength * scale),
          };
    this.#full = limits.maxBytes * scale - Math.min((limits.maxBytes * scale) / 4, 4_096);
  }

  start(value: object, state: PathState, action: RedactionAction | undefined): JsonValue {
    return action === undefined
      ? this.#object(value, state, 0)
      : this.#value(value, state, action, 0);
  }

  #object(value: object, state: PathState, depth: number): JsonValue {
    if (types.isProxy(value)) return this.#string('[proxy]');
    if (this.#ancestors.includes(value)) return this.#string('[circular]');
    const special = specialValue(value);
    if (special !== undefined) return this.#single(special, state);
    if (depth >= this.#limits.maxDepth) return this.#string('[too deep]');
    if (this.text.length > this.#full) return this.#verbatim(TRUNCATED);
    this.#ancestors.push(value);
    const keys = this.#simpleKeys(value);
    const result =
      keys === undefined
        ? this.#contents(value, state, depth)
        : this.#simple(value, keys, state, depth);
    this.#ancestors.pop();
    return result;
  }

  /** Sorted keys of a plain object that needs no truncation and no key cleaning; otherwise undefined. */
  #simpleKeys(value: object): string[] | undefined {
    if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
    const keys = Object.keys(value);
    if (keys.length > this.#limits.maxEntries) return undefined;
    let sorted = true;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      if (key.length > this.#limits.maxStringLength) return undefined;
      if (this.#redactor.keyInfo(key).clean !== key) return undefined;
      if (i > 0 && key < (keys[i - 1] as string)) sorted = false;
    }
    return sorted ? keys : keys.sort();
  }

  /** A faster form of {@link #entries} for objects with simple keys. */
  #simple(value: object, keys: readonly string[], state: PathState, depth: number): JsonValue {
    const copy: { [key: string]: JsonValue } = {};
    const before = this.text.length + 1;
    this.text += '{';
    const named = this.#namedAction(keys, (key) => ownValue(value, key));
    for (const key of keys) {
      const item = ownValue(value, key);
      if (item !== undefined) this.#entry(copy, key, item, state, depth, before, named);
    }
    this.text += '}';
    return Object.freeze(copy);
  }

  #contents(value: object, state: PathState, depth: number): JsonValue {
    const { items, entries, more } = entriesOf(value, this.#limits.maxEntries);
    return items === undefined
      ? this.#entries(entries, more, state, depth)
      : this.#items(items, more, state, depth);
  }

  #items(items: readonly unknown[], more: number, state: PathState, depth: number): JsonValue {
    const copy: JsonValue[] = [];
    this.text += '[';
    items.forEach((item, index) => {
      const below = this.#redactor.descend(state, String(index));
      const action = this.#redactor.actionAt(below) ?? this.#pairedAction(items, index);
      if (action === 'drop') return;
      if (copy.length > 0) this.text += ',';
      this.#path.push('*');
      copy.push(this.#value(item ?? null, below, action, depth));
      this.#path.pop();
    });
    if (more > 0) {
      if (copy.length > 0) this.text += ',';
      copy.push(this.#string(`[${more} more]`));
    }
    this.text += ']';
    return Object.freeze(copy);
  }

  #entries(
    entries: readonly (readonly [string, unknown])[],
    more: number,
    state: PathState,
    depth: number,
  ): JsonValue {
    const copy: { [key: string]: JsonValue } = {};
    const before = this.text.length + 1;
    let previous: string | undefined;
    this.text += '{';
    const named = this.#namedAction(
      entries.map(([key]) => key),
      (key) => entries.find(([found]) => found === key)?.[1],
    );
    for (const [key, value] of this.#inOrder(entries, more)) {
      // Cleaning or truncation can make two keys equal.
      if (value === undefined || key === previous) continue;
      previous = key;
      this.#entry(copy, key, value, state, depth, before, named);
    }
    this.text += '}';
    return Object.freeze(copy);
  }

  /** The action of the key that an object names, as in `{ name: 'password', value: 'x' }`. */
  #namedAction(
    keys: readonly string[],
    read: (key: string) => unknown,
  ): RedactionAction | undefined {
    for (const key of keys) {
      if (!NAME_FIELDS.has(key)) continue;
      const action = this.#nameAction(read(key));
      if (action !== undefined) return action;
    }
    return undefined;
  }

  /** The action of a text that may be a key. */
  #nameAction(name: unknown): RedactionAction | undefined {
    if (typeof name !== 'string' || name.length > MAX_NAME) return undefined;
    return this.#redactor.keyInfo(name).action;
  }

  /** The action of an item whose predecessor is its key: `['--password', 'x']`, `rawHeaders`, pairs. */
  #pairedAction(items: readonly unknown[], index: number): RedactionAction | undefined {
    const before = items[index - 1];
    if (typeof before !== 'string') return undefined;
    const inList = this.#path.at(-1);
    const isPair = inList === '*' && items.length === 2;
    const isHeader = index % 2 === 1 && /headers$/i.test(inList ?? '');
    const isOption = before.startsWith('-') && !before.includes('=');
    return isPair || isHeader || isOption ? this.#nameAction(before) : undefined;
  }

  /**
   * @param before length of the text before the object's first entry
   * @param named action of the key that the object names
   */
  #entry(
    copy: { [key: string]: JsonValue },
    key: string,
    value: unknown,
    state: PathState,
    depth: number,
    before: number,
    named: RedactionAction | undefined,
  ): void {
    const info = this.#redactor.keyInfo(key);
    const forValue = named !== undefined && VALUE_FIELDS.has(key) ? named : undefined;
    const below = this.#redactor.descend(state, key);
    const action = this.#redactor.actionAt(below) ?? forValue ?? byKeyOf(info, value);
    if (action === 'drop') return;
    this.text += this.text.length === before ? info.json : `,${info.json}`;
    this.#path.push(key);
    define(copy, key, this.#value(value, below, action, depth));
    this.#path.pop();
  }

  /** Sorts the entries by key, as canonical JSON requires. */
  #inOrder(
    entries: readonly (readonly [string, unknown])[],
    more: number,
  ): readonly (readonly [string, unknown])[] {
    const { maxStringLength } = this.#limits;
    const clean = entries.map((entry): readonly [string, unknown] => {
      const [key, value] = entry;
      const { clean } = this.#redactor.keyInfo(
        key.length > maxStringLength ? key.slice(0, maxStringLength) : key,
      );
      return clean === key ? entry : [clean, value];
    });
    if (more > 0) clean.push([TRUNCATED, `${more} more keys`]);
    return clean.sort(byKey);
  }

  #value(
    value: unknown,
    state: PathState,
    action: RedactionAction | undefined,
    depth: number,
  ): JsonValue {
    if (action === 'mask') return this.#verbatim(this.#redactor.replacement('mask', '', ''));
    if (action === 'hash') return this.#hashed(value, depth);
    if (typeof value === 'object' && value !== null) return this.#object(value, state, depth + 1);
    return this.#single(value, state);
  }

  /** A value without parts. */
  #single(value: unknown, state: PathState): JsonValue {
    return this.#redactor.isClosed(state) ? this.#verbatim(MASK) : this.#scalar(value);
  }

  /** Hashes strings directly, and any other value by its canonical JSON. */
  #hashed(value: unknown, depth: number): JsonValue {
    const before = this.text;
    const plain = this.#value(value, undefined, undefined, depth);
    const text = typeof value === 'string' ? value : canonicalize(plain);
    this.text = before;
    return this.#verbatim(this.#redactor.replacement('hash', text, this.#path.join('.')));
  }

  #scalar(value: unknown): JsonValue {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        if (!Number.isFinite(value)) return this.#string(String(value));
        if (this.#redactor.masksNumber(value)) return this.#verbatim(MASK);
        this.text += String(value);
        return value === 0 ? 0 : value; // canonical JSON writes -0 as 0
      case 'boolean':
        this.text += String(value);
        return value;
      case 'bigint':
        return this.#string(decimal(value));
      case 'function':
        return this.#string('[function]');
      case 'symbol':
        return this.#string('[symbol]');
      default:
        this.text += 'null';
        return null;
    }
  }

  #string(text: string): string {
    const { maxStringLength } = this.#limits;
    const room = this.text.length <= this.#full - MAX_PLAIN && text.length <= maxStringLength;
    if (room && isPlain(text) && !this.#redactor.suspects(text)) {
      this.text += `"${text}"`;
      return text;
    }
    const clean = sanitiseText(text, this.#redactor, maxStringLength, this.#path.join('.'));
    const fits = this.text.length + clean.length <= this.#full || clean.length <= TRUNCATED.length;
    return this.#verbatim(fits ? clean : TRUNCATED);
  }

  #verbatim(text: string): string {
    this.text += quote(text);
    return text;
  }
}

/** The action of a key. A boolean or null says whether there is a secret, not what it is. */
function byKeyOf({ action, partial }: KeyInfo, value: unknown): RedactionAction | undefined {
  return partial && (value === null || typeof value === 'boolean') ? undefined : action;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Largest BigInt that is converted to text: the conversion time grows with the number. */
const MAX_BIGINT = 2n ** 1024n;

function decimal(value: bigint): string {
  return value > -MAX_BIGINT && value < MAX_BIGINT ? String(value) : '[bigint beyond 2^1024]';
}

function define(target: { [key: string]: JsonValue }, key: string, value: JsonValue): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  } else {
    target[key] = value;
  }
}
