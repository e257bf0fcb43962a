import { DeadlineExceededError, OperationTimeoutError } from '@temper/core';
import { ManualClock } from '@temper/testkit';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import { CircuitOpenError } from './errors.ts';
import type { StateChange } from './events.ts';
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

describe('a closed circuit', () => {
  it('lets calls through and returns what they return', async () => {
    const breaker = make();
    expect(await breaker.execute(ok)).toBe('ok');
    expect(await breaker.execute(() => 7)).toBe(7);
    expect(breaker.state).toBe('closed');
  });

  it('passes errors on untouched, thrown at once or later', async () => {
    const breaker = make();
    await expect(breaker.execute(fail)).rejects.toBe(boom);
    await expect(
      breaker.execute(() => {
        throw boom;
      }),
    ).rejects.toBe(boom);
    await expect(breaker.execute(() => Promise.reject(undefined))).rejects.toBeUndefined();
    expect(breaker.stats().window.failures).toBe(3);
  });

  it('opens at the fifth failure in a row, and not before', async () => {
    const breaker = make();
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('starts to count again after a success', async () => {
    const breaker = make();
    await failTimes(breaker, 4);
    await breaker.execute(ok);
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('hands the caller its context', async () => {
    const controller = new AbortController();
    const signal = await make().execute((context) => context.signal, {
      signal: controller.signal,
    });
    expect(signal).toBe(controller.signal);
  });

  it('wraps a function with its this and arguments', async () => {
    const account = {
      balance: 5,
      add: make().wrap(function (this: { balance: number }, more: number) {
        return this.balance + more;
      }),
    };
    expect(await account.add(2)).toBe(7);
  });
});

describe('an open circuit', () => {
  it('rejects without calling, and says when to come back', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.jump(55_800);
    const error = await openError(breaker);
    expect(error).toMatchObject({
      name: 'CircuitOpenError',
      code: 'CIRCUIT_OPEN',
      policy: 'payments',
      state: 'open',
      retryAfterMs: 4200,
      message: "Circuit 'payments' is open; next trial in 4200 ms.",
    });
    expect(error.cause).toBe(boom);
  });

  it('rejects in the same way whether the outcome is asked for or thrown', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    const thrown = await breaker.execute(ok).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(CircuitOpenError);
    expect(thrown).toEqual(await openError(breaker));
    expect(await breaker.tryExecute(ok, { operation: 'charge' })).toMatchObject({ ok: false });
    expect(breaker.stats().calls.rejected).toBe(3);
  });

  it('gives each rejected call an error of its own', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    expect(await openError(breaker)).not.toBe(await openError(breaker));
  });

  it('prefers the reason of an aborted signal to a rejection of its own', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    const reason = new Error('changed my mind');
    const outcome = await breaker.tryExecute(ok, { signal: AbortSignal.abort(reason) });
    expect(outcome).toEqual({ ok: false, error: reason });
    expect(breaker.stats().calls.rejected).toBe(0);
  });

  it('leaves the stack out unless it is asked for', async () => {
    const bare = make();
    await failTimes(bare, 5);
    expect((await openError(bare)).stack?.split('\n')).toHaveLength(1);
    const full = make({ errorStack: true });
    await failTimes(full, 5);
    expect((await openError(full)).stack?.split('\n').length).toBeGreaterThan(1);
  });

  it('reads half-open once its time is over, without a call and without a timer', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.jump(59_999);
    expect(breaker.state).toBe('open');
    clock.jump(1);
    expect(breaker.state).toBe('half-open');
    expect(clock.pending).toBe(0);
  });

  it('is moved by no jump of the wall clock', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.adjustWallClock(10 * 365 * 86_400_000);
    expect(breaker.state).toBe('open');
    clock.adjustWallClock(-20 * 365 * 86_400_000);
    clock.jump(59_999);
    expect(breaker.state).toBe('open');
    clock.jump(1);
    expect(breaker.state).toBe('half-open');
  });
});

describe('a half-open circuit', () => {
  let breaker: CircuitBreaker;
  beforeEach(async () => {
    breaker = make();
    await failTimes(breaker, 5);
    clock.jump(60_000);
  });

  it('closes after two successes', async () => {
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('half-open');
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
  });

  it('opens again at the first failure, for the whole time, and forgets its successes', async () => {
    await breaker.execute(ok);
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
    clock.jump(59_999);
    await openError(breaker);
    clock.jump(1);
    await breaker.execute(ok);
    expect(breaker.state).toBe('half-open');
  });

  it('rejects at once what exceeds its trials, and says when the trial ends at the latest', async () => {
    const trial = Promise.withResolvers<string>();
    const running = breaker.execute(() => trial.promise);
    clock.jump(10_000);
    const error = await openError(breaker);
    expect(error).toMatchObject({ state: 'half-open', retryAfterMs: 50_000 });
    expect(error.message).toBe(
      "Circuit 'payments' is half-open with its trial under way; decided in 50000 ms at the latest.",
    );
    trial.resolve('late');
    expect(await running).toBe('late');
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
  });

  it('gives the place of an ignored trial back, and learns nothing from it', async () => {
    const picky = make({ ignore: (outcome) => !outcome.ok && outcome.error !== boom });
    await failTimes(picky, 5);
    clock.jump(60_000);
    for (let i = 0; i < 5; i++) {
      await expect(picky.execute(() => Promise.reject(new Error('404')))).rejects.toThrow('404');
    }
    expect(picky.state).toBe('half-open');
    await picky.execute(ok);
    await picky.execute(ok);
    expect(picky.state).toBe('closed');
  });

  it('gives the place of an aborted trial back', async () => {
    const controller = new AbortController();
    const trial = breaker.execute(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { signal: controller.signal },
    );
    controller.abort();
    await expect(trial).rejects.toMatchObject({ name: 'AbortError' });
    expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 0 } });
    await breaker.execute(ok);
    await breaker.execute(ok);
    expect(breaker.state).toBe('closed');
  });
});

