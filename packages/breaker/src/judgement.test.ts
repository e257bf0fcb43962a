import { DeadlineExceededError, OperationTimeoutError } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import { CircuitOpenError } from './errors.ts';
import type { CircuitBreakerOptions } from './options.ts';

const boom = new Error('boom');
const ok = async (): Promise<string> => 'ok';
const fail = async (): Promise<never> => {
  throw boom;
};

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const make = (options: CircuitBreakerOptions = {}): CircuitBreaker =>
  circuitBreaker({ name: 'payments', clock, ...options });

async function failTimes(breaker: CircuitBreaker, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await expect(breaker.execute(fail)).rejects.toBe(boom);
}
async function openError(breaker: CircuitBreaker): Promise<CircuitOpenError> {
  const called = vi.fn(ok);
  const outcome = await breaker.tryExecute(called);
  expect(called).not.toHaveBeenCalled();
  if (outcome.ok) throw new Error('The circuit let the call through.');
  expect(outcome.error).toBeInstanceOf(CircuitOpenError);
  return outcome.error as CircuitOpenError;
}

describe('judgement', () => {
  it('takes a value that means failure for one', async () => {
    const breaker = make({ isFailure: (status: number) => status === 503, failureThreshold: 2 });
    expect(await breaker.execute(() => 503)).toBe(503);
    expect(await breaker.execute(() => 503)).toBe(503);
    expect(breaker.state).toBe('open');
    expect((await openError(breaker)).cause).toBe(503);
  });

  it('counts neither for nor against what is ignored', async () => {
    const breaker = make({ ignore: (outcome) => !outcome.ok && outcome.error !== boom });
    await failTimes(breaker, 4);
    await breaker.execute(() => Promise.reject(new Error('404'))).catch(() => undefined);
    expect(breaker.stats()).toMatchObject({ window: { failures: 4 }, calls: { ignored: 1 } });
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('can ignore values too', async () => {
    const breaker = make({ ignore: (outcome) => outcome.ok && outcome.value === 'cached' });
    await failTimes(breaker, 4);
    await breaker.execute(() => 'cached');
    expect(breaker.stats().window.failures).toBe(4);
  });

  it('ignores the abort of its caller, whatever the reason', async () => {
    const breaker = make({ failureThreshold: 1 });
    for (const reason of [undefined, new Error('user left')]) {
      const controller = new AbortController();
      const call = breaker.execute(
        ({ signal }) => {
          controller.abort(reason);
          return Promise.reject(signal.reason);
        },
        { signal: controller.signal },
      );
      await expect(call).rejects.toBe(controller.signal.reason);
    }
    expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { ignored: 2, failure: 0 } });
  });

  it('ignores an operation that answers to the abort with an AbortError of its own', async () => {
    const breaker = make({ failureThreshold: 1 });
    const controller = new AbortController();
    const call = breaker.execute(
      () => {
        controller.abort(new Error('user left'));
        return Promise.reject(new DOMException('aborted', 'AbortError'));
      },
      { signal: controller.signal },
    );
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    expect(breaker.stats().calls.ignored).toBe(1);
    // Without an abort by the caller, an AbortError is the dependency's own affair.
    await breaker
      .execute(() => Promise.reject(new DOMException('aborted', 'AbortError')))
      .catch(() => undefined);
    expect(breaker.state).toBe('open');
  });

  it('takes a failure for one even when the caller has aborted meanwhile', async () => {
    const breaker = make({ failureThreshold: 1 });
    const controller = new AbortController();
    await breaker
      .execute(
        () => {
          controller.abort();
          return fail();
        },
        { signal: controller.signal },
      )
      .catch(() => undefined);
    expect(breaker.state).toBe('open');
  });

  it('takes a timeout for a failure, be it an attempt, a signal or the deadline', async () => {
    for (const reason of [
      new OperationTimeoutError('timeout', 10),
      new DOMException('too late', 'TimeoutError'),
      new DeadlineExceededError(undefined, 10),
    ]) {
      const breaker = make({ failureThreshold: 1 });
      const controller = new AbortController();
      await breaker
        .execute(
          ({ signal }) => {
            controller.abort(reason);
            return Promise.reject(signal.reason);
          },
          { signal: controller.signal },
        )
        .catch(() => undefined);
      expect(breaker.state).toBe('open');
    }
  });

  it('goes on when a predicate throws', async () => {
    const broken = (): never => {
      throw new Error('broken predicate');
    };
    const breaker = make({ isFailure: broken, ignore: broken, failureThreshold: 1 });
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.stats().calls.success).toBe(1);
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('takes a predicate that answers with a promise to have said no', async () => {
    const promise = (async () => true) as unknown as () => boolean;
    const breaker = make({ isFailure: promise, ignore: promise, failureThreshold: 1 });
    await breaker.execute(ok);
    expect(breaker.stats().calls).toMatchObject({ success: 1, failure: 0, ignored: 0 });
  });
});

describe('rates', () => {
  it('opens on the share of failures, once there are enough calls', async () => {
    const breaker = make({ window: { calls: 20 } });
    await failTimes(breaker, 9);
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it.each([
    ['', {}],
    [', also where a predicate is asked', { ignore: () => false }],
  ])('opens at the threshold exactly, and on a failure only%s', async (_path, options) => {
    const breaker = make({ window: { calls: 10 }, failureRateThreshold: 0.3, ...options });
    await failTimes(breaker, 3);
    for (let i = 0; i < 7; i++) await breaker.execute(ok);
    expect(breaker.stats()).toMatchObject({ state: 'closed', window: { calls: 10, failures: 3 } });
    await failTimes(breaker, 1); // the first failure leaves as this one enters
    expect(breaker.state).toBe('open');
  });

  it('forgets calls that have left the time window', async () => {
    const breaker = make({ window: { durationMs: 10_000 }, minimumThroughput: 4 });
    await failTimes(breaker, 3);
    clock.jump(10_000);
    await failTimes(breaker, 3);
    expect(breaker.stats()).toMatchObject({ state: 'closed', window: { failures: 3 } });
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  const slowly = (ms: number) => () => {
    clock.jump(ms);
    return 'ok';
  };

  it('opens on the share of slow calls, failed or not', async () => {
    const breaker = make({
      window: { calls: 10 },
      slowCallDurationMs: 100,
      slowCallRateThreshold: 0.5,
      minimumThroughput: 4,
    });
    await breaker.execute(slowly(100));
    await breaker.execute(slowly(100));
    await breaker.execute(slowly(101));
    expect(breaker.state).toBe('closed');
    await breaker
      .execute(() => {
        clock.jump(200);
        return fail();
      })
      .catch(() => undefined);
    expect(breaker.stats()).toMatchObject({
      state: 'open',
      calls: { success: 2, slow: 1, failure: 1 },
      window: { calls: 4, failures: 1, slow: 2 },
    });
  });

  it('takes a slow trial for a failed one', async () => {
    const breaker = make({
      window: { calls: 2 },
      slowCallDurationMs: 100,
      successThreshold: 1,
    });
    await failTimes(breaker, 2);
    clock.jump(60_000);
    expect(await breaker.execute(slowly(101))).toBe('ok');
    expect(breaker.state).toBe('open');
  });
});
