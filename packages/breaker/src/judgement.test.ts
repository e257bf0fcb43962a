import type { CallContext, Outcome } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { WindowOptions } from './circuit/window.ts';
import { circuitBreaker } from './circuit-breaker.ts';
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

describe('shouldHandle', () => {
  it('can count a value as a failure', async () => {
    const breaker = make({
      shouldHandle: (o: Outcome<number>) => o.ok && o.value === 503,
      failureThreshold: 2,
    });
    expect(await breaker.execute(() => 503)).toBe(503);
    expect(await breaker.execute(() => 503)).toBe(503);
    expect(breaker.state).toBe('open');
    expect(await openError(breaker)).toMatchObject({ cause: 503, refused: true });
  });

  it('names the status of the value in the message of a rejection', async () => {
    const breaker = make({
      shouldHandle: (o: Outcome<Response>) => o.ok && o.value.status >= 500,
      failureThreshold: 1,
    });
    const response = new Response('', { status: 503 });
    expect(await breaker.execute(() => response)).toBe(response);
    const error = await openError(breaker);
    expect(error.cause).toBe(response);
    expect(error.message).toBe(
      "Circuit 'payments' is open; the next trial is in 60000 ms: status 503",
    );
  });

  it('ignores errors that are not handled: they count neither for nor against', async () => {
    const breaker = make({ shouldHandle: (o) => !o.ok && o.error === boom });
    await failTimes(breaker, 4);
    await breaker.execute(() => Promise.reject(new Error('404'))).catch(() => undefined);
    expect(breaker.stats()).toMatchObject({ window: { failures: 4 }, calls: { ignored: 1 } });
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('leaves out the mistakes of the caller by default', async () => {
    const breaker = make({ failureThreshold: 1 });
    const status = (code: number): Error => Object.assign(new Error(`${code}`), { status: code });
    for (const error of [status(400), status(404), new URIError('bad path')]) {
      await expect(breaker.execute(() => Promise.reject(error))).rejects.toBe(error);
    }
    expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { ignored: 3 } });
    const failures = [
      status(429),
      status(503),
      new TypeError('a bug'),
      new SyntaxError('bad JSON'),
    ];
    for (const error of [...failures, 'text', undefined]) {
      const other = make({ failureThreshold: 1 });
      await other.execute(() => Promise.reject(error)).catch(() => undefined);
      expect(other.state).toBe('open');
    }
  });

  it('receives the outcome and the context of the call', async () => {
    const shouldHandle = vi.fn((_outcome: Outcome<unknown>, _call: CallContext) => false);
    const breaker = make({ shouldHandle });
    await breaker.execute(ok, { operation: 'charge' });
    await breaker.execute(fail).catch(() => undefined);
    expect(shouldHandle.mock.calls.map(([outcome]) => outcome)).toEqual([
      { ok: true, value: 'ok' },
      { ok: false, error: boom },
    ]);
    expect(shouldHandle.mock.calls[0]?.[1].operation).toBe('charge');
  });

  it.each<[string, () => boolean]>([
    [
      'throws',
      () => {
        throw new Error('broken predicate');
      },
    ],
    ['returns a promise', (async () => true) as never],
    ['rejects', (() => Promise.reject(new Error('broken predicate'))) as never],
  ])('counts as false when it %s', async (_how, shouldHandle) => {
    const breaker = make({ shouldHandle, failureThreshold: 1 });
    expect(await breaker.execute(ok)).toBe('ok');
    await failTimes(breaker, 1);
    expect(breaker.stats()).toMatchObject({
      state: 'closed',
      calls: { success: 1, ignored: 1, failure: 0 },
    });
  });

  it('may call the breaker', async () => {
    const breaker = make({
      failureThreshold: 1,
      shouldHandle: () => {
        breaker.reset();
        return true;
      },
    });
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
    clock.jump(60_000);
    await failTimes(breaker, 1); // the reset closes the circuit, and the trial no longer counts
    expect(breaker.state).toBe('closed');
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
    [', also where a predicate is asked', { shouldHandle: (o: Outcome<unknown>) => !o.ok }],
  ])('opens at the threshold exactly, and on a failure only%s', async (_path, options) => {
    const breaker = make({ window: { calls: 10 }, failureRateThreshold: 0.3, ...options });
    await failTimes(breaker, 3);
    for (let i = 0; i < 7; i++) await breaker.execute(ok);
    expect(breaker.stats()).toMatchObject({ state: 'closed', window: { calls: 10, failures: 3 } });
    await failTimes(breaker, 1); // the first failure leaves as this one enters
    expect(breaker.state).toBe('open');
  });

  it.each<[string, WindowOptions]>([
    ['the last calls', { calls: 10 }],
    ['a time', { durationMs: 10_000 }],
  ])('stays closed below the rate at full throughput, over %s', async (_, window) => {
    const breaker = make({ window, failureRateThreshold: 0.5, minimumThroughput: 4 });
    for (let i = 0; i < 4; i++) await breaker.execute(ok);
    for (let failures = 1; failures <= 3; failures++) {
      await failTimes(breaker, 1);
      expect(breaker.stats()).toMatchObject({ state: 'closed', window: { failures } });
    }
    await failTimes(breaker, 1); // four of eight
    expect(breaker.state).toBe('open');
  });

  it('stays closed below the rate of slow calls, at full throughput and after a failure', async () => {
    const rates = { failureRateThreshold: 1, slowCallRateThreshold: 0.5 };
    const breaker = make({
      window: { calls: 10 },
      minimumThroughput: 4,
      slowCallDurationMs: 100,
      ...rates,
    });
    for (let i = 0; i < 3; i++) await breaker.execute(ok);
    for (let i = 0; i < 2; i++) await breaker.execute(slowly(101));
    await failTimes(breaker, 1);
    expect(breaker.stats()).toMatchObject({ state: 'closed', window: { calls: 6, slow: 2 } });
    await breaker.execute(slowly(101)); // three of seven
    expect(breaker.state).toBe('closed');
    await breaker.execute(slowly(101)); // four of eight
    expect(breaker.state).toBe('open');
  });

  it.each<[string, CircuitBreakerOptions, () => unknown]>([
    ['failures', { failureThreshold: 1 }, fail],
    ['failure-rate', { window: { calls: 1 } }, fail],
    ['slow-call-rate', { window: { calls: 1 }, slowCallDurationMs: 100 }, () => slowly(101)()],
  ])('tells that it opened for its %s', async (reason, options, call) => {
    const onStateChange = vi.fn();
    await make({ ...options, onStateChange })
      .execute(call)
      .catch(() => undefined);
    expect(onStateChange).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ to: 'open', reason }),
    );
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

  it('counts a slow trial as failed', async () => {
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