describe('an open duration', () => {
  async function reopen(breaker: CircuitBreaker): Promise<number> {
    clock.jump(breaker.stats().retryAfterMs ?? 0);
    await failTimes(breaker, 1);
    return breaker.stats().retryAfterMs as number;
  }

  it('grows with each opening in a row, up to its cap', async () => {
    const breaker = make({
      openDurationMs: 1000,
      openDurationMultiplier: 2,
      maxOpenDurationMs: 5000,
    });
    await failTimes(breaker, 5);
    expect(breaker.stats().retryAfterMs).toBe(1000);
    expect(await reopen(breaker)).toBe(2000);
    expect(await reopen(breaker)).toBe(4000);
    expect(await reopen(breaker)).toBe(5000);
  });

  it('begins anew once the circuit has stayed closed as long as it was open', async () => {
    const breaker = make({ openDurationMs: 1000, openDurationMultiplier: 2 });
    const close = async (): Promise<void> => {
      clock.jump(breaker.stats().retryAfterMs ?? 0);
      await breaker.execute(ok);
      await breaker.execute(ok);
      expect(breaker.state).toBe('closed');
    };
    await failTimes(breaker, 5);
    await close();
    clock.jump(999);
    await failTimes(breaker, 5);
    expect(breaker.stats()).toMatchObject({ retryAfterMs: 2000, openings: 2 });
    await close();
    clock.jump(2000);
    await failTimes(breaker, 5);
    expect(breaker.stats()).toMatchObject({ retryAfterMs: 1000, openings: 1 });
  });

  it('goes by stableAfterMs where that is given', async () => {
    const breaker = make({ openDurationMs: 1000, openDurationMultiplier: 2, stableAfterMs: 10 });
    await failTimes(breaker, 5);
    clock.jump(1000);
    await breaker.execute(ok);
    await breaker.execute(ok);
    clock.jump(10);
    await failTimes(breaker, 5);
    expect(breaker.stats().retryAfterMs).toBe(1000);
  });

  it('is what a function says, which hears how often and why', async () => {
    const openDurationMs = vi.fn(() => 250);
    const breaker = make({ openDurationMs });
    await failTimes(breaker, 5);
    expect(openDurationMs).toHaveBeenCalledExactlyOnceWith({
      policy: 'payments',
      openings: 1,
      failure: boom,
      retryAfterMs: undefined,
    });
    expect(breaker.stats().retryAfterMs).toBe(250);
  });

  it('is at least what Retry-After asks, in seconds or as a date, up to the cap', async () => {
    const asking = (retryAfter: string): Error =>
      Object.assign(new Error('503'), { headers: { 'retry-after': retryAfter } });
    const opened = async (retryAfter: string, options: CircuitBreakerOptions = {}) => {
      const breaker = make({ failureThreshold: 1, ...options });
      await breaker.execute(() => Promise.reject(asking(retryAfter))).catch(() => undefined);
      return breaker.stats().retryAfterMs;
    };
    expect(await opened('120')).toBe(120_000);
    expect(await opened('5')).toBe(60_000);
    expect(await opened('31536000')).toBe(600_000);
    expect(await opened('120', { respectRetryAfter: false })).toBe(60_000);
    const inTwoMinutes = new Date(clock.now() + 120_000).toUTCString();
    expect(await opened(inTwoMinutes)).toBe(120_000);
  });
});

