import { getEventListeners } from 'node:events';
import { DeadlineExceededError, OperationTimeoutError, type Outcome } from '@temper/core';
import { type RetryDetails, retryDetails } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

function setUp(options: RetryOptions = {}): { clock: ManualClock; policy: RetryPolicy } {
  const clock = new ManualClock(Date.UTC(2026, 10, 24));
  return { clock, policy: retry({ name: 'registry', jitter: 'none', clock, ...options }) };
}
const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
const fail = (): Promise<never> => Promise.reject(transient());
const caught = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('It resolved.');
};

/** The retries behind the error that a call rejects with. */
const exhausted = async (promise: Promise<unknown>): Promise<RetryDetails> => {
  const details = retryDetails(await caught(promise));
  if (details === undefined) throw new Error('No retry ended with this error.');
  return details;
};

describe('Retry-After', () => {
  const unavailable = (value: string): Error =>
    Object.assign(new Error('busy'), { status: 503, headers: { 'retry-after': value } });

  /** How long the policy waits before its second attempt. */
  async function waited(options: RetryOptions, outcome: () => unknown): Promise<number> {
    const { clock, policy } = setUp({ maxAttempts: 2, ...options });
    const calledAt: number[] = [];
    await clock.runUntil(
      policy.tryExecute(() => {
        calledAt.push(clock.monotonic());
        return outcome();
      }),
    );
    return (calledAt[1] as number) - (calledAt[0] as number);
  }

  it('is waited for in seconds', async () => {
    expect(await waited({}, () => Promise.reject(unavailable('7')))).toBe(7000);
  });

  it('is waited for as an HTTP date, by the wall clock', async () => {
    const error = unavailable('Tue, 24 Nov 2026 00:00:12 GMT');
    expect(await waited({}, () => Promise.reject(error))).toBe(12_000);
  });

  it('is waited for on a response that counts as a failure', async () => {
    const response = new Response('', { status: 503, headers: { 'Retry-After': '2' } });
    const shouldHandle = (o: Outcome<Response>): boolean => o.ok && o.value.status === 503;
    expect(await waited({ shouldHandle }, () => response)).toBe(2000);
  });

  it('may ask for more than maxDelayMs, but not for less than the backoff', async () => {
    const error = unavailable('20');
    expect(await waited({ maxDelayMs: 1000 }, () => Promise.reject(error))).toBe(20_000);
    const past = unavailable('Tue, 24 Nov 2020 00:00:00 GMT');
    expect(await waited({}, () => Promise.reject(past))).toBe(100);
    expect(await waited({}, () => Promise.reject(unavailable('0')))).toBe(100);
  });

  it('ends the retries when it is too long, and is in the details', async () => {
    const { policy } = setUp();
    let calls = 0;
    const details = await exhausted(
      policy.execute(() => {
        calls++;
        return Promise.reject(unavailable('31'));
      }),
    );
    expect(calls).toBe(1);
    expect(details).toMatchObject({ reason: 'retry-after', retryAfterMs: 31_000, attempts: 1 });
    const wrapping = setUp({ wrapExhausted: true }).policy;
    await expect(wrapping.execute(() => Promise.reject(unavailable('31')))).rejects.toThrow(
      "Retry policy 'registry' failed after 1 attempt (the wait that was asked for exceeds maxRetryAfterMs): busy",
    );
    const patient = { maxRetryAfterMs: 60_000 };
    expect(await waited(patient, () => Promise.reject(unavailable('31')))).toBe(31_000);
  });

  it('is in the details when attempts run out', async () => {
    const { clock, policy } = setUp({ maxAttempts: 2 });
    const call = policy.execute(() => Promise.reject(unavailable('3')));
    expect(await exhausted(clock.runUntil(call))).toMatchObject({
      reason: 'attempts',
      retryAfterMs: 3000,
    });
  });

  it('is ignored when respectRetryAfter is false, or when it cannot be parsed', async () => {
    const error = unavailable('7');
    expect(await waited({ respectRetryAfter: false }, () => Promise.reject(error))).toBe(100);
    expect(await waited({}, () => Promise.reject(unavailable('soon')))).toBe(100);
  });
});

