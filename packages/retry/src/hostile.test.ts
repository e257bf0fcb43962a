import { diag } from '@opentelemetry/api';
import { type ErrorCategory, isTransient, type Outcome } from '@temper/core';
import { retryDetails } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { retryBudget } from './budget.ts';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

const warned: string[] = [];
const reported: unknown[] = [];
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => void unhandled.push(error);

beforeEach(() => {
  for (const each of [warned, reported, unhandled]) each.length = 0;
  const quiet = (): void => {};
  diag.setLogger({
    error: (...args) => void reported.push(args[0]),
    warn: (message) => void warned.push(message),
    info: quiet,
    debug: quiet,
    verbose: quiet,
  });
  process.on('unhandledRejection', onUnhandled);
});
afterEach(async () => {
  await settle();
  process.off('unhandledRejection', onUnhandled);
  diag.disable();
  expect(unhandled).toEqual([]);
});

function setUp(options: RetryOptions = {}): { clock: ManualClock; policy: RetryPolicy } {
  const clock = new ManualClock();
  return { clock, policy: retry({ name: 'hostile', jitter: 'none', clock, ...options }) };
}
const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
const throws = (): never => {
  throw new Error('hostile');
};
/** The outcome in an array, as resolving with a hostile value would read its `then`. */
const settled = (promise: Promise<unknown>): Promise<['value' | 'error', unknown]> =>
  promise.then(
    (value) => ['value', value],
    (error: unknown) => ['error', error],
  );

const getters = (...names: string[]): Error => {
  const error = new Error('x');
  for (const name of names) Object.defineProperty(error, name, { get: throws });
  return error;
};
const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const HOSTILE: readonly (readonly [string, unknown])[] = [
  ['an error with throwing getters', getters('code', 'status', 'headers', 'response', 'body')],
  ['an error whose message and cause throw', getters('message', 'cause', 'name', 'errors')],
  ['an error whose classification throws', getters('classification', 'retryAfterMs')],
  ['a proxy that throws', new Proxy({}, { get: throws, getPrototypeOf: throws, has: throws })],
  ['a revoked proxy', revoked()],
  ['an object without a prototype', Object.create(null)],
  ['a frozen error', Object.freeze(transient())],
  [
    'an error that is its own cause',
    Object.assign(new Error('x'), { cause: undefined as unknown }),
  ],
  ['an error with a message of 5 MB', new Error('x'.repeat(5_000_000))],
  ['a function', throws],
  ['null', null],
  ['undefined', undefined],
  ['a string', 'text'],
  ['a symbol', Symbol('down')],
  ['a bigint', 1n],
];
const selfCaused = HOSTILE.find(([name]) => name.includes('own cause'))?.[1] as { cause: unknown };
selfCaused.cause = selfCaused;

describe.each(HOSTILE)('%s', (_, failure) => {
  it.each([false, true])('is thrown after all attempts, wrapped: %s', async (wrapExhausted) => {
    const { clock, policy } = setUp({ shouldHandle: (o) => !o.ok, wrapExhausted });
    const [kind, error] = await clock.runUntil(
      settled(policy.execute(() => Promise.reject(failure))),
    );
    expect(kind).toBe('error');
    if (wrapExhausted) {
      expect(error).toMatchObject({ code: 'RETRY_EXHAUSTED', attempts: 3 });
      expect((error as Error).cause === failure).toBe(true);
      expect((error as Error).message.length).toBeLessThan(700);
    } else {
      expect(error === failure).toBe(true);
    }
    expect(policy.stats()).toMatchObject({ operations: { exhausted: 1 }, attempts: 3 });
  });

  it('is thrown unchanged by the default predicate, after one attempt unless it is transient', async () => {
    const { clock, policy } = setUp();
    const [kind, error] = await clock.runUntil(
      settled(policy.execute(() => Promise.reject(failure))),
    );
    expect([kind, error === failure]).toEqual(['error', true]);
    expect(policy.stats().attempts).toBe(isTransient({ ok: false, error: failure }) ? 3 : 1);
  });
});

// A proxy that throws cannot be returned by an async function: it is read as a thenable.
const VALUES = HOSTILE.filter(([name]) => !name.includes('proxy'));

it.each(VALUES)(
  '%s is returned unchanged as a value that counts as a failure',
  async (_, value) => {
    const { clock, policy } = setUp({ shouldHandle: (o) => o.ok });
    const [kind, returned] = await clock.runUntil(settled(policy.execute(() => value)));
    expect([kind, returned === value]).toEqual(['value', true]);
    expect(policy.stats()).toMatchObject({ operations: { exhausted: 1 }, attempts: 3 });
  },
);

const ANSWERS: readonly (readonly [string, () => unknown])[] = [
  ['throws', throws],
  ['returns a promise', async () => true],
  ['returns a promise that rejects', () => Promise.reject(new Error('hostile'))],
  // biome-ignore lint/suspicious/noThenProperty: the case in question
  ['returns a thenable that throws', () => ({ then: throws })],
  [
    'returns a thenable with a throwing getter',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: the case in question
      get then(): never {
        return throws();
      },
    }),
  ],
];

