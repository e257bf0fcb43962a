import type { Outcome } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { FallbackFailedError } from '../errors.ts';
import { fallback } from './fallback.ts';
import type { FallbackEvent } from './options.ts';

const fails = (): Promise<never> => Promise.reject(new Error('down'));

describe('fallback', () => {
  it('calls no handler when the operation succeeds', async () => {
    const handler = vi.fn();
    const policy = fallback({ handler });
    await expect(policy.execute(async () => 'own')).resolves.toBe('own');
    expect(handler).not.toHaveBeenCalled();
    expect(policy.stats().calls).toEqual({ success: 1, fallback: 0, failure: 0, aborted: 0 });
  });

  it('passes the error, the operation and the call to the handler', async () => {
    const events: FallbackEvent[] = [];
    const deadlines: unknown[] = [];
    const policy = fallback({
      name: 'prices',
      handler: (event, { deadline }) => {
        events.push(event);
        deadlines.push(deadline);
        return 'second best';
      },
    });
    const call = policy.execute(fails, { operation: 'price', timeoutMs: 1000 });
    await expect(call).resolves.toBe('second best');
    expect(events).toMatchObject([
      { policy: 'prices', operation: 'price', outcome: { ok: false, error: { message: 'down' } } },
    ]);
    expect(deadlines).toEqual([expect.any(Number)]);
    expect(policy.stats().calls).toEqual({ success: 0, fallback: 1, failure: 0, aborted: 0 });
  });

  it('calls the handler for a synchronous throw', async () => {
    const policy = fallback({ handler: () => 2 });
    const throws = (): number => {
      throw new Error('at once');
    };
    await expect(policy.execute(throws)).resolves.toBe(2);
  });

  it('returns a value that does not count as a failure', async () => {
    const handler = vi.fn();
    const policy = fallback({ handler, shouldHandle: (o) => o.ok && o.value === 'bad' });
    await expect(policy.execute(async () => 'good')).resolves.toBe('good');
    expect(handler).not.toHaveBeenCalled();
  });

  it('returns a value that counts as a failure when the call was aborted', async () => {
    const handler = vi.fn();
    const policy = fallback({ handler, shouldHandle: () => true });
    const controller = new AbortController();
    const call = policy.execute(
      async () => {
        controller.abort();
        return 'bad';
      },
      { signal: controller.signal },
    );
    await expect(call).resolves.toBe('bad');
    expect(handler).not.toHaveBeenCalled();
    expect(policy.stats().calls).toEqual({ success: 0, fallback: 0, failure: 0, aborted: 1 });
  });

  it('calls the handler for a value that counts as a failure', async () => {
    const policy = fallback({
      handler: ({ outcome }) => (outcome.ok ? `not ${outcome.value}` : 'error'),
      shouldHandle: (o: Outcome<string>) => o.ok && o.value === 'bad',
    });
    await expect(policy.execute(async () => 'bad')).resolves.toBe('not bad');
  });

  it('rejects with both errors when the handler fails too', async () => {
    const worse = new Error('worse');
    const policy = fallback({ name: 'prices', handler: () => Promise.reject(worse) });
    const failed = await policy.execute(fails).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(FallbackFailedError);
    expect(failed).toMatchObject({
      code: 'FALLBACK_FAILED',
      operationError: { message: 'down' },
      fallbackError: worse,
      errors: [{ message: 'down' }, worse],
      cause: { message: 'down' },
      message: "Fallback policy 'prices' failed (worse) after the operation had failed: down",
    });
    expect(policy.stats().calls).toEqual({ success: 0, fallback: 0, failure: 1, aborted: 0 });
  });

  it('rejects with a transient error when the operation’s own error is transient', async () => {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const policy = fallback({ handler: fails });
    const failed = await policy.execute(() => Promise.reject(reset)).catch((e: unknown) => e);
    expect(failed).toMatchObject({ classification: { category: 'network', transient: true } });
  });

  it('rejects with errors that shouldHandle declines', async () => {
    const handler = vi.fn();
    const policy = fallback({
      handler,
      shouldHandle: (o) => !o.ok && o.error instanceof TypeError,
    });
    await expect(policy.execute(fails)).rejects.toThrow('down');
    expect(handler).not.toHaveBeenCalled();
  });

  it('counts a shouldHandle that throws or returns a promise as false', async () => {
    for (const shouldHandle of [
      () => {
        throw new Error('predicate');
      },
      (async () => true) as never,
    ]) {
      const policy = fallback({ handler: () => 1, shouldHandle });
      await expect(policy.execute(fails)).rejects.toThrow('down');
    }
  });

  it('calls no handler when the caller has aborted', async () => {
    const clock = new ManualClock();
    const handler = vi.fn();
    const shouldHandle = vi.fn(() => true);
    const policy = fallback({ handler, shouldHandle, clock });
    const controller = new AbortController();
    const call = policy.execute(({ signal }) => clock.sleep(1000, signal), {
      signal: controller.signal,
    });
    const outcome = expect(call).rejects.toBe('enough');
    controller.abort('enough');
    await outcome;
    expect(shouldHandle).not.toHaveBeenCalled();
    expect(handler).not.toHaveBeenCalled();
    expect(policy.stats().calls).toMatchObject({ failure: 0, aborted: 1 });
  });

  it('rejects with both errors when the handler fails for its own reason after an abort', async () => {
    const controller = new AbortController();
    const handler = (): never => {
      controller.abort();
      throw new Error('own');
    };
    const call = fallback({ handler }).execute(fails, { signal: controller.signal });
    await expect(call).rejects.toMatchObject({ code: 'FALLBACK_FAILED' });
  });

  it('rejects with the unchanged reason of an abort during the handler', async () => {
    const clock = new ManualClock();
    const policy = fallback({
      handler: (_event, { signal }) => clock.sleep(1000, signal),
      clock,
    });
    const controller = new AbortController();
    const call = policy.execute(fails, { signal: controller.signal });
    const outcome = expect(call).rejects.toBe('enough');
    await clock.advance(10);
    controller.abort('enough');
    await outcome;
    expect(clock.pending).toBe(0);
  });

  it.each([
    ['a caller’s mistake', Object.assign(new Error('not found'), { status: 404 }), false],
    ['a refused connection', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), true],
    ['a bug', new TypeError('bug'), true],
  ])('by default decides about %s by isFailure', async (_, error, handled) => {
    const outcome = await fallback({ handler: () => 'second best' }).tryExecute(() =>
      Promise.reject(error),
    );
    expect(outcome).toEqual(handled ? { ok: true, value: 'second best' } : { ok: false, error });
  });

  it('calls onFallback, and logs what it throws', async () => {
    const onFallback = vi.fn(() => {
      throw new Error('listener');
    });
    const policy = fallback({ handler: () => 3, onFallback });
    await expect(policy.execute(async () => Promise.reject(new Error('x')))).resolves.toBe(3);
    expect(onFallback).toHaveBeenCalledTimes(1);
  });

  it.each([
    [{} as never, 'fallback: handler must be a function, got undefined.'],
    [{ handler: 1 as never }, 'fallback: handler must be a function, got 1.'],
    [
      { handler: fails, shouldHandle: 1 as never },
      'fallback: shouldHandle must be a function, got 1.',
    ],
    [
      { handler: fails, name: '' },
      "fallback: name must be a non-empty string of at most 128 characters without control characters, got ''.",
    ],
    [{ handler: fails, value: 1 } as never, "fallback: unknown option 'value'"],
  ])('refuses %o', (options, message) => {
    expect(() => fallback(options)).toThrow(message);
  });

  it('describes itself to composers', () => {
    expect(fallback({ handler: fails }).describe()).toEqual({ kind: 'fallback' });
  });
});