describe('the timeout of an attempt', () => {
  it('aborts the attempt and counts it as failed, with an error that says so', async () => {
    const { clock, policy } = setUp({ attemptTimeoutMs: 50, maxAttempts: 2 });
    const reasons: unknown[] = [];
    const call = policy.execute(({ signal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      return new Promise<never>(() => {});
    });
    const { attempts, errors, elapsedMs } = await exhausted(clock.runUntil(call));
    expect(attempts).toBe(2);
    for (const one of errors) expect(one).toBeInstanceOf(OperationTimeoutError);
    expect(errors[0]).toMatchObject({ policy: 'registry', timeoutMs: 50 });
    expect(reasons).toEqual(errors);
    expect(elapsedMs).toBe(150); // a wait of 100 ms and an attempt of 50 ms
    expect(clock.pendingRefed).toBe(0);
  });

  it('gives each attempt a signal of its own', async () => {
    const { clock, policy } = setUp({ attemptTimeoutMs: 50 });
    const signals: AbortSignal[] = [];
    const call = policy.execute(({ signal }) => {
      signals.push(signal);
      return signals.length === 1 ? new Promise<never>(() => {}) : signal.aborted;
    });
    expect(await clock.runUntil(call)).toBe(false);
    expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
  });

  it('drops what comes too late, value or error, without an unhandled rejection', async () => {
    const { clock, policy } = setUp({ attemptTimeoutMs: 50 });
    let calls = 0;
    const call = policy.execute(async () => {
      const mine = ++calls;
      if (mine === 3) return 'third';
      await clock.sleep(1000);
      if (mine === 1) throw new Error('late');
      return 'late';
    });
    expect(await clock.runUntil(call)).toBe('third');
    await clock.advance(2000);
    expect(policy.stats()).toMatchObject({ operations: { recovered: 1 }, attempts: 3 });
  });

  it('costs no timer when the operation is in time', async () => {
    const { clock, policy } = setUp({ attemptTimeoutMs: 50 });
    for (let i = 0; i < 10; i++) await policy.execute(() => i);
    expect(clock.pendingRefed).toBe(0);
    expect(clock.pending).toBe(1);
    await clock.advance(50);
    expect(clock.pending).toBe(0);
  });
});

describe('a deadline', () => {
  it('ends the retries when the next would begin after it', async () => {
    const { clock, policy } = setUp({ maxAttempts: 10 });
    let calls = 0;
    const call = policy.execute(
      () => {
        calls++;
        return fail();
      },
      { timeoutMs: 350 },
    );
    const details = await exhausted(clock.runUntil(call));
    expect(calls).toBe(3); // at 0, 100, 300; the next would be at 700
    expect(details).toMatchObject({ reason: 'deadline', attempts: 3 });
    expect(clock.pending).toBe(0);
  });

  it('ends the retries also when the next would begin just then', async () => {
    const { clock, policy } = setUp();
    const details = await exhausted(clock.runUntil(policy.execute(fail, { timeoutMs: 300 })));
    expect(details).toMatchObject({ reason: 'deadline', attempts: 2 });
  });

  it('ends a running attempt at once', async () => {
    const { clock, policy } = setUp();
    let signal: AbortSignal | undefined;
    const call = policy.execute(
      (context) => {
        signal = context.signal;
        return clock.sleep(10_000, context.signal);
      },
      { timeoutMs: 350 },
    );
    const error = await caught(clock.runUntil(call));
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(signal?.reason).toBeInstanceOf(DeadlineExceededError);
    expect(signal?.reason).toEqual(error);
    expect(signal?.reason).not.toBe(error);
    await settle();
    expect(policy.stats()).toMatchObject({ operations: { aborted: 1 } });
    expect(clock.pending).toBe(0);
  });
});

describe('maxElapsedMs', () => {
  it('lets no attempt begin later, and cuts none short', async () => {
    const { clock, policy } = setUp({ maxAttempts: 10, maxElapsedMs: 700 });
    const start = clock.monotonic();
    const calledAt: number[] = [];
    const call = policy.execute(async () => {
      calledAt.push(clock.monotonic() - start);
      await clock.sleep(150);
      return fail();
    });
    const details = await exhausted(clock.runUntil(call));
    expect(calledAt).toEqual([0, 250, 600]);
    expect(details).toMatchObject({ reason: 'elapsed', elapsedMs: 600 });
  });

  it('counts from the beginning of the call, by time that only goes forward', async () => {
    const { clock, policy } = setUp({ maxElapsedMs: 100, maxAttempts: 2 });
    let calls = 0;
    const operation = async (): Promise<never> => {
      calls++;
      clock.adjustWallClock(86_400_000);
      return fail();
    };
    expect(await exhausted(clock.runUntil(policy.execute(operation)))).toMatchObject({
      reason: 'attempts',
    });
    expect(calls).toBe(2);
  });
});

describe('an abort', () => {
  it('during the wait rejects at once with the reason, and leaves neither timer nor listener', async () => {
    const gaveUp: unknown[] = [];
    const { clock, policy } = setUp({ onGiveUp: ({ error }) => gaveUp.push(error) });
    const controller = new AbortController();
    const reason = { why: 'user left' };
    let calls = 0;
    const call = policy.execute(
      () => {
        calls++;
        return fail();
      },
      { signal: controller.signal },
    );
    await settle();
    expect(clock.pending).toBe(1);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort(reason);
    expect(await caught(call)).toBe(reason);
    expect(calls).toBe(1);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    expect(policy.stats()).toMatchObject({ operations: { aborted: 1 }, attempts: 1, retries: 0 });
    expect(gaveUp).toEqual([reason]);
  });

  it('during an attempt is passed on, and nothing is tried again', async () => {
    const { clock, policy } = setUp();
    const controller = new AbortController();
    let calls = 0;
    const call = policy.execute(
      ({ signal }) => {
        calls++;
        return clock.sleep(1000, signal).catch(() => fail());
      },
      { signal: controller.signal },
    );
    await settle();
    controller.abort('stop');
    expect(await caught(call)).toBe('stop');
    expect(calls).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('by a hook ends the retries, also when there is no wait', async () => {
    const controller = new AbortController();
    const { policy } = setUp({ initialDelayMs: 0, onRetry: () => controller.abort('hook') });
    let calls = 0;
    const call = policy.execute(
      () => {
        calls++;
        return fail();
      },
      { signal: controller.signal },
    );
    expect(await caught(call)).toBe('hook');
    expect(calls).toBe(1);
    expect(policy.stats()).toMatchObject({ operations: { aborted: 1 }, retries: 0 });
  });

  it('that an operation ignores does not take its answer away', async () => {
    const { policy } = setUp();
    const controller = new AbortController();
    const call = policy.execute(
      async () => {
        controller.abort();
        return 'done all the same';
      },
      { signal: controller.signal },
    );
    expect(await call).toBe('done all the same');
  });

  it('of one call leaves the others that share the policy alone', async () => {
    const { clock, policy } = setUp();
    const controller = new AbortController();
    let calls = 0;
    const other = policy.execute(() => (++calls < 3 ? fail() : 'done'));
    const aborted = policy.execute(fail, { signal: controller.signal });
    await settle();
    controller.abort('mine only');
    expect(await caught(aborted)).toBe('mine only');
    expect(await clock.runUntil(other)).toBe('done');
  });

  it('leaves no listener behind on a signal that outlives ten thousand calls', async () => {
    const { clock, policy } = setUp({ attemptTimeoutMs: 1000, initialDelayMs: 0 });
    const { signal } = new AbortController();
    for (let i = 0; i < 10_000; i++) {
      let calls = 0;
      await policy.execute(
        (context) => {
          if (context.signal.aborted) throw new Error('nobody aborted');
          if (++calls === 1) throw transient();
        },
        { signal },
      );
    }
    expect(policy.stats()).toMatchObject({ operations: { recovered: 10_000 } });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(clock.pendingRefed).toBe(0);
  }, 30_000);
});
