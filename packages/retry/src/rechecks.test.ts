import { DeadlineExceededError } from '@temper/core';
import { Call, type InCallExecutor, retryDetails } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });

/** A clock on which time can jump past what is due, as after a blocked event loop. */
function setUp(options: RetryOptions = {}) {
  const clock = new ManualClock();
  const policy = retry({
    clock,
    jitter: 'none',
    initialDelayMs: 10,
    maxAttempts: 5,
    ...options,
  }) as RetryPolicy & InCallExecutor;
  return { clock, policy, operation: vi.fn(() => Promise.reject(transient())) };
}

describe('a wait that took longer than planned', () => {
  it('is followed by no attempt when the deadline of the call has passed', async () => {
    const { clock, policy, operation } = setUp();
    const call = new Call(1, clock.monotonic() + 50);
    const outcome = policy.runInCall(operation, call).catch((error: unknown) => error);
    await settle();
    clock.jump(60);
    await clock.advance(0);
    const error = await outcome;
    expect(operation).toHaveBeenCalledTimes(1);
    expect(retryDetails(error)).toMatchObject({ reason: 'deadline', attempts: 1 });
    expect(policy.stats()).toMatchObject({ retries: 0, operations: { exhausted: 1 } });
  });

  it('is followed by no attempt when timeoutMs has passed, whichever timer runs first', async () => {
    const { clock, policy, operation } = setUp();
    const outcome = policy.tryExecute(operation, { timeoutMs: 50 });
    await settle();
    clock.jump(60);
    await clock.advance(0);
    expect(await outcome).toMatchObject({ ok: false });
    expect(operation).toHaveBeenCalledTimes(1);
    expect(clock.pendingRefed).toBe(0);
  });

  it('is followed by no attempt when maxElapsedMs has passed', async () => {
    const { clock, policy, operation } = setUp({ maxElapsedMs: 50 });
    const outcome = policy.execute(operation).catch((error: unknown) => error);
    await settle();
    clock.jump(60);
    await clock.advance(0);
    expect(retryDetails(await outcome)).toMatchObject({ reason: 'elapsed', attempts: 1 });
    expect(operation).toHaveBeenCalledTimes(1);
  });

  it('is followed by an attempt when only the wait itself is over', async () => {
    const { clock, policy, operation } = setUp({ maxElapsedMs: 50, maxAttempts: 2 });
    const outcome = policy.tryExecute(operation, { timeoutMs: 100 });
    await settle();
    clock.jump(40);
    await clock.advance(0);
    await outcome;
    expect(operation).toHaveBeenCalledTimes(2);
  });
});

describe('a call that has ended before the policy is entered', () => {
  it('makes no attempt after an abort, and rejects with its reason', async () => {
    const { policy, operation } = setUp();
    await expect(
      policy.runInCall(operation, new Call(1, undefined, undefined, AbortSignal.abort('left'))),
    ).rejects.toBe('left');
    expect(operation).not.toHaveBeenCalled();
    expect(policy.stats().operations.aborted).toBe(1);
  });

  it('makes no attempt after its deadline', async () => {
    const { clock, policy, operation } = setUp();
    const call = new Call(1, clock.monotonic());
    await expect(policy.runInCall(operation, call)).rejects.toBeInstanceOf(DeadlineExceededError);
    expect(operation).not.toHaveBeenCalled();
  });
});

describe('an abort between a wait and the next attempt', () => {
  /** Aborts after this many microtasks, counted from the end of the wait. */
  const delays = [...Array(12).keys()];
  it.each([0, 10])('is noticed in every microtask, with a wait of %i ms', async (delayMs) => {
    for (const microtasks of delays) {
      const { clock, policy } = setUp({ initialDelayMs: delayMs, maxAttempts: 2 });
      const controller = new AbortController();
      const begun: boolean[] = [];
      const outcome = policy.tryExecute(
        async ({ signal }) => {
          begun.push(signal.aborted);
          if (delayMs === 0 && begun.length === 1) void later();
          throw transient();
        },
        { signal: controller.signal },
      );
      async function later(): Promise<void> {
        for (let i = 0; i < microtasks; i++) await undefined;
        controller.abort('left');
      }
      await settle();
      if (delayMs > 0) {
        clock.schedule(() => void later(), delayMs);
        await clock.advance(delayMs);
      }
      await outcome;
      expect(begun.every((aborted) => !aborted)).toBe(true);
    }
  });

  it('is noticed when a hook aborts', async () => {
    for (const option of ['onRetry', 'delay', 'shouldHandle', 'random'] as const) {
      for (const initialDelayMs of [0, 10]) {
        const controller = new AbortController();
        const { clock, policy, operation } = setUp({
          initialDelayMs,
          jitter: 'full',
          [option]: () => {
            controller.abort('left');
            return option === 'shouldHandle' ? true : 0;
          },
        });
        const outcome = policy.tryExecute(operation, { signal: controller.signal });
        await clock.advance(1000);
        expect(await outcome).toEqual({ ok: false, error: 'left' });
        expect(operation).toHaveBeenCalledTimes(1);
      }
    }
  });
});

describe('the error of a deadline', () => {
  it('has what the last attempt failed with as its cause, and in its message', async () => {
    const { clock, policy, operation } = setUp();
    operation.mockImplementationOnce(() => Promise.reject(transient()));
    operation.mockImplementation(() => new Promise(() => {}));
    const outcome = policy.execute(operation, { timeoutMs: 50 }).catch((error: unknown) => error);
    await clock.advance(50);
    expect(await outcome).toMatchObject({
      message: 'The call did not finish within its timeout of 50 ms: no route',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('has no cause when no attempt failed, or a retry saved it', async () => {
    for (const failures of [0, 1]) {
      const { clock, policy, operation } = setUp();
      operation.mockImplementation(() => Promise.resolve() as never);
      if (failures > 0) operation.mockImplementationOnce(() => Promise.reject(transient()));
      const outcome = retry({ clock })
        .execute(
          async (parent) => {
            await policy.execute(operation, { parent });
            await new Promise(() => {});
          },
          { timeoutMs: 50 },
        )
        .catch((error: unknown) => error);
      await clock.advance(50);
      expect((await outcome) as Error).not.toHaveProperty('cause');
      expect((await outcome) as Error).toMatchObject({
        message: 'The call did not finish within its timeout of 50 ms.',
      });
    }
  });
});
