import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { FallbackFailedError } from '../errors.ts';
import { fallback } from './fallback.ts';
import type { FallbackEvent } from './options.ts';

const fails = (): Promise<never> => Promise.reject(new Error('down'));

describe('a fallback', () => {
  it('is not asked while the operation succeeds', async () => {
    const handler = vi.fn();
    const policy = fallback({ handler });
    await expect(policy.execute(async () => 'own')).resolves.toBe('own');
    expect(handler).not.toHaveBeenCalled();
    expect(policy.stats().calls).toEqual({ success: 1, fallback: 0, failure: 0 });
  });

  it('answers for an error, and knows which, of what, and until when', async () => {
    const events: FallbackEvent[] = [];
    const policy = fallback({
      name: 'prices',
      handler: (event) => {
        events.push(event);
        return 'second best';
      },
    });
    const call = policy.execute(fails, { operation: 'price', deadlineMs: 1000 });
    await expect(call).resolves.toBe('second best');
    expect(events).toMatchObject([
      { policy: 'prices', operation: 'price', failure: { ok: false, error: { message: 'down' } } },
    ]);
    expect(events[0]?.context.deadline).toBeTypeOf('number');
    expect(policy.stats().calls).toEqual({ success: 0, fallback: 1, failure: 0 });
  });

  it('answers for a synchronous throw', async () => {
    const policy = fallback({ handler: () => 2 });
    const throws = (): number => {
      throw new Error('at once');
    };
    await expect(policy.execute(throws)).resolves.toBe(2);
  });

  it('leaves a value alone that means no failure', async () => {
    const handler = vi.fn();
    const policy = fallback({ handler, isFailure: (value) => value === 'bad' });
    await expect(policy.execute(async () => 'good')).resolves.toBe('good');
    expect(handler).not.toHaveBeenCalled();
  });

  it('passes a value that means failure on to a caller who has given up', async () => {
    const handler = vi.fn();
    const policy = fallback({ handler, isFailure: () => true });
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
    expect(policy.stats().calls).toEqual({ success: 0, fallback: 0, failure: 1 });
  });

  it('answers for a value that means failure', async () => {
    const policy = fallback({
      handler: ({ failure }) => (failure.ok ? `not ${failure.value}` : 'error'),
      isFailure: (value) => value === 'bad',
    });
    await expect(policy.execute(async () => 'bad')).resolves.toBe('not bad');
  });

  it('keeps both errors when it fails too', async () => {
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
      message: "'prices': the operation failed (down), and so did its fallback: worse",
    });
    expect(policy.stats().calls).toEqual({ success: 0, fallback: 0, failure: 1 });
  });

  it('is transient as a failure when the operation’s own error is', async () => {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const policy = fallback({ handler: fails });
    const failed = await policy.execute(() => Promise.reject(reset)).catch((e: unknown) => e);
    expect(failed).toMatchObject({ classification: { category: 'network', transient: true } });
  });

  it('leaves errors alone that it does not handle', async () => {
    const handler = vi.fn();
    const policy = fallback({ handler, isHandled: (error) => error instanceof TypeError });
    await expect(policy.execute(fails)).rejects.toThrow('down');
    expect(handler).not.toHaveBeenCalled();
  });

  it('takes a predicate that throws, or promises, for a no', async () => {
    for (const isHandled of [
      () => {
        throw new Error('predicate');
      },
      (async () => true) as never,
    ]) {
      const policy = fallback({ handler: () => 1, isHandled });
      await expect(policy.execute(fails)).rejects.toThrow('down');
    }
  });

  it('is not asked when the caller has given up', async () => {
    const clock = new ManualClock();
    const handler = vi.fn();
    const policy = fallback({ handler, clock });
    const controller = new AbortController();
    const call = policy.execute(({ signal }) => clock.sleep(1000, signal), {
      signal: controller.signal,
    });
    const outcome = expect(call).rejects.toBe('enough');
    controller.abort('enough');
    await outcome;
    expect(handler).not.toHaveBeenCalled();
    expect(policy.stats().calls.failure).toBe(1);
  });

  it('keeps both errors when it fails for a reason of its own, though the caller has given up', async () => {
    const controller = new AbortController();
    const handler = (): never => {
      controller.abort();
      throw new Error('own');
    };
    const call = fallback({ handler }).execute(fails, { signal: controller.signal });
    await expect(call).rejects.toMatchObject({ code: 'FALLBACK_FAILED' });
  });

  it('passes an abort during the fallback on, untouched', async () => {
    const clock = new ManualClock();
    const policy = fallback({
      handler: ({ context }) => clock.sleep(1000, context.signal),
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

  it('tells its listener, and survives what that throws', async () => {
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
    [{ handler: fails, isHandled: 1 as never }, 'fallback: isHandled must be a function, got 1.'],
    [{ handler: fails, name: '' }, "fallback: name must be a non-empty string, got ''."],
    [{ handler: fails, value: 1 } as never, "fallback: unknown option 'value'"],
  ])('refuses %o', (options, message) => {
    expect(() => fallback(options)).toThrow(message);
  });

  it('describes itself', () => {
    expect(fallback({ handler: fails }).describe()).toEqual({ kind: 'fallback' });
  });
});
