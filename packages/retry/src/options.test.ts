import { systemClock } from '@temper/core';
import { describe, expect, it } from 'vitest';
import { RETRY_DEFAULTS, type RetryOptions, resolveRetryOptions } from './options.ts';
import { retry } from './retry.ts';

const said = (options: unknown): string => {
  try {
    retry(options as RetryOptions);
    return 'accepted';
  } catch (error) {
    return String(error);
  }
};

describe('options that make no sense are refused at construction', () => {
  it.each<[unknown, string]>([
    [{ maxAttempts: 0 }, 'RangeError: retry: maxAttempts must be an integer >= 1, got 0.'],
    [{ maxAttempts: -1 }, 'RangeError: retry: maxAttempts must be an integer >= 1, got -1.'],
    [{ maxAttempts: 2.5 }, 'RangeError: retry: maxAttempts must be an integer >= 1, got 2.5.'],
    [{ maxAttempts: '3' }, "TypeError: retry: maxAttempts must be an integer >= 1, got '3'."],
    [
      { initialDelayMs: Number.NaN },
      'RangeError: retry: initialDelayMs must be a finite number >= 0, got NaN.',
    ],
    [
      { initialDelayMs: -5 },
      'RangeError: retry: initialDelayMs must be a finite number >= 0, got -5.',
    ],
    [
      { initialDelayMs: Number.POSITIVE_INFINITY },
      'RangeError: retry: initialDelayMs must be a finite number >= 0, got Infinity.',
    ],
    [
      { maxDelayMs: Number.NaN },
      'RangeError: retry: maxDelayMs must be a finite number >= 0, got NaN.',
    ],
    [
      { initialDelayMs: 500, maxDelayMs: 400 },
      'RangeError: retry: maxDelayMs must be a number >= 500, got 400.',
    ],
    [{ multiplier: 0.5 }, 'RangeError: retry: multiplier must be a finite number >= 1, got 0.5.'],
    [
      { multiplier: Number.NaN },
      'RangeError: retry: multiplier must be a finite number >= 1, got NaN.',
    ],
    [
      { backoff: 'fibonacci' },
      "TypeError: retry: backoff must be one of 'constant', 'linear', 'exponential', got 'fibonacci'.",
    ],
    [
      { jitter: 'wild' },
      "TypeError: retry: jitter must be one of 'none', 'full', 'equal', 'decorrelated' or { ratio: 0..1 }, got 'wild'.",
    ],
    [
      { jitter: true },
      "TypeError: retry: jitter must be one of 'none', 'full', 'equal', 'decorrelated' or { ratio: 0..1 }, got true.",
    ],
    [
      { jitter: { ratio: 1.1 } },
      'RangeError: retry: jitter.ratio must be a number from 0 to 1, got 1.1.',
    ],
    [{ jitter: {} }, 'TypeError: retry: jitter.ratio must be a number from 0 to 1, got undefined.'],
    [
      { jitter: { ratio: 0.2, seed: 1 } },
      "TypeError: retry: jitter: unknown option 'seed'; known are ratio.",
    ],
    [
      { attemptTimeoutMs: 0 },
      'RangeError: retry: attemptTimeoutMs must be a finite number > 0, got 0.',
    ],
    [
      { attemptTimeoutMs: Number.POSITIVE_INFINITY },
      'RangeError: retry: attemptTimeoutMs must be a finite number > 0, got Infinity.',
    ],
    [
      { maxElapsedMs: 50 },
      'RangeError: retry: maxElapsedMs must leave time for the first wait, which is 80 ms at least, got 50.',
    ],
    [
      { maxElapsedMs: 999, initialDelayMs: 1000, jitter: 'decorrelated' },
      'RangeError: retry: maxElapsedMs must leave time for the first wait, which is 1000 ms at least, got 999.',
    ],
    [{ maxElapsedMs: -1 }, 'RangeError: retry: maxElapsedMs must be a number >= 0, got -1.'],
    [
      { maxRetryAfterMs: Number.NaN },
      'RangeError: retry: maxRetryAfterMs must be a number >= 0, got NaN.',
    ],
    [
      { respectRetryAfter: 'yes' },
      "TypeError: retry: respectRetryAfter must be a boolean, got 'yes'.",
    ],
    [{ shouldHandle: true }, 'TypeError: retry: shouldHandle must be a function, got true.'],
    [{ shouldHandle: [] }, 'TypeError: retry: shouldHandle must be a function, got an array of 0.'],
    [{ wrapExhausted: 1 }, 'TypeError: retry: wrapExhausted must be a boolean, got 1.'],
    [{ delay: 100 }, 'TypeError: retry: delay must be a function, got 100.'],
    [{ onRetry: 'log' }, "TypeError: retry: onRetry must be a function, got 'log'."],
    [{ onGiveUp: null }, 'TypeError: retry: onGiveUp must be a function, got null.'],
    [{ budget: 0.2 }, 'TypeError: retry: budget must be an object, got 0.2.'],
    [{ budget: {} }, 'TypeError: retry: budget.deposit must be a function, got undefined.'],
    [
      { spans: 'some' },
      "TypeError: retry: spans must be one of 'all', 'failures', 'none', got 'some'.",
    ],
    [
      { name: '' },
      "TypeError: retry: name must be a non-empty string of at most 128 characters without control characters, got ''.",
    ],
    [{ clock: Date }, 'TypeError: retry: clock must be an object, got function Date.'],
    [{ random: 0.5 }, 'TypeError: retry: random must be a function, got 0.5.'],
    [null, 'TypeError: retry: options must be an object, got null.'],
    [3, 'TypeError: retry: options must be an object, got 3.'],
  ])('%o', (options, message) => {
    expect(said(options)).toBe(message);
  });

  it('a misspelt one is named with those that exist', () => {
    expect(said({ maxRetries: 3 })).toMatch(
      /^TypeError: retry: unknown option 'maxRetries'; known are name, maxAttempts, backoff, /,
    );
  });
});

describe('options', () => {
  it('that are left out or undefined have their defaults', () => {
    const bare = resolveRetryOptions({});
    expect(bare).toEqual({ ...RETRY_DEFAULTS, clock: systemClock, random: Math.random });
    const undefineds = Object.fromEntries(Object.keys(bare).map((key) => [key, undefined]));
    expect(resolveRetryOptions(undefineds as RetryOptions)).toEqual(bare);
  });

  it('may ask for endless attempts, and for a first wait above the default cap', () => {
    expect(said({ maxAttempts: Number.POSITIVE_INFINITY })).toBe('accepted');
    expect(resolveRetryOptions({ initialDelayMs: 60_000 }).maxDelayMs).toBe(60_000);
    expect(said({ maxRetryAfterMs: Number.POSITIVE_INFINITY })).toBe('accepted');
  });

  it('are not changed by the policy, and may be frozen', () => {
    const options = Object.freeze({ maxAttempts: 2, jitter: Object.freeze({ ratio: 0.1 }) });
    expect(retry(options).describe()).toMatchObject({ repeats: true });
    expect(options).toEqual({ maxAttempts: 2, jitter: { ratio: 0.1 } });
  });
});
