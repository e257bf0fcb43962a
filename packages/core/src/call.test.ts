import { getEventListeners } from 'node:events';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { enterCall, PolicyBase } from './call.ts';
import type { Clock } from './clock.ts';
import type { CallContext } from './context.ts';
import { DeadlineExceededError } from './errors.ts';
import type { ExecuteOptions, ExecutionContext, Operation } from './policy.ts';

/** The least policy there is: it calls the operation, and remembers the contexts. */
class Through extends PolicyBase {
  readonly contexts: CallContext[] = [];

  constructor(clock: Clock) {
    super('through', clock);
  }

  async runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    this.contexts.push(context);
    return operation(context);
  }

  stats(): object {
    return { calls: this.contexts.length };
  }

  [Symbol.dispose](): void {}
}

const never = (): Promise<never> => new Promise(() => {});

function setUp(): { clock: ManualClock; policy: Through } {
  const clock = new ManualClock();
  return { clock, policy: new Through(clock) };
}

describe('execute', () => {
  it('hands the operation a context of attempt 1 without deadline', async () => {
    const { policy } = setUp();
    const seen = await policy.execute((context) => context);
    expect(seen.attempt).toBe(1);
    expect(seen.deadline).toBeUndefined();
    expect(seen.signal.aborted).toBe(false);
  });

  it('carries signal, operation and attributes', async () => {
    const { policy } = setUp();
    const { signal } = new AbortController();
    await policy.execute(() => 1, { signal, operation: 'fetch', attributes: { tenant: 'a' } });
    expect(policy.contexts[0]).toMatchObject({ operation: 'fetch', attributes: { tenant: 'a' } });
    expect(policy.contexts[0]?.signal).toBe(signal);
  });

  it('joins the call of an outer policy when it is given its context', async () => {
    const { clock, policy } = setUp();
    const outer = new Through(clock);
    const { signal } = new AbortController();
    await outer.execute((context) => policy.execute(() => 1, context), { signal, deadlineMs: 50 });
    expect(policy.contexts[0]).toBe(outer.contexts[0]);
    expect(clock.pending).toBe(0);
  });

  it('rejects with the reason, and calls nothing, when the signal has aborted already', async () => {
    const { policy } = setUp();
    const reason = { gone: true };
    const signal = AbortSignal.abort(reason);
    await expect(policy.execute(() => 1, { signal })).rejects.toBe(reason);
    await expect(policy.execute(() => 1, { signal, deadlineMs: 5 })).rejects.toBe(reason);
    expect(policy.contexts).toEqual([]);
  });

  it('rejects with the reason, and calls nothing, when the outer call has been aborted', async () => {
    const { clock, policy } = setUp();
    const outer = new Through(clock);
    const controller = new AbortController();
    const call = outer.execute(
      async (context) => {
        controller.abort('stop');
        return policy.execute(() => 1, context);
      },
      { signal: controller.signal },
    );
    await expect(call).rejects.toBe('stop');
    expect(policy.contexts).toEqual([]);
  });

  it.each([
    [-1, /RangeError: execute: deadlineMs must be a number >= 0, got -1\./],
    [Number.NaN, /RangeError: execute: deadlineMs must be a number >= 0, got NaN\./],
    ['5', /TypeError: execute: deadlineMs must be a number >= 0, got '5'\./],
  ])('refuses a deadline of %s, naming option, range and value', async (deadlineMs, message) => {
    const { policy } = setUp();
    const call = policy.execute(() => 1, { deadlineMs } as ExecuteOptions);
    await expect(call.catch(String)).resolves.toMatch(message);
    expect(policy.contexts).toEqual([]);
  });

  it.each([null, 5])('rejects, and does not throw, when the options are %s', async (options) => {
    const { policy } = setUp();
    const call = policy.execute(() => 1, options as unknown as ExecuteOptions);
    if (options === null) await expect(call).rejects.toThrow(TypeError);
    else await expect(call).resolves.toBe(1);
  });

  it('takes a deadline of Infinity for none', async () => {
    const { clock, policy } = setUp();
    const call = policy.execute(never, { deadlineMs: Number.POSITIVE_INFINITY });
    await settle();
    expect(clock.pending).toBe(0);
    expect(policy.contexts[0]?.deadline).toBeUndefined();
    void call;
  });
});

