import { type CallContext, DeadlineExceededError, isTemperError, type Outcome } from '@temper/core';
import { type RetryDetails, retryDetails } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { allowDiagnostics, expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { RetryExhaustedError } from './errors.ts';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

interface SetUp {
  readonly clock: ManualClock;
  readonly policy: RetryPolicy;
}
function setUp(options: RetryOptions = {}): SetUp {
  const clock = new ManualClock();
  return { clock, policy: retry({ name: 'registry', jitter: 'none', clock, ...options }) };
}

const transient = (message = 'no route'): Error =>
  Object.assign(new Error(message), { code: 'ECONNREFUSED' });

/** An operation that fails a number of times, then succeeds, and records when it was called. */
function failing(clock: ManualClock, times: number, error: () => unknown = transient) {
  const start = clock.monotonic();
  const calledAt: number[] = [];
  const operation = async (): Promise<string> => {
    calledAt.push(clock.monotonic() - start);
    if (calledAt.length <= times) throw error();
    return 'done';
  };
  return { operation, calledAt };
}

const caught = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('It resolved.');
};

/** The retries behind the error that a call rejects with. */
const exhausted = async (promise: Promise<unknown>): Promise<RetryDetails> => {
  const details = retryDetails(await caught(promise));
  if (details === undefined) throw new Error('No retry ended with this error.');
  return details;
};

describe('a call that succeeds', () => {
  it('at the first attempt is made once, and returns what the operation returns', async () => {
    const { clock, policy } = setUp();
    const { operation, calledAt } = failing(clock, 0);
    expect(await policy.execute(operation)).toBe('done');
    expect(calledAt).toEqual([0]);
    expect(clock.pending).toBe(0);
    expect(policy.stats()).toEqual({
      operations: { success: 1, recovered: 0, failure: 0, exhausted: 0, aborted: 0 },
      attempts: 1,
      retries: 0,
    });
  });

  it('after failures waits 100 200 400 800 ms between its attempts', async () => {
    const { clock, policy } = setUp({ maxAttempts: 5 });
    const { operation, calledAt } = failing(clock, 4);
    expect(await clock.runUntil(policy.execute(operation))).toBe('done');
    expect(calledAt).toEqual([0, 100, 300, 700, 1500]);
    expect(policy.stats()).toMatchObject({
      operations: { recovered: 1 },
      attempts: 5,
      retries: 4,
    });
  });

  it('never waits longer than 30 s', async () => {
    const { clock, policy } = setUp({ maxAttempts: 14 });
    const { operation, calledAt } = failing(clock, 13);
    await clock.runUntil(policy.execute(operation));
    const waits = calledAt.slice(1).map((at, i) => at - (calledAt[i] as number));
    expect(waits.slice(8)).toEqual([25_600, 30_000, 30_000, 30_000, 30_000]);
    expect(Math.max(...waits)).toBe(30_000);
  });

  it('tells the operation which attempt it is', async () => {
    const { clock, policy } = setUp({ maxAttempts: 4 });
    const attempts: number[] = [];
    const call = policy.execute((context) => {
      attempts.push(context.attempt);
      return attempts.length < 4 ? Promise.reject(transient()) : context.attempt;
    });
    expect(await clock.runUntil(call)).toBe(4);
    expect(attempts).toEqual([1, 2, 3, 4]);
  });

  it('counts its attempts from 1 in every call of a retry around it', async () => {
    const clock = new ManualClock();
    const inner = setUp({ clock, shouldHandle: () => false }).policy;
    const outer = setUp({ clock, shouldHandle: (o) => !o.ok }).policy;
    const attempts: number[] = [];
    const call = outer.execute((context) =>
      inner.execute(
        (own) => {
          attempts.push(context.attempt, own.attempt);
          return attempts.length < 6 ? Promise.reject(transient()) : 'done';
        },
        { parent: context },
      ),
    );
    expect(await clock.runUntil(call)).toBe('done');
    expect(attempts).toEqual([1, 1, 2, 1, 3, 1]);
  });

  it('may be synchronous, and may throw synchronously', async () => {
    const { clock, policy } = setUp();
    let calls = 0;
    const call = policy.execute(() => {
      calls++;
      if (calls === 1) throw transient();
      return calls;
    });
    expectTypeOf(call).toEqualTypeOf<Promise<number>>();
    expect(await clock.runUntil(call)).toBe(2);
  });
});

