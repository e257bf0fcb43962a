import { DeadlineExceededError, isTransient, type Operation, type Outcome } from '@temper/core';
import type { Call, InCallExecutor } from '@temper/core/policy';
import { retryDetails } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });

/** Calls `inner` inside `outer`, in one of the ways in which it can be done. */
type Nest = <T>(outer: RetryPolicy, inner: RetryPolicy, operation: Operation<T>) => Promise<T>;
const WAYS: Record<string, Nest> = {
  'as in a pipeline': (outer, inner, operation) =>
    outer.execute((call) =>
      (inner as unknown as InCallExecutor).runInCall(operation, call as Call),
    ),
  'joined by parent': (outer, inner, operation) =>
    outer.execute((call) => inner.execute(operation, { parent: call })),
  'joined by parent with options of its own': (outer, inner, operation) =>
    outer.execute((call) =>
      inner.execute(operation, { parent: call, timeoutMs: 60_000, operation: 'inside' }),
    ),
  'called by hand': (outer, inner, operation) => outer.execute(() => inner.execute(operation)),
  'called by hand later': (outer, inner, operation) =>
    outer.execute(async () => {
      await Promise.resolve();
      try {
        return await inner.execute(operation);
      } finally {
        await Promise.resolve();
      }
    }),
  wrapped: (outer, inner, operation) =>
    outer.wrap(inner.wrap(() => Promise.resolve(operation(undefined as never))))(),
};
const JOINED = Object.entries(WAYS).slice(0, 3);

const shared = transient();
const FAILURES: readonly (readonly [string, () => unknown, RetryOptions['shouldHandle']])[] = [
  ['a new error each time', transient, isTransient],
  ['the same error each time', () => shared, isTransient],
  ['a frozen error', () => Object.freeze(transient()), isTransient],
  ['a proxy that throws', () => new Proxy({}, { get: () => JSON.parse('{') }), (o) => !o.ok],
];
const PRIMITIVES = ['text', 503, undefined, null, Symbol.for('down'), 1n, Number.NaN, true];

/** What a program makes of the error of an inner retry before the outer one sees it. */
const WRAPPED: Record<string, (error: unknown) => unknown> = {
  'as the cause': (cause) => Object.assign(new Error('orders', { cause }), { status: 503 }),
  'as the cause of a cause': (error) =>
    new Error('orders', { cause: new Error('query', { cause: error }) }),
  'as one of several': (error) => new AggregateError([transient(), error], 'all failed'),
  'as the cause of one of several': (cause) => new AggregateError([new Error('a', { cause })]),
};

const looped = Object.assign(transient(), { errors: [] as unknown[] });
looped.cause = looped;
looped.errors.push(looped, looped);
const hostile = Object.defineProperty(transient(), 'cause', {
  get: () => {
    throw new Error('no cause');
  },
});

function setUp(
  options: RetryOptions,
): Record<'outer' | 'inner', RetryPolicy> & { clock: ManualClock } {
  const clock = new ManualClock();
  const inner = retry({ name: 'inner', jitter: 'none', clock, ...options });
  return { clock, inner, outer: retry({ name: 'outer', jitter: 'none', clock, ...options }) };
}

describe.each([
  ['the last error thrown', false],
  ['the last error wrapped', true],
])('a retry around a retry, with %s', (_, wrapExhausted) => {
  for (const [way, nest] of Object.entries(WAYS)) {
    it.each(FAILURES)(
      `${way} makes no more attempts than the inner one, for %s`,
      async (...row) => {
        const [, failure, shouldHandle = () => false] = row;
        const { clock, inner, outer } = setUp({ shouldHandle, wrapExhausted });
        let calls = 0;
        const call = nest(outer, inner, () => {
          calls++;
          return Promise.reject(failure());
        });
        const [error] = await clock.runUntil(call.then(expect.fail, (error: unknown) => [error]));
        expect(calls).toBe(3);
        expect(retryDetails(error)).toMatchObject({ policy: 'inner', attempts: 3 });
        expect(outer.stats()).toMatchObject({ operations: { failure: 1 }, attempts: 1 });
      },
    );
  }

  for (const [way, nest] of JOINED) {
    it.each(PRIMITIVES)(
      `${way} makes no more attempts than the inner one, for %s`,
      async (value) => {
        const { clock, inner, outer } = setUp({ shouldHandle: (o) => !o.ok, wrapExhausted });
        let calls = 0;
        const call = nest(outer, inner, () => {
          calls++;
          return Promise.reject(value);
        });
        await clock.runUntil(call.then(expect.fail, () => {}));
        expect(calls).toBe(3);
      },
    );
  }
});