describe('judgement', () => {
  it('takes a value that means failure for one', async () => {
    const breaker = make({ isFailure: (value) => value === 503, failureThreshold: 2 });
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
});

describe('rates', () => {
  it('opens on the share of failures, once there are enough calls', async () => {
    const breaker = make({ window: { calls: 20 } });
    await failTimes(breaker, 9);
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('opens at the threshold exactly, and on a failure only', async () => {
    const breaker = make({ window: { calls: 10 }, failureRateThreshold: 0.3 });
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

describe('control by hand', () => {
  it('holds the circuit open while somebody does', async () => {
    const breaker = make();
    const first = breaker.isolate();
    const second = breaker.isolate();
    expect(await openError(breaker)).toMatchObject({
      state: 'isolated',
      retryAfterMs: undefined,
      message: "Circuit 'payments' is isolated: held open by hand until it is released.",
    });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(breaker.state).toBe('isolated');
    breaker.reset();
    expect(breaker.state).toBe('isolated');
    second[Symbol.dispose]();
    expect(breaker.state).toBe('closed');
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('closes and forgets on reset', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    breaker.reset();
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 4);
    breaker.reset();
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
  });

  it('counts but never opens in metrics-only mode', async () => {
    const breaker = make({ mode: 'metrics-only', window: { calls: 10 } });
    await failTimes(breaker, 10);
    expect(breaker.stats()).toMatchObject({ state: 'closed', window: { failures: 10 } });
    breaker.mode = 'enabled';
    expect(breaker.stats().window.failures).toBe(0);
    await failTimes(breaker, 10);
    expect(breaker.state).toBe('open');
  });

  it('lets everything pass and counts nothing when disabled', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    breaker.mode = 'disabled';
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 10);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.stats()).toMatchObject({
      state: 'closed',
      mode: 'disabled',
      calls: { failure: 5, success: 0 },
    });
  });

  it('lets a hand on the switch win over a disabled breaker', async () => {
    const breaker = make({ mode: 'disabled' });
    const hold = breaker.isolate();
    await openError(breaker);
    hold[Symbol.dispose]();
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('refuses a mode that does not exist', () => {
    const breaker = make();
    expect(() => {
      breaker.mode = 'off' as never;
    }).toThrow(
      "circuitBreaker: mode must be one of 'enabled', 'metrics-only', 'disabled', got 'off'.",
    );
    expect(breaker.mode).toBe('enabled');
  });
});

describe('events', () => {
  it('tells every change with its reason, in order', async () => {
    const heard: StateChange[] = [];
    const breaker = make({ onStateChange: (change) => heard.push(change) });
    await failTimes(breaker, 5);
    const openedAt = clock.now();
    clock.jump(60_000);
    await failTimes(breaker, 1);
    clock.jump(60_000);
    await breaker.execute(ok);
    await breaker.execute(ok);
    const hold = breaker.isolate();
    hold[Symbol.dispose]();
    expect(heard.map(({ from, to, reason }) => [from, to, reason])).toEqual([
      ['closed', 'open', 'failures'],
      ['open', 'half-open', 'elapsed'],
      ['half-open', 'open', 'trial-failed'],
      ['open', 'half-open', 'elapsed'],
      ['half-open', 'closed', 'trials-succeeded'],
      ['closed', 'isolated', 'isolated'],
      ['isolated', 'closed', 'released'],
    ]);
    expect(heard[0]).toEqual({
      policy: 'payments',
      from: 'closed',
      to: 'open',
      reason: 'failures',
      at: openedAt,
      openMs: 60_000,
      failure: boom,
    });
  });

  it('is harmed by no listener, and loses those that are disposed of', async () => {
    const deaf = vi.fn();
    const breaker = make({
      onStateChange: () => {
        throw new Error('broken listener');
      },
    });
    breaker.onStateChange(deaf)[Symbol.dispose]();
    const heard = vi.fn(() => expect(breaker.state).toBe('open'));
    breaker.onStateChange(heard);
    await failTimes(breaker, 5);
    expect(deaf).not.toHaveBeenCalled();
    expect(heard).toHaveBeenCalledOnce();
  });
});

describe('statistics', () => {
  it('tells what happened and how it stands', async () => {
    const breaker = make({ failureThreshold: 2 });
    expect(breaker.stats()).toEqual({
      state: 'closed',
      mode: 'enabled',
      calls: { success: 0, failure: 0, slow: 0, ignored: 0, rejected: 0 },
      window: { calls: 0, failures: 0, slow: 0 },
      openings: 0,
      trials: { running: 0, successes: 0 },
      retryAfterMs: undefined,
      lastFailureAt: undefined,
      changedAt: undefined,
      shared: undefined,
    });
    await breaker.execute(ok);
    await failTimes(breaker, 2);
    const failedAt = clock.now();
    await openError(breaker);
    clock.jump(1000);
    expect(breaker.stats()).toMatchObject({
      state: 'open',
      calls: { success: 1, failure: 2, rejected: 1 },
      window: { calls: 2, failures: 2 },
      openings: 1,
      retryAfterMs: 59_000,
      lastFailureAt: failedAt,
      changedAt: failedAt,
    });
    clock.jump(59_000);
    await breaker.execute(ok);
    expect(breaker.stats()).toMatchObject({
      state: 'half-open',
      trials: { running: 0, successes: 1 },
    });
    expect(structuredClone(breaker.stats())).toEqual(breaker.stats());
  });

  it('counts for itself, also when another breaker bears the same name', async () => {
    const one = make();
    const other = make();
    await one.execute(ok);
    expect(other.stats().calls.success).toBe(0);
  });
});
