import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyFromArguments } from './argument-key.ts';

const leaf = fc.oneof(
  fc.string(),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.string({ maxLength: 3 }), tie('any'), { maxKeys: 3 }),
  ),
})).any;
const args = fc.array(value, { maxLength: 3 });

/** The same value with the properties of all objects in reverse order. */
function reversed(given: unknown): unknown {
  if (Array.isArray(given)) return given.map(reversed);
  if (typeof given !== 'object' || given === null) return given;
  const entries = Object.entries(given).reverse();
  return Object.fromEntries(entries.map(([name, part]) => [name, reversed(part)]));
}

/** Equality of JSON-like values, apart from the order of properties and the prototype. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(
      ([name, part]) => Object.hasOwn(b, name) && same(part, (b as Record<string, unknown>)[name]),
    )
  );
}

describe('keyFromArguments', () => {
  it('returns equal keys exactly for equal arguments', () => {
    fc.assert(
      fc.property(args, args, (a, b) => {
        expect(keyFromArguments(...a).key === keyFromArguments(...b).key).toBe(same(a, b));
      }),
      { numRuns: 2000 },
    );
  });

  it('ignores the order of properties', () => {
    fc.assert(
      fc.property(args, (a) => {
        expect(keyFromArguments(...(reversed(a) as unknown[]))).toEqual(keyFromArguments(...a));
      }),
    );
  });

  it.each([
    ['1', [1], ['1']],
    ['a joined string', ['a,b'], ['a', 'b']],
    ['a quoted string', ['"'], ['\\"']],
    ['null', [null], ['null']],
    ['undefined', [undefined], []],
    ['minus zero', [-0], [0]],
    ['a bigint', [1n], ['1n']],
    ['an array', [[1]], [{ 0: 1 }]],
  ])('separates %s from its look-alike', (_, a, b) => {
    expect(keyFromArguments(...a).key).not.toBe(keyFromArguments(...b).key);
  });

  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a class instance', new (class User {})()],
    ['an object with a symbol', { [Symbol('s')]: 1 }],
    ['one of these in depth', { list: [{ at: new Date(0) }] }],
  ])('refuses %s, whose contents it cannot know', (_, argument) => {
    expect(() => keyFromArguments(argument)).toThrow(
      /^keyFromArguments: cannot derive a key from /,
    );
  });

  it('refuses a structure that contains itself', () => {
    const circle: unknown[] = [];
    circle.push(circle);
    expect(() => keyFromArguments(circle)).toThrow('nested deeper than 64 levels');
  });
});