describe('a retry around a retry', () => {
  for (const [way, nest] of JOINED) {
    it.each([{ status: 503 }, 'pending', undefined])(
      `${way} returns a value that counts as a failure after the attempts of the inner one: %o`,
      async (value) => {
        const { clock, inner, outer } = setUp({ shouldHandle: (o) => o.ok && o.value === value });
        let calls = 0;
        const call = nest(outer, inner, () => {
          calls++;
          return value;
        });
        expect(await clock.runUntil(call)).toBe(value);
        expect(calls).toBe(3);
        expect(outer.stats()).toMatchObject({ operations: { failure: 1 }, attempts: 1 });
      },
    );
  }

  it('makes no more attempts when the operation unwraps the error of the inner one', async () => {
    const { clock, inner, outer } = setUp({ wrapExhausted: true });
    let calls = 0;
    const call = outer.tryExecute(async () => {
      try {
        await inner.execute(() => {
          calls++;
          return Promise.reject(transient());
        });
      } catch (error) {
        throw (error as Error).cause;
      }
    });
    await clock.runUntil(call);
    expect(calls).toBe(3);
  });

  it.each(Object.entries(WRAPPED))(
    'makes no more attempts when the error of the inner one is in another: %s',
    async (_, wrap) => {
      const { clock, inner, outer } = setUp({});
      let calls = 0;
      const call = outer.tryExecute(async () => {
        const outcome = await inner.tryExecute(() => {
          calls++;
          return Promise.reject(transient());
        });
        throw wrap((outcome as { error: unknown }).error);
      });
      expect(await clock.runUntil(call)).toMatchObject({ ok: false });
      expect(calls).toBe(3);
      expect(outer.stats()).toMatchObject({ operations: { failure: 1 }, attempts: 1 });
    },
  );

  it('retries a deadline, although an attempt before it ended the inner one', async () => {
    const { clock, inner, outer } = setUp({ maxAttempts: 2, shouldHandle: (o) => !o.ok });
    let calls = 0;
    const call = outer.tryExecute(async () => {
      const outcome = await inner.tryExecute(() => Promise.reject(transient()));
      calls++;
      throw new DeadlineExceededError('slow', 10, (outcome as { error: unknown }).error);
    });
    await clock.runUntil(call);
    expect(calls).toBe(2);
  });

  it.each([
    ['an endless chain', () => looped],
    ['an error with a hostile cause', () => hostile],
  ])('retries %s', async (_, failure) => {
    const { clock, outer } = setUp({ shouldHandle: (o) => !o.ok });
    let calls = 0;
    await clock.runUntil(
      outer.tryExecute(() => {
        calls++;
        return Promise.reject(failure());
      }),
    );
    expect(calls).toBe(3);
  });

  it('retries another error than the one that ended the inner one', async () => {
    const { clock, inner, outer } = setUp({});
    let calls = 0;
    const call = outer.tryExecute(async () => {
      await inner.tryExecute(() => Promise.reject(transient()));
      calls++;
      throw transient();
    });
    await clock.runUntil(call);
    expect(calls).toBe(3);
  });

  it('retries an error that the inner one did not retry', async () => {
    const clock = new ManualClock();
    const inner = retry({ clock, shouldHandle: () => false });
    const outer = retry({ clock });
    let calls = 0;
    const operation = (): Promise<never> => {
      calls++;
      return Promise.reject(shared);
    };
    await clock.runUntil(outer.tryExecute((call) => inner.execute(operation, { parent: call })));
    expect(calls).toBe(3);
  });
});

describe('an unrelated call that fails with the same error', () => {
  const attempts = async (
    clock: ManualClock,
    policy: RetryPolicy,
    error: unknown,
    delayMs = 0,
  ): Promise<number> => {
    let calls = 0;
    await policy.tryExecute(async () => {
      calls++;
      if (delayMs > 0) await clock.sleep(delayMs);
      throw error;
    });
    return calls;
  };
  const anything = { shouldHandle: (o: Outcome<unknown>) => !o.ok };

  it.each([shared, 'text'])('is retried afresh when it begins later: %s', async (error) => {
    const { clock, inner, outer } = setUp(anything);
    for (const policy of [inner, inner, outer]) {
      expect(await clock.runUntil(attempts(clock, policy, error))).toBe(3);
    }
  });

  it.each([shared, 'text'])('is retried afresh within the same outer call: %s', async (error) => {
    const { clock, inner, outer } = setUp(anything);
    const calls = [0, 0];
    const run = (n: 0 | 1) => (): Promise<never> => {
      calls[n] = (calls[n] ?? 0) + 1;
      return Promise.reject(error);
    };
    const call = outer.tryExecute(async (parent) => {
      await inner.tryExecute(run(0), { parent });
      await inner.execute(run(1), { parent });
    });
    await clock.runUntil(call);
    expect(calls).toEqual([3, 3]);
  });

  it.each([shared, 'text'])('is retried afresh when it began earlier: %s', async (error) => {
    const { clock, inner, outer } = setUp({ ...anything, maxAttempts: 3 });
    const first = attempts(clock, inner, error, 10);
    const second = attempts(clock, outer, error, 25);
    expect(await clock.runUntil(Promise.all([first, second]))).toEqual([3, 3]);
    expect(outer.stats()).toMatchObject({ operations: { exhausted: 1 } });
    expect(inner.stats()).toMatchObject({ operations: { exhausted: 1 } });
  });

  it('is retried afresh at the same time, with a primitive', async () => {
    const { clock, inner } = setUp(anything);
    const calls = Array.from({ length: 20 }, (_, i) => attempts(clock, inner, 'text', i * 7));
    expect(await clock.runUntil(Promise.all(calls))).toEqual(Array(20).fill(3));
  });

  it('is taken for a retry around a retry when another call began and gave up during the attempt', async () => {
    const { clock, inner, outer } = setUp(anything);
    const slow = attempts(clock, outer, shared, 1000);
    const fast = attempts(clock, inner, shared);
    expect(await clock.runUntil(Promise.all([slow, fast]))).toEqual([1, 3]);
  });
});