describe('a call that is exhausted', () => {
  it('throws the last error unchanged after three attempts, and keeps the error of each beside it', async () => {
    const { clock, policy } = setUp();
    const thrown: Error[] = [];
    const { operation, calledAt } = failing(clock, 9, () => {
      const error = transient(`try ${thrown.length + 1}`);
      thrown.push(error);
      return error;
    });
    const error = await caught(clock.runUntil(policy.execute(operation)));
    expect(calledAt).toEqual([0, 100, 300]);
    expect(error).toBe(thrown[2]);
    expect(Object.keys(error)).toEqual(['code']);
    expect(retryDetails(error)).toEqual({
      policy: 'registry',
      reason: 'attempts',
      attempts: 3,
      elapsedMs: 300,
      errors: thrown,
      retryAfterMs: undefined,
    });
    expect(retryDetails(error)?.errors.map((one, i) => one === thrown[i])).toEqual([
      true,
      true,
      true,
    ]);
    expect(policy.stats()).toMatchObject({ operations: { exhausted: 1 }, attempts: 3, retries: 2 });
  });

  it('throws a RetryExhaustedError with the same details when wrapExhausted is set', async () => {
    const { clock, policy } = setUp({ wrapExhausted: true });
    const { operation } = failing(clock, 9, () => transient('try'));
    const error = await caught(clock.runUntil(policy.execute(operation)));
    expect(error).toBeInstanceOf(RetryExhaustedError);
    expect(isTemperError(error, 'RETRY_EXHAUSTED')).toBe(true);
    expect(error).toMatchObject({
      name: 'RetryExhaustedError',
      policy: 'registry',
      reason: 'attempts',
      attempts: 3,
      elapsedMs: 300,
    });
    expect(error.cause).toBe((error as RetryExhaustedError).errors[2]);
    expect(retryDetails(error)).toMatchObject({ reason: 'attempts', attempts: 3 });
    expect(error.message).toBe(
      "Retry policy 'registry' failed after 3 attempts and 300 ms of retries: try",
    );
  });

  it('says a single attempt in the singular', async () => {
    const { policy } = setUp({ maxAttempts: 1, wrapExhausted: true });
    const error = await caught(policy.execute(() => Promise.reject(transient())));
    expect(error.message).toBe("Retry policy 'registry' failed after 1 attempt: no route");
  });

  it('is classified as its cause when wrapped, but never as transient', async () => {
    const { policy } = setUp({ maxAttempts: 1, wrapExhausted: true });
    const error = await caught(policy.execute(() => Promise.reject(transient())));
    expect((error as RetryExhaustedError).classification).toEqual({
      category: 'network',
      severity: 'high',
      transient: false,
    });
  });

  it.each([
    ['joined by parent', false, true],
    ['called by hand', false, false],
    ['joined by parent, wrapped', true, true],
    ['called by hand, wrapped', true, false],
  ])('is not multiplied by a retry around it: %s', async (_, wrapExhausted, joined) => {
    const clock = new ManualClock();
    const inner = setUp({ clock, wrapExhausted }).policy;
    const outer = setUp({ clock, name: 'outer' }).policy;
    const { operation, calledAt } = failing(clock, 99);
    const call = outer.execute((context) =>
      inner.execute(operation, joined ? { parent: context } : {}),
    );
    expect(await exhausted(clock.runUntil(call))).toMatchObject({
      policy: 'registry',
      attempts: 3,
    });
    expect(calledAt).toHaveLength(3);
    expect(outer.stats()).toMatchObject({ operations: { failure: 1 }, attempts: 1 });
  });

  it('is retried afresh when a later call, or another at the same time, throws the same error', async () => {
    const { clock, policy } = setUp();
    const shared = transient('shared');
    const first = failing(clock, 99, () => shared);
    await caught(clock.runUntil(policy.execute(first.operation)));
    const second = failing(clock, 2, () => shared);
    expect(await clock.runUntil(policy.execute(second.operation))).toBe('done');
    expect(second.calledAt).toHaveLength(3);
    const both = [failing(clock, 99, () => shared), failing(clock, 99, () => shared)];
    const calls = both.map(({ operation }) => policy.tryExecute(operation));
    await clock.runUntil(Promise.all(calls));
    expect(both.map(({ calledAt }) => calledAt.length)).toEqual([3, 3]);
  });

  it('survives a failure that cannot be read', async () => {
    const { clock, policy } = setUp({ shouldHandle: (o) => !o.ok, wrapExhausted: true });
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('hostile');
        },
      },
    );
    const error = await caught(clock.runUntil(policy.execute(() => Promise.reject(hostile))));
    expect((error as RetryExhaustedError).attempts).toBe(3);
    expect(error.cause).toBe(hostile);
    const empty = Object.create(null) as object;
    const other = await caught(clock.runUntil(policy.execute(() => Promise.reject(empty))));
    expect(other.message).toMatch(/ms of retries: an object$/);
  });

  it('keeps the first error and the last 999, and all of a shorter call', async () => {
    const { clock, policy } = setUp({ maxAttempts: 2500, initialDelayMs: 1, backoff: 'constant' });
    let n = 0;
    const call = policy.execute(() => Promise.reject(transient(`${++n}`)));
    const { attempts, errors } = await exhausted(clock.runUntil(call));
    expect(attempts).toBe(2500);
    expect(errors).toHaveLength(1000);
    expect((errors[0] as Error).message).toBe('1');
    expect((errors[1] as Error).message).toBe('1502');
    expect((errors.at(-1) as Error).message).toBe('2500');
  });
});

