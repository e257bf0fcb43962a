import { getEventListeners } from 'node:events';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { CallContext } from '../contract.ts';
import { DeadlineExceededError } from '../errors.ts';
import { enterCall } from './enter.ts';

const never = (): Promise<never> => new Promise(() => {});

function setUp(): { clock: ManualClock; policy: ThroughPolicy } {
  const clock = new ManualClock();
  return { clock, policy: new ThroughPolicy(clock) };
}

describe('execute', () => {
  it('gives the operation a context of attempt 1 without a deadline', async () => {
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
    expect(policy.calls[0]).toMatchObject({ operation: 'fetch', attributes: { tenant: 'a' } });
    expect(policy.calls[0]?.signal).toBe(signal);
  });

  it('joins the call of an outer policy when it is given its context as parent', async () => {
    const { clock, policy } = setUp();
    const outer = new ThroughPolicy(clock);
    const { signal } = new AbortController();
    await outer.execute((context) => policy.execute(() => 1, { parent: context }), {
      signal,
      timeoutMs: 50,
    });
    // A part of its own, as the operation may make several at the same time.
    expect(policy.calls[0]?.outer).toBe(outer.calls[0]);
    expect(policy.calls[0]?.signal).toBe(outer.calls[0]?.signal);
    expect(policy.calls[0]?.deadline).toBe(outer.calls[0]?.deadline);
    expect(clock.pending).toBe(0);
  });

  it('rejects with the reason and calls nothing when the signal has aborted already', async () => {
    const { policy } = setUp();
    const reason = { gone: true };
    const signal = AbortSignal.abort(reason);
    await expect(policy.execute(() => 1, { signal })).rejects.toBe(reason);
    await expect(policy.execute(() => 1, { signal, timeoutMs: 5 })).rejects.toBe(reason);
    expect(policy.calls).toEqual([]);
  });

  it('rejects with the reason and calls nothing when the parent call has ended already', async () => {
    const { clock, policy } = setUp();
    const outer = new ThroughPolicy(clock);
    const controller = new AbortController();
    const call = outer.execute(
      async (context) => {
        controller.abort('stop');
        return policy.execute(() => 1, { parent: context });
      },
      { signal: controller.signal },
    );
    await expect(call).rejects.toBe('stop');
    expect(policy.calls).toEqual([]);
  });

  it('treats a timeoutMs of Infinity as none', async () => {
    const { clock, policy } = setUp();
    const call = policy.execute(never, { timeoutMs: Number.POSITIVE_INFINITY });
    await settle();
    expect(clock.pending).toBe(0);
    expect(policy.calls[0]?.deadline).toBeUndefined();
    void call;
  });
});

describe('timeoutMs', () => {
  it('rejects when it has passed and aborts the operation with an equal error', async () => {
    const { clock, policy } = setUp();
    let signal: AbortSignal | undefined;
    const call = policy.execute(
      (context) => {
        signal = context.signal;
        return never();
      },
      { timeoutMs: 250, operation: 'fetch_package' },
    );
    const outcome = call.catch((error: unknown) => error);
    await clock.advance(249);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    const error = (await outcome) as DeadlineExceededError;
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(error.message).toBe(
      "The call 'fetch_package' did not finish within its timeout of 250 ms.",
    );
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', timeoutMs: 250 });
    // Another object than what the caller gets, and may end other calls with.
    expect(signal?.reason).toBeInstanceOf(DeadlineExceededError);
    expect(signal?.reason).toEqual(error);
    expect(signal?.reason).not.toBe(error);
  });

  it('sets a deadline on the monotonic scale, independent of the wall clock', async () => {
    const { clock, policy } = setUp();
    const call = policy.execute((context) => context.deadline, { timeoutMs: 250 });
    expect(await call).toBe(clock.monotonic() + 250);
    const slow = policy.execute(() => clock.sleep(300), { timeoutMs: 250 }).catch(String);
    clock.adjustWallClock(86_400_000);
    await clock.advance(249);
    expect(clock.pending).toBe(2);
    await clock.advance(1);
    expect(await slow).toMatch(/DeadlineExceededError/);
  });

  it('of 0 rejects without calling the operation', async () => {
    const { clock, policy } = setUp();
    await expect(policy.execute(() => 1, { timeoutMs: 0 })).rejects.toThrow(DeadlineExceededError);
    expect(policy.calls).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('drops what the operation rejects with afterwards', async () => {
    const { clock, policy } = setUp();
    const late = policy.execute(
      async () => {
        await clock.sleep(100);
        throw new Error('late');
      },
      { timeoutMs: 50 },
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
    const look = (context: CallContext): unknown => {
      expect(context.signal.aborted).toBe(false);
      return operation();
    };
    await policy.execute(look, { signal, timeoutMs: 50 }).catch(() => undefined);
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
    const call = enterCall(broken, () => 1, { timeoutMs: 50 }, 'broken', clock);
    await expect(call).rejects.toThrow('broken');
    expect(clock.pending).toBe(0);
  });

  it("passes the caller's abort on with the reason unchanged", async () => {
    const { clock, policy } = setUp();
    const controller = new AbortController();
    const call = policy.execute((context) => clock.sleep(1000, context.signal), {
      signal: controller.signal,
      timeoutMs: 500,
    });
    await settle();
    const reason = new Error('user left');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });
});

describe('a policy that throws where it should reject', () => {
  class Broken extends ThroughPolicy {
    override runInCall(): never {
      throw new Error('broken');
    }
  }

  it.each([undefined, {}, { timeoutMs: 50 }, { key: 'a' }])(
    'rejects the call with options %o',
    async (options) => {
      const clock = new ManualClock();
      const policy = new Broken(clock);
      await expect(policy.execute(() => 1, options)).rejects.toThrow('broken');
      expect(await policy.tryExecute(() => 1, options)).toMatchObject({ ok: false });
      expect(clock.pending).toBe(0);
    },
  );
});

describe('tryExecute', () => {
  it('resolves to the value or to the error that execute would reject with', async () => {
    const { policy } = setUp();
    const error = new Error('no');
    expect(await policy.tryExecute(() => 7)).toEqual({ ok: true, value: 7 });
    expect(await policy.tryExecute(() => Promise.reject(error))).toEqual({ ok: false, error });
    const bad = await policy.tryExecute(() => 7, { timeoutMs: -1 });
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
    expect(policy.calls).toHaveLength(1);
  });

  it('makes a synchronous function asynchronous', async () => {
    const { policy } = setUp();
    const parse = policy.wrap((text: string): unknown => JSON.parse(text));
    expectTypeOf(parse).returns.toEqualTypeOf<Promise<unknown>>();
    expect(await parse('{"a":1}')).toEqual({ a: 1 });
    await expect(parse('{')).rejects.toThrow(SyntaxError);
  });
});
