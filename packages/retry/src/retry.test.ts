import { DeadlineExceededError, isTemperError } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { RetryExhaustedError } from './errors.ts';
import type { RetryEvent, RetryOptions } from './options.ts';
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

/** An operation that fails so many times, then answers, and remembers when it was called. */
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

const caught = async (promise: Promise<unknown>): Promise<RetryExhaustedError> => {
  try {
    await promise;
  } catch (error) {
    return error as RetryExhaustedError;
  }
  throw new Error('It resolved.');
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
    const inner = setUp({ clock, maxAttempts: 1 }).policy;
    const outer = setUp({ clock, isRetryable: () => true }).policy;
    const attempts: number[] = [];
    const call = outer.execute((context) =>
      inner.execute((own) => {
        attempts.push(context.attempt, own.attempt);
        return attempts.length < 6 ? Promise.reject(transient()) : 'done';
      }, context),
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
  it('is made three times by default, and keeps the error of every attempt', async () => {
    const { clock, policy } = setUp();
    const thrown: Error[] = [];
    const { operation, calledAt } = failing(clock, 9, () => {
      const error = transient(`try ${thrown.length + 1}`);
      thrown.push(error);
      return error;
    });
    const error = await caught(clock.runUntil(policy.execute(operation)));
    expect(calledAt).toEqual([0, 100, 300]);
    expect(error).toBeInstanceOf(RetryExhaustedError);
    expect(isTemperError(error, 'RETRY_EXHAUSTED')).toBe(true);
    expect(error).toMatchObject({
      name: 'RetryExhaustedError',
      policy: 'registry',
      reason: 'attempts',
      attempts: 3,
    });
    expect(error.errors).toEqual(thrown);
    expect(error.errors.map((one, i) => one === thrown[i])).toEqual([true, true, true]);
    expect(error.cause).toBe(thrown[2]);
    expect(error.message).toBe(
      "'registry' gave up after 3 attempts in 300 ms, as no attempt is left: try 3",
    );
    expect(policy.stats()).toMatchObject({ operations: { exhausted: 1 }, attempts: 3, retries: 2 });
  });

  it('with maxAttempts 1 says so in the singular', async () => {
    const { policy } = setUp({ maxAttempts: 1 });
    const error = await caught(policy.execute(() => Promise.reject(transient())));
    expect(error.message).toMatch(/^'registry' gave up after 1 attempt in 0 ms/);
  });

  it('classifies as its cause does, but is not worth trying again', async () => {
    const { policy } = setUp({ maxAttempts: 1 });
    const error = await caught(policy.execute(() => Promise.reject(transient())));
    expect(error.classification).toEqual({
      category: 'network',
      severity: 'high',
      transient: false,
    });
  });

  it('so is not multiplied by a retry around it', async () => {
    const clock = new ManualClock();
    const inner = setUp({ clock }).policy;
    const outer = setUp({ clock, name: 'outer' }).policy;
    const { operation, calledAt } = failing(clock, 99);
    const error = await caught(
      clock.runUntil(outer.execute((context) => inner.execute(operation, context))),
    );
    expect(calledAt).toHaveLength(3);
    expect(error.policy).toBe('registry');
  });

  it('survives a failure that cannot be shown', async () => {
    const { clock, policy } = setUp({ isRetryable: () => true });
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('hostile');
        },
      },
    );
    const error = await caught(clock.runUntil(policy.execute(() => Promise.reject(hostile))));
    expect(error.attempts).toBe(3);
    expect(error.cause).toBe(hostile);
    const empty = Object.create(null) as object;
    const other = await caught(clock.runUntil(policy.execute(() => Promise.reject(empty))));
    expect(other.message).toMatch(/no attempt is left: an object$/);
  });

  it('keeps the first error and the last thousand, and all of a shorter call', async () => {
    const { clock, policy } = setUp({ maxAttempts: 2500, initialDelayMs: 1, backoff: 'constant' });
    let n = 0;
    const call = policy.execute(() => Promise.reject(transient(`${++n}`)));
    const error = await caught(clock.runUntil(call));
    expect(error.attempts).toBe(2500);
    expect(error.errors).toHaveLength(1000);
    expect((error.errors[0] as Error).message).toBe('1');
    expect((error.errors[1] as Error).message).toBe('1502');
    expect((error.cause as Error).message).toBe('2500');
  });
});

