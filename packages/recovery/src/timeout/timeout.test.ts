import { AsyncLocalStorage } from 'node:async_hooks';
import { OperationTimeoutError } from '@temper/core';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { TimeoutEvent, TimeoutOptions } from './options.ts';
import { timeout } from './timeout.ts';

const clock = new ManualClock();
const make = (options: TimeoutOptions = {}) => timeout({ timeoutMs: 100, clock, ...options });

describe('timeout', () => {
  it('returns the result of an operation that ends in time', async () => {
    const policy = make();
    await expect(policy.execute(async () => 7)).resolves.toBe(7);
    await expect(policy.execute(() => 8)).resolves.toBe(8);
    expect(policy.stats().calls).toEqual({ success: 2, failure: 0, timeout: 0, aborted: 0 });
    expect(clock.pendingRefed).toBe(0);
  });

  it('rejects with the error of an operation that fails in time, synchronous or not', async () => {
    const policy = make();
    const error = new Error('own');
    await expect(policy.execute(() => Promise.reject(error))).rejects.toBe(error);
    const atOnce = (): never => {
      throw error;
    };
    await expect(policy.execute(atOnce)).rejects.toBe(error);
    expect(policy.stats().calls).toEqual({ success: 0, failure: 2, timeout: 0, aborted: 0 });
  });

  it('rejects although the operation ignores its signal, and drops its late result', async () => {
    const policy = make({ name: 'slow' });
    const call = policy.execute(() => clock.sleep(500));
    const outcome = expect(call).rejects.toMatchObject({
      name: 'OperationTimeoutError',
      code: 'OPERATION_TIMEOUT',
      policy: 'slow',
      timeoutMs: 100,
    });
    await clock.advance(100);
    await outcome;
    await clock.advance(500);
    expect(policy.stats().calls).toEqual({ success: 0, failure: 0, timeout: 1, aborted: 0 });
  });

  it('aborts the operation with its error as the reason', async () => {
    const policy = make();
    let reason: unknown;
    const call = policy.execute(({ signal }) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      return clock.sleep(1000, signal);
    });
    const outcome = expect(call).rejects.toBeInstanceOf(OperationTimeoutError);
    await clock.advance(100);
    await outcome;
    expect(reason).toBeInstanceOf(OperationTimeoutError);
    expect(clock.pendingRefed).toBe(0);
  });

  it('sets the deadline of the operation to the moment of the timeout', async () => {
    const begun = clock.monotonic();
    const deadline = await make().execute((context) => context.deadline);
    expect(deadline).toBe(begun + 100);
  });

  it('leaves no listener on the caller’s signal', async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = controller.signal;
    Object.assign(controller.signal, {
      addEventListener(...args: Parameters<typeof addEventListener>) {
        listeners++;
        addEventListener.apply(controller.signal, args);
      },
      removeEventListener(...args: Parameters<typeof removeEventListener>) {
        listeners--;
        removeEventListener.apply(controller.signal, args);
      },
    });
    const read = async ({ signal }: { signal: AbortSignal }): Promise<boolean> => signal.aborted;
    await make().execute(read, { signal: controller.signal });
    expect(listeners).toBe(0);
  });

  it('forwards the caller’s abort with its reason unchanged', async () => {
    const controller = new AbortController();
    const call = make().execute(({ signal }) => clock.sleep(1000, signal), {
      signal: controller.signal,
    });
    const outcome = expect(call).rejects.toBe('enough');
    controller.abort('enough');
    await outcome;
  });

  it('calls onTimeout, and logs what it throws', async () => {
    const events: TimeoutEvent[] = [];
    const onTimeout = (event: TimeoutEvent): void => {
      events.push(event);
      throw new Error('listener');
    };
    const policy = make({ name: 'observed', onTimeout });
    const call = policy.execute(() => clock.sleep(500), { operation: 'fetch' });
    const outcome = expect(call).rejects.toBeInstanceOf(OperationTimeoutError);
    await clock.advance(500);
    await outcome;
    expect(events).toEqual([{ policy: 'observed', timeoutMs: 100, operation: 'fetch' }]);
  });

  it('calls onTimeout in the asynchronous context of its own call, although the timer is shared', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const policy = make({ onTimeout: () => void seen.push(storage.getStore()) });
    const callers = ['first', 'second', 'third'];
    const calls = callers.map((name) =>
      storage.run(name, () => policy.tryExecute(() => clock.sleep(500))),
    );
    await clock.advance(500);
    await Promise.all(calls);
    expect(seen).toEqual(callers);
  });

  it('passes the call to onTimeout, ended by the caller’s deadline or not', async () => {
    const seen: (string | undefined)[] = [];
    const policy = make({ onTimeout: (_event, call) => void seen.push(call.key) });
    const call = policy.tryExecute(() => clock.sleep(500), { key: 'tenant' });
    await clock.advance(500);
    await call;
    expect(seen).toEqual(['tenant']);
  });

  it('tells the operation that the timeout has ended it', async () => {
    let ended: string | undefined;
    const call = make().tryExecute(async (own) => {
      await clock.sleep(500);
      ended = own.endedBy;
    });
    await clock.advance(500);
    await call;
    expect(ended).toBe('timeout');
  });

  it('uses one timer for ten thousand calls', async () => {
    const own = new ManualClock();
    const policy = timeout({ timeoutMs: 100, clock: own });
    const calls = Array.from({ length: 10_000 }, () => policy.execute(() => own.sleep(10)));
    expect(own.pending).toBe(10_001); // the sleeps, and one timer
    await own.advance(10);
    await Promise.all(calls);
    expect(own.pendingRefed).toBe(0);
  });

  it('describes itself to composers', () => {
    expect(make().describe()).toEqual({ kind: 'timeout', timeoutMs: 100 });
  });

  it.each([
    [{ timeoutMs: 0 }, 'timeout: timeoutMs must be a finite number > 0, got 0.'],
    [{ timeoutMs: -1 }, 'timeout: timeoutMs must be a finite number > 0, got -1.'],
    [{ timeoutMs: Number.NaN }, 'timeout: timeoutMs must be a finite number > 0, got NaN.'],
    [{ timeoutMs: Infinity }, 'timeout: timeoutMs must be a finite number > 0, got Infinity.'],
    [{ timeoutMs: '5' as never }, "timeout: timeoutMs must be a finite number > 0, got '5'."],
    [
      { name: '' },
      "timeout: name must be a non-empty string of at most 128 characters without control characters, got ''.",
    ],
    [
      { spans: 'some' as never },
      "timeout: spans must be one of 'all', 'failures', 'none', got 'some'.",
    ],
    [{ onTimeout: 1 as never }, 'timeout: onTimeout must be a function, got 1.'],
    [{ ms: 1 } as never, "timeout: unknown option 'ms'"],
    [{ timeoutMs: { quantile: 2, maxMs: 1 } }, 'timeout: timeoutMs: quantile must be'],
  ])('refuses %o', (options, message) => {
    expect(() => timeout(options)).toThrow(message);
  });
});