describe('a call that fails with an error that is not transient', () => {
  it.each([
    ['a missing file', Object.assign(new Error('gone'), { code: 'ENOENT' })],
    ['a bug', new TypeError('x is not a function')],
    ['a bad request', Object.assign(new Error('bad'), { status: 400 })],
    ['a full disk', Object.assign(new Error('full'), { code: 'ENOSPC' })],
    ['an abort', new DOMException('stop', 'AbortError')],
    ['a deadline', new DeadlineExceededError('op', 5)],
    ['an unknown error', new Error('?')],
    ['a string', 'words'],
    ['undefined', undefined],
  ])('passes %s on at once and unchanged', async (_, error) => {
    allowDiagnostics(/does not retry an error that it cannot classify/);
    const { clock, policy } = setUp();
    const { operation, calledAt } = failing(clock, 9, () => error);
    const outcome = await policy.tryExecute(operation);
    expect(outcome).toEqual({ ok: false, error });
    expect((outcome as { error: unknown }).error).toBe(error);
    expect(calledAt).toEqual([0]);
    expect(clock.pending).toBe(0);
    expect(policy.stats()).toMatchObject({ operations: { failure: 1 }, attempts: 1, retries: 0 });
  });

  it('does so also at a later attempt', async () => {
    const { clock, policy } = setUp();
    const bug = new TypeError('bug');
    let calls = 0;
    const call = policy.execute(() => Promise.reject(++calls === 1 ? transient() : bug));
    expect(await caught(clock.runUntil(call))).toBe(bug);
    expect(calls).toBe(2);
  });

  it('is decided by shouldHandle, which sees the outcome and the context of the call', async () => {
    const seen: CallContext[] = [];
    const { clock, policy } = setUp({
      shouldHandle: (outcome, call) => {
        seen.push(call);
        return !outcome.ok && outcome.error instanceof TypeError;
      },
    });
    let calls = 0;
    const call = policy.execute(
      () => {
        calls++;
        return Promise.reject(calls < 2 ? new TypeError('again') : transient());
      },
      { operation: 'fetch_package' },
    );
    expect((await caught(clock.runUntil(call))).message).toBe('no route');
    expect(calls).toBe(2);
    expect(seen.map(({ operation }) => operation)).toEqual(['fetch_package', 'fetch_package']);
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });
});

describe('a value that counts as a failure', () => {
  const shouldHandle = (outcome: Outcome<{ status: number }>): boolean =>
    outcome.ok && outcome.value.status >= 500;

  it('is retried, and the value that follows is returned', async () => {
    const { clock, policy } = setUp({ shouldHandle });
    let calls = 0;
    const call = policy.execute(() => ({ status: ++calls < 3 ? 503 : 200 }));
    expect(await clock.runUntil(call)).toEqual({ status: 200 });
    expect(calls).toBe(3);
    expect(policy.stats()).toMatchObject({ operations: { recovered: 1 }, attempts: 3 });
  });

  it('is returned as it is when attempts run out, and counted as exhausted', async () => {
    const gaveUp: unknown[] = [];
    const { clock, policy } = setUp({ shouldHandle, onGiveUp: ({ error }) => gaveUp.push(error) });
    const last = { status: 503 };
    expect(await clock.runUntil(policy.execute(() => last))).toBe(last);
    expect(policy.stats()).toMatchObject({ operations: { exhausted: 1, success: 0 }, attempts: 3 });
    expect(gaveUp).toEqual([last]);
    expect(retryDetails(last)).toBeUndefined();
  });

  it('is the last of them when each attempt returned another', async () => {
    const gaveUp: unknown[] = [];
    const { clock, policy } = setUp({ shouldHandle, onGiveUp: ({ error }) => gaveUp.push(error) });
    const values = [{ status: 500 }, { status: 502 }, { status: 503 }] as const;
    let calls = 0;
    const call = policy.execute(() => values[calls++]!);
    expect(await clock.runUntil(call)).toBe(values[2]);
    expect(gaveUp[0]).toBe(values[2]);
  });
});

