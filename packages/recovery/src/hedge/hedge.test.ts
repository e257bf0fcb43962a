import { AsyncLocalStorage } from 'node:async_hooks';
import { retryBudget } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { HedgeFailedError } from '../errors.ts';
import { hedge } from './hedge.ts';
import type { HedgeOptions } from './options.ts';

const busy = (): Error => Object.assign(new Error('busy'), { code: 'ECONNRESET' });

function make(options: HedgeOptions = {}) {
  const clock = new ManualClock();
  return { clock, policy: hedge({ delayMs: 100, clock, ...options }) };
}

/** Answers call by call: after so long, with a value or an error. */
function scripted(
  clock: ManualClock,
  ...script: readonly { readonly ms: number; readonly error?: unknown; readonly value?: unknown }[]
) {
  const signals: AbortSignal[] = [];
  const operation = async ({ signal }: { signal: AbortSignal }): Promise<unknown> => {
    const step = script[signals.length];
    signals.push(signal);
    if (step === undefined) throw new Error('called too often');
    await clock.sleep(step.ms, signal);
    if ('error' in step) throw step.error;
    return step.value;
  };
  return { operation, signals };
}

describe('a hedge', () => {
  it('begins no other try when the first answers in time', async () => {
    const { clock, policy } = make();
    const { operation, signals } = scripted(clock, { ms: 99, value: 'first' });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('first');
    await clock.advance(1000);
    expect(signals).toHaveLength(1);
    expect(clock.pendingRefed).toBe(0);
    expect(policy.stats()).toMatchObject({ calls: { success: 1, hedged: 0 }, hedges: 0 });
  });

  it('begins another when the first is slow, and takes whichever answers first', async () => {
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

  it('lets the first win while another runs, and aborts that one', async () => {
    const { clock, policy } = make();
    const { operation, signals } = scripted(clock, { ms: 120, value: 1 }, { ms: 500, value: 2 });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe(1);
    expect(signals[1]?.aborted).toBe(true);
    expect(policy.stats().calls).toMatchObject({ success: 1, hedged: 0 });
  });

  it('begins the next at once when one fails with something that passes', async () => {
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

  it('ends at once with an error that leaves no hope, and aborts the others', async () => {
    const { clock, policy } = make();
    const wrong = new TypeError('wrong');
    const { operation, signals } = scripted(clock, { ms: 500, value: 1 }, { ms: 10, error: wrong });
    await expect(clock.runUntil(policy.execute(operation))).rejects.toBe(wrong);
    expect(signals[0]?.aborted).toBe(true);
    expect(policy.stats().calls.failure).toBe(1);
  });

  it('keeps every error when all tries fail', async () => {
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
      message: "'three': all 3 tries failed, the first with: busy",
      classification: { transient: true },
    });
  });

  it('passes the error of a single try unchanged, when the budget refuses another', async () => {
    const budget = { deposit: vi.fn(), withdraw: vi.fn(() => false) };
    const { clock, policy } = make({ budget });
    const error = busy();
    const { operation } = scripted(clock, { ms: 1, error });
    await expect(clock.runUntil(policy.execute(operation))).rejects.toBe(error);
    expect(budget.deposit).toHaveBeenCalledTimes(1);
    expect(policy.stats()).toMatchObject({ hedges: 0, refused: 1 });
  });

  it('shares its budget with retries', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ ratio: 0, minPerSecond: 0.1, windowMs: 10_000, clock });
    const policy = hedge({ delayMs: 10, budget, clock });
    expect(budget.available()).toBe(1);
    const slow = () => clock.sleep(50);
    await clock.runUntil(policy.execute(slow));
    expect(policy.stats()).toMatchObject({ hedges: 1, refused: 0 });
    await clock.runUntil(policy.execute(slow));
    expect(policy.stats()).toMatchObject({ hedges: 1, refused: 1 });
    expect(budget.withdraw()).toBe(false);
    expect(budget.stats()).toMatchObject({ calls: 2, retries: 1 });
  });

  it('leaves the deposit to a retry around it, when told to', async () => {
    const budget = { deposit: vi.fn(), withdraw: () => true };
    await make({ budget, deposits: false }).policy.execute(async () => 1);
    expect(budget.deposit).not.toHaveBeenCalled();
  });

  it('survives a budget that throws: no other try begins', async () => {
    const broken = (): never => {
      throw new Error('budget');
    };
    const { clock, policy } = make({ budget: { deposit: broken, withdraw: broken } });
    const { operation, signals } = scripted(clock, { ms: 500, value: 'alone' });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('alone');
    expect(signals).toHaveLength(1);
  });

  it('takes values that mean failure for failures, and returns the last when all do', async () => {
    const { clock, policy } = make({ isFailure: (value) => value !== 'good' });
    const good = scripted(clock, { ms: 1, value: 'bad' }, { ms: 1, value: 'good' });
    await expect(clock.runUntil(policy.execute(good.operation))).resolves.toBe('good');
    const bad = scripted(clock, { ms: 1, value: 'bad' }, { ms: 1, value: 'worse' });
    await expect(clock.runUntil(policy.execute(bad.operation))).resolves.toBe('worse');
  });

  it('lets go of every value that means failure but the one that it returns', async () => {
    const seen: unknown[] = [];
    const { clock, policy } = make({
      maxAttempts: 3,
      isFailure: () => true,
      onDiscard: (value) => seen.push(value),
    });
    const script = scripted(clock, ...['a', 'b', 'c'].map((value) => ({ ms: 1, value })));
    await expect(clock.runUntil(policy.execute(script.operation))).resolves.toBe('c');
    expect(seen).toEqual(['a', 'b']);
    const fatal = scripted(clock, { ms: 1, value: 'd' }, { ms: 1, error: new TypeError('fatal') });
    await expect(clock.runUntil(policy.execute(fatal.operation))).rejects.toThrow('fatal');
    expect(seen).toEqual(['a', 'b', 'd']);
  });

  it('begins no other try after an abort, and rejects with its reason', async () => {
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

  it('waits for an operation that ignores the abort, and begins no other meanwhile', async () => {
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

  it('counts a synchronous throw as a failure of the try', async () => {
    const { policy } = make();
    let calls = 0;
    const value = await policy.execute(() => {
      if (++calls === 1) throw busy();
      return 'second';
    });
    expect(value).toBe('second');
  });

  it('never leaves an unhandled rejection, and lets go of late values', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const closed: string[] = [];
    const thing = (name: string) => ({ [Symbol.dispose]: () => void closed.push(name) });
    const { clock, policy } = make({ maxAttempts: 3 });
    let calls = 0;
    const deaf = async (): Promise<unknown> => {
      const call = ++calls;
      await clock.sleep([1000, 800, 1][call - 1] as number);
      if (call === 2) throw new Error('late and wrong');
      return thing(`of try ${call}`);
    };
    await clock.runUntil(policy.execute(deaf));
    await clock.advance(2000);
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(closed).toEqual(['of try 1']);
  });

  it('lets go of a response by cancelling its body, or as it is told', async () => {
    const cancelled: unknown[] = [];
    const stream = new ReadableStream({ cancel: () => void cancelled.push('body') });
    const { clock, policy } = make({ isFailure: (value) => (value as Response).status >= 500 });
    const { operation } = scripted(
      clock,
      { ms: 1, value: new Response(stream, { status: 503 }) },
      { ms: 1, value: new Response('ok') },
    );
    await clock.runUntil(policy.execute(operation));
    expect(cancelled).toEqual(['body']);

    const seen: unknown[] = [];
    const told = make({ isFailure: (v) => v === 'bad', onDiscard: (value) => seen.push(value) });
    const script = scripted(told.clock, { ms: 1, value: 'bad' }, { ms: 1, value: 'good' });
    await told.clock.runUntil(told.policy.execute(script.operation));
    expect(seen).toEqual(['bad']);
  });

  it('disposes asynchronously where a value can', async () => {
    const closed: string[] = [];
    const value = { [Symbol.asyncDispose]: async () => void closed.push('closed') };
    const { clock, policy } = make({ isFailure: (one) => one === value });
    const { operation } = scripted(clock, { ms: 1, value }, { ms: 1, value: 'ok' });
    await clock.runUntil(policy.execute(operation));
    expect(closed).toEqual(['closed']);
  });

  it('runs every try in the asynchronous context of its caller', async () => {
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
});

describe('the delay of a hedge', () => {
  it('can be computed for each try', async () => {
    const asked: number[] = [];
    const delayMs = ({ attempt }: { attempt: number }): number => {
      asked.push(attempt);
      return attempt * 10;
    };
    const { clock, policy } = make({ delayMs, maxAttempts: 3 });
    const starts: number[] = [];
    const before = clock.monotonic();
    await clock.runUntil(
      policy.execute(async ({ signal }) => {
        starts.push(clock.monotonic() - before);
        await clock.sleep(starts.length === 3 ? 5 : 1000, signal);
      }),
    );
    expect(asked).toEqual([2, 3]);
    expect(starts).toEqual([0, 20, 50]);
    expect(policy.stats().delayMs).toBeUndefined();
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['is not a number', () => Number.NaN],
    ['is negative', () => -1],
  ])('means no other try when the computation %s', async (_, delayMs) => {
    const { clock, policy } = make({ delayMs });
    const { operation, signals } = scripted(clock, { ms: 5000, value: 'alone' });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('alone');
    expect(signals).toHaveLength(1);
  });

  it('follows a quantile of the recent latencies, within its bounds', async () => {
    const { clock, policy } = make({ delayMs: { quantile: 0.9, maxMs: 2000, minSamples: 10 } });
    expect(policy.stats().delayMs).toBe(2000);
    for (let i = 0; i < 90; i++) await clock.runUntil(policy.execute(() => clock.sleep(20)));
    for (let i = 0; i < 10; i++) await clock.runUntil(policy.execute(() => clock.sleep(400)));
    const delayMs = policy.stats().delayMs as number;
    expect(delayMs).toBeGreaterThanOrEqual(20);
    expect(delayMs).toBeLessThanOrEqual(22);
    // The slow tenth is now hedged, and still counts as slow: the delay does not run away downwards.
    for (let i = 0; i < 200; i++) {
      await clock.runUntil(policy.execute(() => clock.sleep(i % 20 === 0 ? 400 : 20)));
    }
    expect(policy.stats().delayMs).toBeGreaterThanOrEqual(20);
    expect(policy.stats().hedges).toBeGreaterThan(0);
    expect(policy.stats().hedges).toBeLessThan(40);
  });
});

describe('the options of a hedge', () => {
  it.each([
    [{ delayMs: -1 }, 'hedge: delayMs must be a finite number >= 0, got -1.'],
    [{ delayMs: Number.NaN }, 'hedge: delayMs must be a finite number >= 0, got NaN.'],
    [{ delayMs: { quantile: 0, maxMs: 1 } }, 'hedge: delayMs: quantile must be'],
    [{ maxAttempts: 1 }, 'hedge: maxAttempts must be an integer from 2 to 100, got 1.'],
    [{ maxAttempts: 2.5 }, 'hedge: maxAttempts must be an integer from 2 to 100, got 2.5.'],
    [{ budget: {} as never }, 'hedge: budget.deposit must be a function, got undefined.'],
    [{ deposits: 1 as never }, 'hedge: deposits must be a boolean, got 1.'],
    [{ isFailure: 1 as never }, 'hedge: isFailure must be a function, got 1.'],
    [{ spans: 'some' as never }, "hedge: spans must be one of 'failures', 'none', got 'some'."],
    [{ delay: 1 } as never, "hedge: unknown option 'delay'"],
  ])('refuses %o', (options, message) => {
    expect(() => hedge(options)).toThrow(message);
  });

  it('describe it', () => {
    expect(make().policy.describe()).toEqual({ kind: 'hedge', repeats: true });
  });
});