describe('a timeout that follows the latencies', () => {
  const observed = { quantile: 0.9, factor: 2, minMs: 10, maxMs: 1000, minSamples: 5 };

  it('shrinks to what the calls need, and grows again when they become slower', async () => {
    const own = new ManualClock();
    const policy = timeout({ timeoutMs: observed, clock: own });
    expect(policy.timeoutMs).toBe(1000);
    const take = async (ms: number): Promise<unknown> => {
      const outcome = policy.tryExecute(() => own.sleep(ms));
      await own.advance(ms);
      return outcome;
    };
    for (let i = 0; i < 20; i++) await take(20);
    expect(policy.timeoutMs).toBeGreaterThanOrEqual(40);
    expect(policy.timeoutMs).toBeLessThanOrEqual(45);
    // Each call is now cut off, which only tells that it would have taken longer.
    for (let i = 0; i < 5; i++) await take(300);
    expect(policy.timeoutMs).toBeGreaterThan(80); // long before the quick ones leave the window
    for (let i = 0; i < 200; i++) await take(300);
    expect(policy.timeoutMs).toBeGreaterThan(300);
    expect(policy.stats().calls.success).toBeGreaterThan(20);
    expect(policy.stats().calls.timeout).toBeGreaterThan(5);
    await expect(take(300)).resolves.toEqual({ ok: true, value: undefined });
  });

  it('ignores the durations of failures, which may be quick for their own reasons', async () => {
    const own = new ManualClock();
    const policy = timeout({ timeoutMs: observed, clock: own });
    for (let i = 0; i < 20; i++) await policy.tryExecute(() => Promise.reject(new Error('no')));
    expect(policy.timeoutMs).toBe(1000);
  });

  it.each([21, 70])('recovers when most calls were cut off: latency %d ms', async (latencyMs) => {
    const own = new ManualClock();
    const policy = timeout({ timeoutMs: { quantile: 0.95, maxMs: 1000 }, clock: own });
    const random = seededRandom(5);
    const succeeded = async (calls: number, around: number): Promise<number> => {
      let count = 0;
      for (let i = 0; i < calls; i++) {
        const call = policy.tryExecute(({ signal }) =>
          own.sleep(around - 1 + 2 * random(), signal),
        );
        await own.advance(100);
        if ((await call).ok) count++;
      }
      return count;
    };
    await succeeded(200, 21);
    const settling = 200; // calls, of which the limit needs some to rise
    await succeeded(settling, latencyMs);
    expect(await succeeded(1000, latencyMs)).toBeGreaterThanOrEqual(940);
    expect(policy.timeoutMs).toBeLessThan(200);
  });

  it('describes no fixed timeout to composers', () => {
    expect(make({ timeoutMs: observed }).describe()).toEqual({
      kind: 'timeout',
      timeoutMs: undefined,
      maxTimeoutMs: 1000,
    });
  });
});