describe('labels of a call', () => {
  it('reach the operation at every attempt', async () => {
    const { clock, policy } = setUp();
    const seen: unknown[] = [];
    const call = policy.execute(
      ({ attempt, cost, priority, key }) => {
        seen.push([attempt, cost, priority, key]);
        return seen.length < 3 ? Promise.reject(transient()) : 'done';
      },
      { cost: 3, priority: 'critical', key: 'ann' },
    );
    await clock.runUntil(call);
    expect(seen).toEqual([1, 2, 3].map((attempt) => [attempt, 3, 'critical', 'ann']));
  });
});

describe('a hook that moves a clock', () => {
  it('finds the timer of the wait armed', async () => {
    const clock = new ManualClock();
    const policy = retry({ clock, onRetry: ({ delayMs }) => void clock.advance(delayMs) });
    let calls = 0;
    const operation = (): Promise<string> =>
      ++calls < 3 ? Promise.reject(transient()) : Promise.resolve('done');
    expect(await policy.execute(operation)).toBe('done');
  });
});

describe('hooks and predicates', () => {
  it('receive each retry with its wait, and the error that the call ends with', async () => {
    const heard: unknown[] = [];
    const { clock, policy } = setUp({
      onRetry: ({ attempt, delayMs, outcome }) => heard.push([attempt, delayMs, outcome.ok]),
      onGiveUp: ({ attempt, error }) => heard.push([attempt, (error as Error).name]),
    });
    await caught(clock.runUntil(policy.execute(() => Promise.reject(transient()))));
    expect(heard).toEqual([
      [1, 100, false],
      [2, 200, false],
      [3, 'Error'],
    ]);
    heard.length = 0;
    await caught(policy.execute(() => Promise.reject(new TypeError('bug'))));
    expect(heard).toEqual([[1, 'TypeError']]);
  });

  it('that throw change nothing', async () => {
    expectDiagnostics(/(onRetry|onGiveUp|delay) threw an error/);
    const broken = (): never => {
      throw new Error('broken hook');
    };
    const { clock, policy } = setUp({ onRetry: broken, onGiveUp: broken, delay: broken });
    const { operation, calledAt } = failing(clock, 9);
    expect((await exhausted(clock.runUntil(policy.execute(operation)))).reason).toBe('attempts');
    expect(calledAt).toEqual([0, 100, 300]);
  });

  it('that reject change nothing, and leave no unhandled rejection', async () => {
    expectDiagnostics(/(onRetry|onGiveUp) threw an error/);
    const rejecting = (async () => {
      throw new Error('broken hook');
    }) as () => never;
    const { clock, policy } = setUp({ onRetry: rejecting, onGiveUp: rejecting });
    expect(await clock.runUntil(policy.execute(failing(clock, 1).operation))).toBe('done');
    await caught(policy.execute(() => Promise.reject(new TypeError('bug'))));
    await settle();
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['returns a promise, even of true', async () => true],
    ['returns a promise that rejects', async () => Promise.reject(new Error('broken'))],
  ])('count a predicate that %s as false', async (_, predicate) => {
    expectDiagnostics(/shouldHandle threw an error/);
    const { policy } = setUp({ shouldHandle: predicate as unknown as () => boolean });
    const error = transient();
    expect(await caught(policy.execute(() => Promise.reject(error)))).toBe(error);
    expect(await policy.execute(() => 'value')).toBe('value');
    expect(policy.stats()).toMatchObject({ attempts: 2, retries: 0 });
    await settle();
  });

  it('takes a delay from the user in place of backoff and jitter, under the cap', async () => {
    expectDiagnostics(/delay threw an error/);
    const own = [7, undefined, Number.NaN, -5, 1e12, 0];
    const { clock, policy } = setUp({
      maxAttempts: 7,
      maxDelayMs: 5000,
      delay: ({ attempt }) => own[attempt - 1],
    });
    const { operation, calledAt } = failing(clock, 6);
    await clock.runUntil(policy.execute(operation));
    const waits = calledAt.slice(1).map((at, i) => at - (calledAt[i] as number));
    expect(waits).toEqual([7, 200, 400, 800, 5000, 0]);
  });
});

describe('retries without a wait', () => {
  it('follow each other at once, but give the event loop a turn after ten attempts', async () => {
    const { clock, policy } = setUp({
      initialDelayMs: 0,
      maxAttempts: Number.POSITIVE_INFINITY,
    });
    const controller = new AbortController();
    let calls = 0;
    const call = caught(
      policy.execute(
        () => {
          if (++calls === 35) controller.abort('enough');
          throw transient();
        },
        { signal: controller.signal },
      ),
    );
    await settle();
    expect([calls, clock.pending]).toEqual([10, 1]);
    await clock.advance(0);
    expect(await call).toBe('enough');
    expect([calls, clock.pending]).toEqual([35, 0]);
  });
});
