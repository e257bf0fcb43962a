import { show } from '@temper/core/policy';

/** How deep arguments may be nested. A structure that contains itself exceeds it. */
const MAX_DEPTH = 64;

/**
 * Derives the key of a call from the arguments of a wrapped function, for
 * `cache.wrap(fn, keyFromArguments)`. Equal arguments give equal keys, whatever the order of their
 * properties, and different ones give different keys.
 *
 * @param args - JSON-like: strings, numbers, bigints, booleans, `null`, `undefined`, arrays, and plain
 * objects of such values
 * @throws {TypeError} on anything else, such as a function, a `Date` or a class instance: its contents
 * are not known. Compute the key yourself then: `cache.wrap(fn, (user) => ({ key: user.id }))`.
 */
export function keyFromArguments(...args: readonly unknown[]): { readonly key: string } {
  return { key: encode(args, 0) };
}

function encode(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) {
    throw new TypeError(`keyFromArguments: arguments are nested deeper than ${MAX_DEPTH} levels.`);
  }
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) {
        return `[${Array.from(value, (each) => encode(each, depth + 1)).join()}]`;
      }
      if (isPlain(value)) return encodeObject(value, depth);
      break;
    default:
  }
  throw new TypeError(
    `keyFromArguments: cannot derive a key from ${show(value)}; compute it: wrap(fn, (...args) => ({ key })).`,
  );
}

function encodeObject(value: object, depth: number): string {
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = entries.map(([key, each]) => `${JSON.stringify(key)}:${encode(each, depth + 1)}`);
  return `{${parts.join()}}`;
}

/** Whether a value consists of nothing but its own enumerable properties. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.getOwnPropertySymbols(value).length === 0;
}
