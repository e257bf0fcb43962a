import { safeText } from '@temper/core/policy';

/** Most values in the details of one check. A response to a probe is not an export. */
const MAX_VALUES = 200;
/** Deepest nesting of objects and arrays. */
const MAX_DEPTH = 6;
/** Longest name of a property. */
const MAX_NAME = 128;

/**
 * Copies the details of a check for a response: text is bounded and scrubbed, and so is the number of
 * values and the depth.
 *
 * @throws what a getter or a `toJSON` of the details throws
 */
export function safeDetails(details: unknown): unknown {
  const seen = new WeakSet<object>();
  let left = MAX_VALUES;
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string' || typeof value === 'bigint') return safeText(String(value));
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return '[repeated]';
    seen.add(value);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return copy(toJSON.call(value, ''), depth);
    if (depth === MAX_DEPTH) return '[nested too deeply]';
    if (Array.isArray(value)) return copyArray(value, depth);
    return copyObject(value, value instanceof Error ? namesOf(value) : Object.keys(value), depth);
  };
  const copyArray = (values: readonly unknown[], depth: number): unknown[] => {
    const copied: unknown[] = [];
    for (const value of values) {
      if (left-- <= 0) return [...copied, LEFT_OUT];
      copied.push(copy(value, depth + 1));
    }
    return copied;
  };
  const copyObject = (values: object, names: readonly string[], depth: number): object => {
    const copied: [string, unknown][] = [];
    for (const name of names) {
      if (left-- <= 0) {
        copied.push(['…', LEFT_OUT]);
        break;
      }
      const value = (values as Record<string, unknown>)[name];
      copied.push([safeText(name, MAX_NAME), copy(value, depth + 1)]);
    }
    // Unlike an assignment, this creates a property for any name.
    return Object.fromEntries(copied);
  };
  return copy(details, 0);
}

/** The message of an error is not enumerable. Its stack is left out. */
const namesOf = (error: Error): string[] =>
  Object.getOwnPropertyNames(error).filter((name) => name !== 'stack');

const LEFT_OUT = '[more values were left out]';