describe('a deadline', () => {
  it('rejects at once when it passes, and aborts the operation with the same error', async () => {
    const { clock, policy } = setUp();
    let signal: AbortSignal | undefined;
    const call = policy.execute(
      (context) => {
        signal = context.signal;
        return never();
      },
      { deadlineMs: 250, operation: 'fetch_package' },
    );
    const outcome = call.catch((error: unknown) => error);
    await clock.advance(249);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    const error = (await outcome) as DeadlineExceededError;
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(error.message).toBe("'fetch_package' did not finish within its deadline of 250 ms.");
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', deadlineMs: 250 });
    expect(signal?.reason).toBe(error);
  });

  it('is told to the operation on the monotonic scale, whatever the wall clock does', async () => {
    const { clock, policy } = setUp();
    const call = policy.execute((context) => context.deadline, { deadlineMs: 250 });
    expect(await call).toBe(clock.monotonic() + 250);
    const slow = policy.execute(() => clock.sleep(300), { deadlineMs: 250 }).catch(String);
    clock.adjustWallClock(86_400_000);
    await clock.advance(249);
    expect(clock.pending).toBe(2);
    await clock.advance(1);
    expect(await slow).toMatch(/DeadlineExceededError/);
  });

  it('of 0 rejects without calling', async () => {
    const { clock, policy } = setUp();
    await expect(policy.execute(() => 1, { deadlineMs: 0 })).rejects.toThrow(DeadlineExceededError);
    expect(policy.contexts).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('drops what the operation yields afterwards, without an unhandled rejection', async () => {
    const { clock, policy } = setUp();
    const late = policy.execute(
      async () => {
        await clock.sleep(100);
        throw new Error('late');
      },
      { deadlineMs: 50 },
    );
    await expect(clock.runUntil(late)).rejects.toThrow(DeadlineExceededError);
    await clock.advance(100);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ['resolves', async () => 'value'],
    ['rejects', async () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
  ])('leaves no timer and no listener when the operation %s in time', async (_, operation) => {
    const { clock, policy } = setUp();
    const { signal } = new AbortController();
    const look = (context: ExecutionContext): unknown => {
      expect(context.signal.aborted).toBe(false);
      return operation();
    };
    await policy.execute(look, { signal, deadlineMs: 50 }).catch(() => undefined);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('leaves no timer when a policy throws where it should reject', async () => {
    const clock = new ManualClock();
    const broken = {
      runInCall: (): Promise<never> => {
        throw new Error('broken');
      },
    };
    const call = enterCall(broken, () => 1, { deadlineMs: 50 }, clock);
    await expect(call).rejects.toThrow('broken');
    expect(clock.pending).toBe(0);
  });

  it("still passes the caller's abort on, reason untouched", async () => {
    const { clock, policy } = setUp();
    const controller = new AbortController();
    const call = policy.execute((context) => clock.sleep(1000, context.signal), {
      signal: controller.signal,
      deadlineMs: 500,
    });
    await settle();
    const reason = new Error('user left');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });
});

describe('tryExecute', () => {
  it('resolves to the value, or to the error that execute would have thrown', async () => {
    const { policy } = setUp();
    const error = new Error('no');
    expect(await policy.tryExecute(() => 7)).toEqual({ ok: true, value: 7 });
    expect(await policy.tryExecute(() => Promise.reject(error))).toEqual({ ok: false, error });
    const bad = await policy.tryExecute(() => 7, { deadlineMs: -1 });
    expect(bad).toMatchObject({ ok: false, error: { name: 'RangeError' } });
  });
});

describe('wrap', () => {
  it('keeps this, arguments, name, arity and type', async () => {
    const { policy } = setUp();
    class Counter {
      readonly #start = 40;
      async add(by: number, _label?: string): Promise<number> {
        return this.#start + by;
      }
    }
    const wrapped = policy.wrap(Counter.prototype.add);
    expectTypeOf(wrapped).toEqualTypeOf<(by: number, _label?: string) => Promise<number>>();
    expect(wrapped.name).toBe('add');
    expect(wrapped.length).toBe(2);
    expect(await wrapped.call(new Counter(), 2)).toBe(42);
    expect(policy.contexts).toHaveLength(1);
  });

  it('makes a synchronous function asynchronous', async () => {
    const { policy } = setUp();
    const parse = policy.wrap((text: string): unknown => JSON.parse(text));
    expectTypeOf(parse).returns.toEqualTypeOf<Promise<unknown>>();
    expect(await parse('{"a":1}')).toEqual({ a: 1 });
    await expect(parse('{')).rejects.toThrow(SyntaxError);
  });
});
