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
