import { AsyncLocalStorage } from 'node:async_hooks';
import type { Outcome } from '@temper/core';
import { Call } from '@temper/core/policy';
import { retryBudget } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { busy, make, scripted } from '../../test/hedged.ts';
import { HedgeFailedError } from '../errors.ts';
import { hedge } from './hedge.ts';

describe('hedge', () => {
  it('starts no other attempt when the first succeeds in time', async () => {
    const { clock, policy } = make();
    const { operation, signals } = scripted(clock, { ms: 99, value: 'first' });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('first');
    await clock.advance(1000);
    expect(signals).toHaveLength(1);
    expect(clock.pendingRefed).toBe(0);
    expect(policy.stats()).toMatchObject({ calls: { success: 1, hedged: 0 }, hedges: 0 });
  });

  it('starts another attempt when the first is slow, and returns the first success', async () => {
    const { clock, policy } = make();
    const { operation, signals } = scripted(
      clock,
      { ms: 1000, value: 'slow' },
      { ms: 50, value: 'quick' },
    );
    const before = clock.monotonic();
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('quick');
    expect(clock.monotonic() - before).toBe(150);
    expect(signals[0]?.aborted).toBe(true);
    expect(signals[0]?.reason).toMatchObject({ code: 'HEDGE_LOST' });
    expect(signals[1]?.aborted).toBe(false);
    expect(policy.stats()).toMatchObject({ calls: { success: 0, hedged: 1 }, hedges: 1 });
    expect(clock.pending).toBe(0);
  });

  it('aborts the second attempt when the first succeeds', async () => {
    const { clock, policy } = make();
    const { operation, signals } = scripted(clock, { ms: 120, value: 1 }, { ms: 500, value: 2 });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe(1);
    expect(signals[1]?.aborted).toBe(true);
    expect(policy.stats().calls).toMatchObject({ success: 1, hedged: 0 });
  });

  it('starts the next attempt at once when one fails with a transient error', async () => {
    const { clock, policy } = make();
    const because: string[] = [];
    const heard = make({ onHedge: (event) => because.push(`${event.attempt} ${event.because}`) });
    for (const { clock: own, policy: one } of [{ clock, policy }, heard]) {
      const { operation } = scripted(own, { ms: 10, error: busy() }, { ms: 5, value: 'ok' });
      const before = own.monotonic();
      await expect(own.runUntil(one.execute(operation))).resolves.toBe('ok');
      expect(own.monotonic() - before).toBe(15);
    }
    expect(because).toEqual(['2 failed']);
  });

  it('ends at once with an error that is not transient, and aborts the other attempts', async () => {
    const { clock, policy } = make();
    const wrong = new TypeError('wrong');
    const { operation, signals } = scripted(clock, { ms: 500, value: 1 }, { ms: 10, error: wrong });
    await expect(clock.runUntil(policy.execute(operation))).rejects.toBe(wrong);
    expect(signals[0]?.aborted).toBe(true);
    expect(policy.stats().calls.failure).toBe(1);
  });

  it('rejects with every error when all attempts fail', async () => {
    const { clock, policy } = make({ maxAttempts: 3, name: 'three' });
    const errors = [busy(), busy(), busy()];
    const { operation } = scripted(clock, ...errors.map((error) => ({ ms: 1, error })));
    const failed: unknown = await clock
      .runUntil(policy.execute(operation))
      .catch((e: unknown) => e);
    expect(failed).toBeInstanceOf(HedgeFailedError);
    expect(failed).toMatchObject({
      code: 'HEDGE_FAILED',
      errors,
      cause: errors[0],
      message: "Hedge policy 'three' failed after 3 attempts: busy",
      classification: { transient: true },
    });
    expect((failed as Error).cause).toBe(errors[0]);
  });

  it('rejects with the unchanged error of a single attempt when the budget refuses another', async () => {
    const budget = { deposit: vi.fn(), withdraw: vi.fn(() => false) };
    const { clock, policy } = make({ budget });
    const error = busy();
    const { operation } = scripted(clock, { ms: 1, error });
    await expect(clock.runUntil(policy.execute(operation))).rejects.toBe(error);
    expect(budget.deposit).not.toHaveBeenCalled();
    await policy.execute(async () => 'answer');
    expect(budget.deposit).toHaveBeenCalledTimes(1);
    expect(policy.stats()).toMatchObject({ hedges: 0, refused: 1 });
  });

  it('shares a retryBudget with retries', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ ratio: 0, burst: 1, clock });
    const policy = hedge({ delayMs: 10, budget, clock });
    expect(budget.available()).toBe(1);
    const slow = () => clock.sleep(50);
    await clock.runUntil(policy.execute(slow));
    expect(policy.stats()).toMatchObject({ hedges: 1, refused: 0 });
    await clock.runUntil(policy.execute(slow));
    expect(policy.stats()).toMatchObject({ hedges: 1, refused: 1 });
    expect(budget.withdraw(1)).toBe(false);
    expect(budget.stats()).toMatchObject({ successes: 2, retries: 1 });
  });

  it('makes no deposit when deposits is false', async () => {
    const budget = { deposit: vi.fn(), withdraw: () => true };
    await make({ budget, deposits: false }).policy.execute(async () => 1);
    expect(budget.deposit).not.toHaveBeenCalled();
  });

  it('starts no other attempt when the budget throws', async () => {
    const broken = (): never => {
      throw new Error('budget');
    };
    const { clock, policy } = make({ budget: { deposit: broken, withdraw: broken } });
    const { operation, signals } = scripted(clock, { ms: 500, value: 'alone' });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('alone');
    expect(signals).toHaveLength(1);
  });

  it('replaces values that count as failures, and returns the last when all do', async () => {
    const { clock, policy } = make({
      shouldHandle: (o: Outcome<unknown>) => o.ok && o.value !== 'good',
    });
    const good = scripted(clock, { ms: 1, value: 'bad' }, { ms: 1, value: 'good' });
    await expect(clock.runUntil(policy.execute(good.operation))).resolves.toBe('good');
    const bad = scripted(clock, { ms: 1, value: 'bad' }, { ms: 1, value: 'worse' });
    await expect(clock.runUntil(policy.execute(bad.operation))).resolves.toBe('worse');
  });

  it('discards every value that counts as a failure but the one that it returns', async () => {
    const seen: unknown[] = [];
    const { clock, policy } = make({
      maxAttempts: 3,
      shouldHandle: ({ ok }) => ok,
      onDiscard: (value) => seen.push(value),
    });
    const script = scripted(clock, ...['a', 'b', 'c'].map((value) => ({ ms: 1, value })));
    await expect(clock.runUntil(policy.execute(script.operation))).resolves.toBe('c');
    expect(seen).toEqual(['a', 'b']);
    const fatal = scripted(clock, { ms: 1, value: 'd' }, { ms: 1, error: new TypeError('fatal') });
    await expect(clock.runUntil(policy.execute(fatal.operation))).rejects.toThrow('fatal');
    expect(seen).toEqual(['a', 'b', 'd']);
  });

  it('starts no other attempt after an abort, and rejects with its reason', async () => {
    const { clock, policy } = make();
    const controller = new AbortController();
    const { operation, signals } = scripted(clock, { ms: 500, value: 1 });
    const call = policy.execute(operation, { signal: controller.signal });
    const outcome = expect(call).rejects.toBe('enough');
    await clock.advance(50);
    controller.abort('enough');
    await outcome;
    await clock.advance(1000);
    expect(signals).toHaveLength(1);
    expect(policy.stats().calls.aborted).toBe(1);
  });

  it('waits for an operation that ignores the abort, and starts no other attempt meanwhile', async () => {
    const { clock, policy } = make();
    const controller = new AbortController();
    let calls = 0;
    const call = policy.execute(
      async () => {
        calls++;
        await clock.sleep(500);
        return 'done';
      },
      { signal: controller.signal },
    );
    controller.abort();
    await expect(clock.runUntil(call)).resolves.toBe('done');
    expect(calls).toBe(1);
  });

  it('counts a synchronous throw as a failed attempt', async () => {
    const { policy } = make();
    let calls = 0;
    const value = await policy.execute(() => {
      if (++calls === 1) throw busy();
      return 'second';
    });
    expect(value).toBe('second');
  });

  it('waits for the second attempt after a synchronous throw of the first, and leaves no timer', async () => {
    const { clock, policy } = make({ maxAttempts: 3 });
    const starts: number[] = [];
    const begun = clock.monotonic();
    const call = policy.execute(() => {
      starts.push(clock.monotonic() - begun);
      if (starts.length === 1) throw busy();
      return clock.sleep(starts.length === 2 ? 500 : 10);
    });
    await clock.advance(110);
    await call;
    expect(starts).toEqual([0, 0, 100]);
    starts.length = 0;
    const quick = policy.execute(() => {
      if (starts.push(0) === 1) throw busy();
      return 'second';
    });
    expect(await quick).toBe('second');
    expect(clock.pendingRefed).toBe(1); // the slow attempt of the first call
  });

  it('starts one attempt when the first fails at the moment when the delay ends', async () => {
    const manual = new ManualClock();
    const scheduled: (() => void)[] = [];
    const schedule = (callback: () => void) => {
      scheduled.push(callback);
      return { cancel: () => {}, ref: () => {}, unref: () => {} };
    };
    const policy = hedge({ delayMs: () => 1, maxAttempts: 3, clock: { ...manual, schedule } });
    let calls = 0;
    let fail: (error: Error) => void = () => {};
    const call = policy.execute(
      () =>
        new Promise<string>((resolve, reject) => {
          calls++;
          if (calls === 1) fail = reject;
          else void settle().then(() => resolve('second'));
        }),
    );
    fail(busy());
    scheduled[0]?.();
    expect(await call).toBe('second');
    expect(calls).toBe(2);
  });

  it('leaves no unhandled rejection, and discards late values', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const closed: string[] = [];
    const thing = (name: string) => ({ [Symbol.dispose]: () => void closed.push(name) });
    const { clock, policy } = make({ maxAttempts: 3 });
    let calls = 0;
    const ignoring = async (): Promise<unknown> => {
      const call = ++calls;
      await clock.sleep([1000, 800, 1][call - 1] as number);
      if (call === 2) throw new Error('late and wrong');
      return thing(`of attempt ${call}`);
    };
    await clock.runUntil(policy.execute(ignoring));
    await clock.advance(2000);
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(closed).toEqual(['of attempt 1']);
  });

  it('discards a response by cancelling its body, or with onDiscard', async () => {
    const cancelled: unknown[] = [];
    const stream = new ReadableStream({ cancel: () => void cancelled.push('body') });
    const { clock, policy } = make({
      shouldHandle: (o: Outcome<Response>) => o.ok && o.value.status >= 500,
    });
    const { operation } = scripted(
      clock,
      { ms: 1, value: new Response(stream, { status: 503 }) },
      { ms: 1, value: new Response('ok') },
    );
    await clock.runUntil(policy.execute(operation));
    expect(cancelled).toEqual(['body']);

    const seen: unknown[] = [];
    const discarding = make({
      shouldHandle: (o) => o.ok && o.value === 'bad',
      onDiscard: (value) => seen.push(value),
    });
    const script = scripted(discarding.clock, { ms: 1, value: 'bad' }, { ms: 1, value: 'good' });
    await discarding.clock.runUntil(discarding.policy.execute(script.operation));
    expect(seen).toEqual(['bad']);
  });

  it('discards an asynchronously disposable value by disposing of it', async () => {
    const closed: string[] = [];
    const value = { [Symbol.asyncDispose]: async () => void closed.push('closed') };
    const { clock, policy } = make({ shouldHandle: (o) => o.ok && o.value === value });
    const { operation } = scripted(clock, { ms: 1, value }, { ms: 1, value: 'ok' });
    await clock.runUntil(policy.execute(operation));
    expect(closed).toEqual(['closed']);
  });

  it('runs each attempt in the asynchronous context of its caller', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { clock, policy } = make();
    const seen: (string | undefined)[] = [];
    const slow = async (): Promise<void> => {
      seen.push(storage.getStore());
      await clock.sleep(500);
    };
    const first = storage.run('first', () => policy.execute(slow));
    await clock.advance(50);
    const second = storage.run('second', () => policy.execute(slow));
    await clock.advance(1000);
    await Promise.all([first, second]);
    expect(seen).toEqual(['first', 'second', 'first', 'second']);
  });

  it('calls onHedge in the asynchronous context of its own call, although the timer is shared', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const { clock, policy } = make({
      onHedge: ({ because }, call) => seen.push([storage.getStore(), because, call.key]),
    });
    const slow = () => clock.sleep(500);
    const calls = ['first', 'second'].map((name) =>
      storage.run(name, () => policy.execute(slow, { key: name })),
    );
    await clock.advance(500);
    await Promise.all(calls);
    expect(seen).toEqual([
      ['first', 'slow', 'first'],
      ['second', 'slow', 'second'],
    ]);
  });

  it('tells the losing attempts that they lost to another one', async () => {
    const { clock, policy } = make({ maxAttempts: 3 });
    const ended: unknown[] = [];
    let calls = 0;
    await clock.runUntil(
      policy.execute(async (own) => {
        const number = ++calls;
        await clock.sleep(number === 3 ? 1 : 1000);
        ended.push([number, own.endedBy]);
      }),
    );
    await clock.advance(1000);
    expect(ended).toEqual([
      [3, undefined],
      [1, 'hedge'],
      [2, 'hedge'],
    ]);
  });

  it('starts no attempt whose delay ends at or after the deadline', async () => {
    const { clock, policy } = make({ delayMs: 100 });
    const operation = vi.fn(() => clock.sleep(1000));
    const call = policy.tryExecute(operation, { timeoutMs: 100 });
    await clock.advance(100);
    expect(await call).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } });
    await clock.advance(2000);
    expect(operation).toHaveBeenCalledTimes(1);
    expect(policy.stats().hedges).toBe(0);
  });

  it('starts no attempt past the deadline of a call that nobody has aborted yet', async () => {
    const { clock, policy } = make({ delayMs: 100 });
    const operation = vi.fn(() => clock.sleep(300));
    const call = policy.execute(operation, {
      parent: new Call(1, clock.monotonic() + 50),
    });
    await clock.advance(300);
    await call;
    expect(operation).toHaveBeenCalledTimes(1);
  });
});
