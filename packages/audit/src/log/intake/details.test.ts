import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type JsonValue } from '../../chain/canonical-json.ts';
import { DEFAULT_LIMITS } from '../options.ts';
import { type AuditLimits, sanitise, TRUNCATED } from './details.ts';
import { Redactor } from './redaction.ts';

const none = new Redactor({ rules: [] });
const clean = (value: object, limits: AuditLimits = {}): JsonValue =>
  sanitise(value, 'details', none, { ...DEFAULT_LIMITS, ...limits }).value;

describe('sanitise', { timeout: 30_000 }, () => {
  it('keeps plain JSON unchanged', () => {
    const value = { a: 1, b: [true, null, 'x'], c: { d: -1.5e300 } };
    expect(clean(value)).toEqual(value);
  });

  it('represents values that JSON does not have', () => {
    class Money {
      amount = 3;
    }
    const value = {
      big: 12345678901234567890n,
      date: new Date(0),
      never: new Date(Number.NaN),
      nan: Number.NaN,
      infinity: Number.NEGATIVE_INFINITY,
      missing: undefined,
      fn: () => 1,
      symbol: Symbol('s'),
      map: new Map<unknown, unknown>([
        ['k', new Set([1, 2])],
        [{}, 3],
      ]),
      buffer: Buffer.from('secret'),
      array: new Uint8Array(4).buffer,
      pattern: /x/,
      promise: Promise.resolve(1),
      url: new URL('https://example.com/a?b'),
      boxed: [Object('s'), Object(1), Object(false)],
      weak: new WeakMap(),
      instance: new Money(),
      sparse: [1, undefined, 3],
    };
    expect(clean(value)).toEqual({
      big: '12345678901234567890',
      date: '1970-01-01T00:00:00.000Z',
      never: 'Invalid Date',
      nan: 'NaN',
      infinity: '-Infinity',
      fn: '[function]',
      symbol: '[symbol]',
      map: { k: [1, 2], '[object]': 3 },
      buffer: '[binary]',
      array: '[binary]',
      pattern: '[regular expression]',
      promise: '[promise]',
      url: 'https://example.com/a?b',
      boxed: ['s', 1, false],
      weak: '[weak collection]',
      instance: { amount: 3 },
      sparse: [1, null, 3],
    });
  });

  it('keeps the causes of errors and omits their stacks', () => {
    class CustomError extends Error {
      override get name(): string {
        throw new Error('a name that throws');
      }
      code = 'E_CUSTOM';
    }
    const error = new CustomError('outer', { cause: new TypeError('inner') });
    expect(clean({ error })).toEqual({
      error: {
        name: 'CustomError',
        message: 'outer',
        code: 'E_CUSTOM',
        cause: { name: 'TypeError', message: 'inner' },
      },
    });
    expect(clean({ error: new AggregateError([new Error('a')], 'all') })).toMatchObject({
      error: { name: 'AggregateError', errors: [{ message: 'a' }] },
    });
  });

  it('marks circular references and copies shared values', () => {
    const shared = { x: 1 };
    const value: Record<string, unknown> = { first: shared, second: shared };
    value.self = value;
    value.list = [value];
    expect(clean(value)).toEqual({
      first: { x: 1 },
      second: { x: 1 },
      self: '[circular]',
      list: ['[circular]'],
    });
  });

  it('calls no getter, toJSON, proxy trap, iterator or toString of the caller', () => {
    let calls = 0;
    const trap = (): never => {
      calls++;
      throw new Error('called');
    };
    class Hostile extends Map<string, number> {
      override [Symbol.iterator] = trap;
      override entries = trap;
      override get size(): number {
        return trap();
      }
    }
    const list = [1, 2];
    Object.defineProperty(list, 0, { get: trap, enumerable: true });
    const value = {
      get getter() {
        return trap();
      },
      set setter(_: unknown) {
        trap();
      },
      nested: { toJSON: trap, toString: trap, [Symbol.toPrimitive]: trap },
      proxy: new Proxy(
        {},
        { ownKeys: trap, get: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap },
      ),
      map: new Hostile([['a', 1]]),
      list,
      error: Object.defineProperties(new Error('x'), {
        message: { get: trap },
        name: { get: trap },
      }),
      inheriting: Object.create(new Proxy({}, { get: trap, has: trap })) as object,
    };
    expect(clean(value)).toEqual({
      getter: '[getter]',
      setter: '[getter]',
      nested: { toJSON: '[function]', toString: '[function]' },
      proxy: '[proxy]',
      map: { a: 1 },
      list: ['[getter]', 2],
      error: { name: 'Error' },
      inheriting: {},
    });
    expect(calls).toBe(0);
    expect(clean(new Proxy({}, { ownKeys: trap, getPrototypeOf: trap }))).toEqual({
      value: '[proxy]',
    });
  });

  it('does not hang on a very large BigInt', () => {
    expect(clean({ huge: 2n ** 5_000_000n })).toEqual({ huge: '[bigint beyond 2^1024]' });
  });

  it('truncates and marks long strings, wide objects and deep objects', () => {
    const deep = { a: { b: { c: { d: 1 } } } };
    expect(clean(deep, { maxDepth: 2 })).toEqual({ a: { b: '[too deep]' } });
    expect(clean({ s: 'x'.repeat(40) }, { maxStringLength: 16 })).toEqual({
      s: `${'x'.repeat(16)}${TRUNCATED}`,
    });
    expect(clean({ list: [1, 2, 3, 4] }, { maxEntries: 2 })).toEqual({ list: [1, 2, '[2 more]'] });
    expect(clean({ a: 1, b: 2, c: 3 }, { maxEntries: 2 })).toEqual({
      a: 1,
      b: 2,
      [TRUNCATED]: '1 more keys',
    });
    expect(clean({ list: [1, 2, 3, 4] }, { maxEntries: 1, maxDepth: 1 })).toEqual({
      list: '[too deep]',
    });
  });

  it('keeps as much as fits into maxBytes', () => {
    const value = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [`k${i}`, 'x'.repeat(100)]),
    );
    const { value: kept, text } = sanitise(value, 'details', none, {
      ...DEFAULT_LIMITS,
      maxBytes: 2_000,
    });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2_000);
    expect(Object.values(kept).filter((item) => item === 'x'.repeat(100)).length).toBeGreaterThan(
      5,
    );
    expect(Object.values(kept)).toContain(TRUNCATED);
  });

  it('replaces NUL and lone surrogates in strings', () => {
    expect(clean({ 'a\0b': 'lone \ud800 and \0' })).toEqual({
      'a\ufffdb': 'lone \ufffd and \ufffd',
    });
  });

  it('keeps a key named __proto__ as an own property', () => {
    const value = clean(JSON.parse('{"__proto__": {"polluted": true}}') as object);
    expect(Object.keys(value as object)).toEqual(['__proto__']);
    expect((value as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('wraps a value that is not an object', () => {
    expect(clean([1, 2])).toEqual({ value: [1, 2] });
    expect(clean(new Date(0))).toEqual({ value: '1970-01-01T00:00:00.000Z' });
  });

  it('returns a frozen, bounded value and its canonical JSON for any input', () => {
    const limits = {
      ...DEFAULT_LIMITS,
      maxBytes: 1_000,
      maxStringLength: 100,
      maxEntries: 10,
      maxDepth: 4,
    };
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withObjectString: true,
      withNullPrototype: true,
      maxDepth: 6,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.object(),
          fc.array(anything),
          fc.dictionary(fc.string({ unit: 'binary' }), anything),
        ),
        (value) => {
          const { value: kept, text } = sanitise(value as object, 'details', none, limits);
          expect(text).toBe(canonicalize(kept));
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limits.maxBytes);
          expect(JSON.parse(text)).toEqual(kept);
          expect(frozen(kept)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

function frozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(frozen);
}