describe('a call that fails with what is not worth trying again', () => {
  it.each([
    ['a missing file', Object.assign(new Error('gone'), { code: 'ENOENT' })],
    ['a bug', new TypeError('x is not a function')],
    ['a bad request', Object.assign(new Error('bad'), { status: 400 })],
    ['a full disk', Object.assign(new Error('full'), { code: 'ENOSPC' })],
    ['a change of mind', new DOMException('stop', 'AbortError')],
    ['a deadline', new DeadlineExceededError('op', 5)],
    ['what nobody knows', new Error('?')],
    ['no error at all', 'words'],
    ['nothing', undefined],
  ])('passes %s on at once and unchanged', async (_, error) => {
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

  it('is what isRetryable says it is, which is told the attempt', async () => {
    const seen: RetryEvent[] = [];
    const { clock, policy } = setUp({
      isRetryable: (error, event) => {
        seen.push(event);
        return error instanceof TypeError;
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
    expect(seen.map(({ attempt, operation, policy }) => [attempt, operation, policy])).toEqual([
      [1, 'fetch_package', 'registry'],
      [2, 'fetch_package', 'registry'],
    ]);
  });
});

describe('a value that means failure', () => {
  const isFailure = (value: unknown): boolean => (value as { status: number }).status >= 500;

  it('is tried again, and the value that follows is returned', async () => {
    const { clock, policy } = setUp({ isFailure });
    let calls = 0;
    const call = policy.execute(() => ({ status: ++calls < 3 ? 503 : 200 }));
    expect(await clock.runUntil(call)).toEqual({ status: 200 });
    expect(calls).toBe(3);
    expect(policy.stats()).toMatchObject({ operations: { recovered: 1 }, attempts: 3 });
  });

  it('is returned as it is when attempts run out, and counted as exhausted', async () => {
    const gaveUp: unknown[] = [];
    const { clock, policy } = setUp({ isFailure, onGiveUp: ({ error }) => gaveUp.push(error) });
    const last = { status: 503 };
    expect(await clock.runUntil(policy.execute(() => last))).toBe(last);
    expect(policy.stats()).toMatchObject({ operations: { exhausted: 1, success: 0 }, attempts: 3 });
    expect(gaveUp).toEqual([expect.any(RetryExhaustedError)]);
  });
});

describe('hooks and predicates', () => {
  it('hear each retry with its wait, and the end with what it ends with', async () => {
    const heard: unknown[] = [];
    const { clock, policy } = setUp({
      onRetry: ({ attempt, delayMs, outcome }) => heard.push([attempt, delayMs, outcome.ok]),
      onGiveUp: ({ attempt, error }) => heard.push([attempt, (error as Error).name]),
    });
    await caught(clock.runUntil(policy.execute(() => Promise.reject(transient()))));
    expect(heard).toEqual([
      [1, 100, false],
      [2, 200, false],
      [3, 'RetryExhaustedError'],
    ]);
    heard.length = 0;
    await caught(policy.execute(() => Promise.reject(new TypeError('bug'))));
    expect(heard).toEqual([[1, 'TypeError']]);
  });

  it('that throw change nothing', async () => {
    const broken = (): never => {
      throw new Error('broken hook');
    };
    const { clock, policy } = setUp({ onRetry: broken, onGiveUp: broken, delay: broken });
    const { operation, calledAt } = failing(clock, 9);
    expect((await caught(clock.runUntil(policy.execute(operation)))).reason).toBe('attempts');
    expect(calledAt).toEqual([0, 100, 300]);
  });

  it('that reject change nothing, and leave no unhandled rejection', async () => {
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
  ])('a predicate that %s has said no', async (_, predicate) => {
    const answer = predicate as unknown as () => boolean;
    const retryable = setUp({ isRetryable: answer });
    const error = transient();
    expect(await caught(retryable.policy.execute(() => Promise.reject(error)))).toBe(error);
    const failure = setUp({ isFailure: answer });
    expect(await failure.policy.execute(() => 'value')).toBe('value');
    await settle();
  });

  it("a delay of one's own takes the place of backoff and jitter, under the cap", async () => {
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
  it('follow each other at once, but let the event loop turn', async () => {
    const { policy } = setUp({
      initialDelayMs: 0,
      maxAttempts: Number.POSITIVE_INFINITY,
      clock: undefined as never,
    });
    const controller = new AbortController();
    let calls = 0;
    setTimeout(() => controller.abort('enough'), 20);
    const call = policy.execute(
      () => {
        calls++;
        throw transient();
      },
      { signal: controller.signal },
    );
    await expect(call).rejects.toBe('enough');
    expect(calls).toBeGreaterThan(10);
  });
});