describe.each(ANSWERS)('a callback that %s', (_, callback) => {
  const hostile = callback as () => never;

  it('counts as false as shouldHandle, for errors and values', async () => {
    const { policy } = setUp({ shouldHandle: hostile });
    const error = transient();
    expect(await settled(policy.execute(() => Promise.reject(error)))).toEqual(['error', error]);
    expect(await settled(policy.execute(() => 'value'))).toEqual(['value', 'value']);
    await settle();
    expect(reported.length).toBeGreaterThanOrEqual(2);
    expect(String(reported[0])).toMatch(/^hostile: shouldHandle threw an error/);
  });

  it('falls back to the backoff as delay', async () => {
    const waits: number[] = [];
    const { clock, policy } = setUp({
      delay: hostile,
      onRetry: ({ delayMs }) => waits.push(delayMs),
    });
    await clock.runUntil(settled(policy.execute(() => Promise.reject(transient()))));
    expect(waits).toEqual([100, 200]);
    await settle();
    expect(String(reported[0])).toMatch(/^hostile: delay threw an error/);
  });

  it('changes nothing as a hook', async () => {
    const { clock, policy } = setUp({ onRetry: hostile, onGiveUp: hostile });
    const error = transient();
    const outcome = await clock.runUntil(settled(policy.execute(() => Promise.reject(error))));
    expect(outcome).toEqual(['error', error]);
    expect(retryDetails(error)).toMatchObject({ attempts: 3, elapsedMs: 300 });
  });

  it('refuses the retry as budget, and changes no call that succeeds', async () => {
    const { policy } = setUp({ budget: { deposit: hostile, withdraw: hostile } });
    expect(await policy.execute(() => 'value')).toBe('value');
    const error = transient();
    expect(await settled(policy.execute(() => Promise.reject(error)))).toEqual(['error', error]);
    expect(retryDetails(error)).toMatchObject({ reason: 'budget', attempts: 1 });
  });
});

describe('a budget that is spent', () => {
  const exhaust = async (options: RetryOptions): Promise<void> => {
    const { clock, policy } = setUp({ maxAttempts: 2, ...options });
    const fail = (): Promise<never> => Promise.reject(transient());
    for (let i = 0; i < 100; i++) await clock.runUntil(policy.tryExecute(fail));
  };

  it('is reported once per policy, with the cure', async () => {
    await exhaust({ name: 'spent' });
    expect(warned).toEqual([
      "Retry policy 'spent' makes no further attempt of a call, as its budget is spent: successes earn retries, and few calls succeed. Set maxExtraLoad for a larger share, or to Infinity for no bound. Such calls have the reason 'budget' in retryDetails(error).",
    ]);
    await exhaust({ name: 'spent' });
    await exhaust({ name: 'unbounded', maxExtraLoad: Number.POSITIVE_INFINITY });
    expect(warned).toHaveLength(1);
  });

  it('names the cure of a shared budget', async () => {
    await exhaust({ name: 'shared', budget: retryBudget({ burst: 1 }) });
    expect(warned).toEqual([expect.stringContaining('Give the budget a larger ratio or burst.')]);
  });
});

describe('an error that cannot be classified', () => {
  const run = (policy: RetryPolicy, error: unknown): Promise<unknown> =>
    settled(policy.execute(() => Promise.reject(error)));

  it('is reported once per policy, with both cures', async () => {
    const { policy } = setUp({ name: 'first' });
    for (let i = 0; i < 3; i++) await run(policy, new Error('HTTP 503'));
    expect(warned).toEqual([
      "Retry policy 'first' does not retry an error that it cannot classify: HTTP 503. Set shouldHandle, or give the error a code, a status or a classification.",
    ]);
    await run(setUp({ name: 'second' }).policy, new Error('HTTP 503'));
    await run(policy, 'text');
    expect(warned).toHaveLength(3);
  });

  it('is reported once for all policies of a name, and for a hundred names at most', async () => {
    const before = warned.length;
    for (let i = 0; i < 50; i++) await run(retry({ name: 'per request' }), new Error('HTTP 503'));
    expect(warned).toHaveLength(before + 1);
    for (let i = 0; i < 300; i++) await run(retry({ name: `request ${i}` }), new Error('HTTP 503'));
    expect(warned.length - before).toBeGreaterThan(90);
    expect(warned.length - before).toBeLessThanOrEqual(100);
  });

  it('is not reported by a policy that never retries', async () => {
    await run(retry({ name: 'once', maxAttempts: 1 }), new Error('HTTP 503'));
    expect(warned.filter((message) => message.includes("'once'"))).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['an error with a code', Object.assign(new Error('gone'), { code: 'ENOENT' })],
    ['a bug', new TypeError('bug')],
    ['an abort of the operation itself', new DOMException('stop', 'AbortError')],
    [
      'an error that classifies itself as unknown',
      Object.assign(new Error('x'), {
        classification: {
          category: 'unknown' satisfies ErrorCategory,
          severity: 'medium',
          transient: false,
        },
      }),
    ],
  ])('is not confused with %s', async (_, error) => {
    await run(setUp().policy, error);
    expect(warned).toEqual([]);
  });

  it('is not reported where shouldHandle decides', async () => {
    const shouldHandle = (outcome: Outcome<unknown>): boolean => isTransient(outcome);
    await run(setUp({ shouldHandle }).policy, new Error('HTTP 503'));
    expect(warned).toEqual([]);
  });
});
