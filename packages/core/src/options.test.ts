import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { clockRule, systemClock } from './clock.ts';
import {
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type NumberRange,
  nameRule,
  numberRule,
  resolveOptions,
  show,
} from './options.ts';

const NAME = 'a non-empty string of at most 128 characters without control characters';

const said = (work: () => unknown): string => {
  try {
    return `accepted ${String(work())}`;
  } catch (error) {
    return String(error);
  }
};

describe('checkNumber', () => {
  it.each<[unknown, NumberRange, string]>([
    [0, { min: 1, integer: true }, 'RangeError: x: n must be an integer >= 1, got 0.'],
    [1.5, { min: 1, integer: true }, 'RangeError: x: n must be an integer >= 1, got 1.5.'],
    [Number.NaN, { min: 0 }, 'RangeError: x: n must be a number >= 0, got NaN.'],
    [-1, { min: 0 }, 'RangeError: x: n must be a number >= 0, got -1.'],
    [0, { min: 0, aboveMin: true }, 'RangeError: x: n must be a number > 0, got 0.'],
    [2, { min: 0, max: 1 }, 'RangeError: x: n must be a number from 0 to 1, got 2.'],
    [
      0,
      { min: 0, max: 1, aboveMin: true },
      'RangeError: x: n must be a number > 0 and <= 1, got 0.',
    ],
    [
      Number.POSITIVE_INFINITY,
      { min: 0, infinite: false },
      'RangeError: x: n must be a finite number >= 0, got Infinity.',
    ],
    [11, { max: 10 }, 'RangeError: x: n must be a number <= 10, got 11.'],
    [Number.NaN, {}, 'RangeError: x: n must be a number, got NaN.'],
    ['5', { min: 0 }, "TypeError: x: n must be a number >= 0, got '5'."],
    [undefined, { min: 0 }, 'TypeError: x: n must be a number >= 0, got undefined.'],
    [null, {}, 'TypeError: x: n must be a number, got null.'],
    [5n, {}, 'TypeError: x: n must be a number, got 5n.'],
    [0, { min: 0 }, 'accepted 0'],
    [1, { min: 0, max: 1 }, 'accepted 1'],
    [Number.POSITIVE_INFINITY, { min: 1, integer: true }, 'accepted Infinity'],
    [Number.MIN_VALUE, { min: 0, aboveMin: true }, 'accepted 5e-324'],
  ])('of %s within %o', (value, range, expected) => {
    expect(said(() => checkNumber('x', 'n', value, range))).toBe(expected);
  });
});

describe('option checks', () => {
  it.each<[() => unknown, string]>([
    [
      () => checkOneOf('retry', 'jitter', 'wild', ['none', 'full']),
      "TypeError: retry: jitter must be one of 'none', 'full', got 'wild'.",
    ],
    [() => checkOneOf('x', 'mode', 'b', ['a', 'b']), 'accepted b'],
    [
      () => checkType('x', 'hook', null, 'object'),
      'TypeError: x: hook must be an object, got null.',
    ],
    [
      () => checkType('x', 'hook', 'f', 'function'),
      "TypeError: x: hook must be a function, got 'f'.",
    ],
    [() => checkType('x', 'on', true, 'boolean'), 'accepted undefined'],
    [() => checkName('x', ''), `TypeError: x: name must be ${NAME}, got ''.`],
    [() => checkName('x', 7), `TypeError: x: name must be ${NAME}, got 7.`],
    [() => checkName('x', 'payments'), 'accepted payments'],
    [
      () => checkKnown('x', { maxAtempts: 1 }, ['maxAttempts', 'name']),
      "TypeError: x: unknown option 'maxAtempts'; known are maxAttempts, name.",
    ],
    [() => checkKnown('x', null, []), 'TypeError: x: options must be an object, got null.'],
    [() => checkKnown('x', 5, []), 'TypeError: x: options must be an object, got 5.'],
    [
      () => clockRule('x', 'clock', { now: Date.now }),
      'TypeError: x: clock.monotonic must be a function, got undefined.',
    ],
    [() => clockRule('x', 'clock', 5), 'TypeError: x: clock must be an object, got 5.'],
  ])('%s', (work, expected) => {
    expect(said(work)).toBe(expected);
  });

  it('accept any clock that has the four methods', () => {
    const clock = new ManualClock();
    expect(said(() => void clockRule('x', 'clock', clock))).toBe('accepted undefined');
    expect(said(() => void clockRule('x', 'clock', systemClock))).toBe('accepted undefined');
  });
});

