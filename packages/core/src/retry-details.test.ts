import { describe, expect, it } from 'vitest';
import { Call } from './call/context.ts';
import {
  endedRetries,
  numberAttempt,
  type RetryDetails,
  rememberRetries,
  retryDetails,
} from './retry-details.ts';

const DETAILS: RetryDetails = {
  policy: 'registry',
  reason: 'attempts',
  attempts: 3,
  elapsedMs: 5,
  errors: [],
  retryAfterMs: undefined,
};

describe('retryDetails', () => {
  it('returns what was remembered for an error, frozen or not, and keeps it out of the error', () => {
    const error = Object.freeze(new Error('x'));
    rememberRetries(error, new Call(), numberAttempt(), DETAILS);
    expect(retryDetails(error)).toBe(DETAILS);
    expect(Reflect.ownKeys(error)).toEqual(Reflect.ownKeys(new Error('x')));
  });

  it('is undefined for primitives, for values and for errors of nobody', () => {
    const value = {};
    rememberRetries(value, new Call(), numberAttempt());
    rememberRetries('text', new Call(), numberAttempt(), DETAILS);
    for (const each of [value, 'text', undefined, null, new Error('x')]) {
      expect(retryDetails(each)).toBeUndefined();
    }
  });
});

describe('endedRetries', () => {
  const failures: [string, () => unknown][] = [
    ['an error', () => new Error('x')],
    ['a proxy that throws', () => new Proxy({}, { get: () => expect.fail('read') })],
    ['a string', () => 'text'],
    ['NaN', () => Number.NaN],
    ['undefined', () => undefined],
    ['null', () => null],
  ];

  it.each(failures)('recognises %s that the retries of a call inside ended with', (_, make) => {
    const failure = make();
    const attempt = new Call();
    const number = numberAttempt();
    const inside = attempt
      .forAttempt(2)
      .labelled({} as never)
      .scope();
    rememberRetries(failure, inside, numberAttempt(), DETAILS);
    expect(endedRetries(failure, attempt, number)).toBe(true);
    expect(endedRetries(failure, inside, number)).toBe(true);
    expect(endedRetries(new Error('another'), attempt, number)).toBe(false);
    expect(endedRetries('another', attempt, number)).toBe(false);
  });

  it.each(failures)('tells %s of a later attempt apart', (_, make) => {
    const failure = make();
    const call = new Call();
    rememberRetries(failure, call, numberAttempt(), DETAILS);
    expect(endedRetries(failure, call, numberAttempt())).toBe(false);
  });

  it('tells an object apart that a call throws which began before the attempt', () => {
    const failure = new Error('shared');
    const began = numberAttempt();
    const number = numberAttempt();
    rememberRetries(failure, new Call(), began, DETAILS);
    expect(endedRetries(failure, new Call(), number)).toBe(false);
  });

  it('tells a primitive apart that an unrelated call throws at the same time', () => {
    const number = numberAttempt();
    rememberRetries('text', new Call(), numberAttempt(), DETAILS);
    expect(endedRetries('text', new Call(), number)).toBe(false);
  });
});