describe('show', () => {
  it('describes values briefly and without their contents', () => {
    expect(show('a'.repeat(500))).toBe(`'${'a'.repeat(59)}…'`);
    expect(show(Array(9))).toBe('an array of 9');
    expect(show({ secret: 'token' })).toBe('an object');
    expect(show(function named() {})).toBe('function named');
    expect(show(() => {})).toBe('function (anonymous)');
  });
});

describe('checkKnown', () => {
  it.each<[string, unknown]>([
    ['an array', []],
    ['a Map', new Map()],
    ['a promise', Promise.resolve({})],
    ['a RegExp', /x/],
  ])('refuses %s in place of options', (_, options) => {
    expect(() => checkKnown('retry', options, ['name'])).toThrow(
      /^retry: options must be an object like \{ name \}, got /,
    );
  });
});

describe('options of other forms than literals', () => {
  interface Options {
    readonly name?: string;
    readonly limitMs?: number;
  }
  const resolve = (options: object) =>
    resolveOptions<Options>(
      'policy',
      options as Options,
      { name: 'policy', limitMs: 5 },
      { name: nameRule, limitMs: numberRule({ min: 0 }) },
    );

  class Settings {
    get limitMs(): number {
      return 7;
    }
    toString(): string {
      return 'settings';
    }
  }

  it.each<[string, object]>([
    ['inherited', Object.create({ limitMs: 7 })],
    [
      'inherited by an object without a prototype',
      Object.create(Object.assign(Object.create(null), { limitMs: 7 })),
    ],
    ['accessors of a class', new Settings()],
    ['frozen', Object.freeze({ limitMs: 7 })],
    ['not enumerable', Object.defineProperty({}, 'limitMs', { value: 7 })],
    ['tagged', { limitMs: 7, [Symbol.toStringTag]: 'Object' }],
    ['a proxy', new Proxy({ limitMs: 7 }, {})],
    ['read once', once({ limitMs: 7 })],
  ])('count when they are %s', (_, options) => {
    expect(resolve(options)).toEqual({ name: 'policy', limitMs: 7 });
  });

  it('are held to their rules, and refused when they are unknown, where they are inherited too', () => {
    expect(() => resolve(Object.create({ limitMs: -1 }))).toThrow('limitMs must be');
    expect(() => resolve(Object.create({ limit: 1 }))).toThrow("unknown option 'limit'");
  });

  it('are not what somebody has added to Object.prototype', () => {
    const prototype = Object.prototype as { limitMs?: number; limit?: number };
    try {
      prototype.limitMs = 1;
      prototype.limit = 1;
      expect(resolve({})).toEqual({ name: 'policy', limitMs: 5 });
      expect(resolve({ limitMs: 7 })).toEqual({ name: 'policy', limitMs: 7 });
    } finally {
      delete prototype.limitMs;
      delete prototype.limit;
    }
  });
});

/** Options that can be read once each: a second answer of a getter could be another one than was checked. */
function once(options: object): object {
  const read = new Set<string | symbol>();
  return new Proxy(options, {
    get(target, name, self) {
      if (Object.hasOwn(target, name) && read.has(name)) throw new Error(`${String(name)}, again`);
      read.add(name);
      return Reflect.get(target, name, self);
    },
  });
}
