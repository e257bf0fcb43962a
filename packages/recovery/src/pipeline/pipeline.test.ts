import { circuitBreaker } from '@temper/breaker';
import {
  CallContext,
  type ExecuteOptions,
  type ExecutionContext,
  isCallContext,
  type Operation,
} from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { fallback } from '../fallback/fallback.ts';
import { timeout } from '../timeout/timeout.ts';
import { pipeline } from './pipeline.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** A policy that says when it is entered and left. */
function told(name: string, said: string[]) {
  return {
    name,
    async execute<T>(operation: Operation<T>, options?: ExecuteOptions | ExecutionContext) {
      said.push(`> ${name}`);
      try {
        return await operation(options as ExecutionContext);
      } finally {
        said.push(`< ${name}`);
      }
    },
  };
}

describe('a pipeline', () => {
  it('runs its policies outermost first, and the operation inside them all', async () => {
    const said: string[] = [];
    const policy = pipeline({}, told('a', said), told('b', said), told('c', said));
    await policy.execute(() => said.push('operation'));
    expect(said).toEqual(['> a', '> b', '> c', 'operation', '< c', '< b', '< a']);
  });

  it('runs the operation plainly when it has no policies', async () => {
    const policy = pipeline({ name: 'empty' });
    await expect(policy.execute(() => 1)).resolves.toBe(1);
    const throws = (): never => {
      throw new Error('at once');
    };
    await expect(policy.execute(throws)).rejects.toThrow('at once');
    await expect(policy.tryExecute(throws)).resolves.toMatchObject({ ok: false });
  });

  it('gives one context, signal and deadline from end to end', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const policy = pipeline(
      { clock },
      retry({ clock }),
      pipeline({ clock }, circuitBreaker({ clock })),
    );
    let seen: ExecutionContext | undefined;
    await policy.execute(
      (context) => {
        seen = context;
      },
      { signal: controller.signal, operation: 'op' },
    );
    expect(seen).toBeInstanceOf(CallContext);
    expect(seen?.signal).toBe(controller.signal); // not a copy: nobody had to make one
    expect((seen as CallContext).operation).toBe('op');
    const begun = clock.monotonic();
    await policy.execute(
      (context) => {
        seen = context;
      },
      { deadlineMs: 500 },
    );
    expect(seen?.deadline).toBe(begun + 500);
  });

  it('joins a call under way, with its attempt and its deadline', async () => {
    const inner = pipeline({}, timeout());
    const context = new CallContext(3, 77, 'outer');
    let seen: ExecutionContext | undefined;
    await inner.execute((each) => {
      seen = each;
    }, context);
    expect(seen).toMatchObject({ attempt: 3, deadline: 77, operation: 'outer' });
  });

  it('makes every policy see every attempt, and lets an open circuit end the retries', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ failureThreshold: 2, clock });
    const policy = pipeline({ clock }, retry({ maxAttempts: 5, clock }), breaker);
    let calls = 0;
    const call = policy.execute(async () => {
      calls++;
      throw reset();
    });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(calls).toBe(2);
    expect(breaker.state).toBe('open');
  });

  it('ends the retries when the total timeout leaves no time for another', async () => {
    const clock = new ManualClock();
    const policy = pipeline(
      { clock },
      timeout({ timeoutMs: 250, clock }),
      retry({ maxAttempts: 10, initialDelayMs: 100, jitter: 'none', clock }),
    );
    const before = clock.monotonic();
    const call = policy.execute(() => Promise.reject(reset()));
    await expect(clock.runUntil(call)).rejects.toMatchObject({
      code: 'RETRY_EXHAUSTED',
      reason: 'deadline',
      attempts: 2,
    });
    expect(clock.monotonic() - before).toBe(100); // it does not sit out the rest
  });

  it('times each attempt alone with a timeout inside the retry', async () => {
    const clock = new ManualClock();
    const policy = pipeline({ clock }, retry({ clock }), timeout({ timeoutMs: 50, clock }));
    let calls = 0;
    const call = policy.execute(async ({ signal, attempt }) => {
      calls++;
      expect(attempt).toBe(calls);
      await clock.sleep(calls === 1 ? 1000 : 10, signal);
      return 'second';
    });
    await expect(clock.runUntil(call)).resolves.toBe('second');
  });

  it('composes a stranger that only has execute, and takes up the context that it hands on', async () => {
    const controller = new AbortController();
    const seen: ExecutionContext[] = [];
    const stranger = {
      execute<T>(operation: Operation<T>): Promise<T> {
        const own = { signal: controller.signal, attempt: 7, deadline: undefined };
        return Promise.resolve(operation(own));
      },
    };
    const policy = pipeline({}, stranger, retry({ maxAttempts: 1 }));
    await policy.execute((context) => seen.push(context), { operation: 'op' });
    expect(isCallContext(seen[0] as object)).toBe(true);
    expect(seen[0]?.signal).toBe(controller.signal);
    expect((seen[0] as CallContext).operation).toBe('op');

    const silent = {
      execute: <T>(operation: () => T | PromiseLike<T>) => Promise.resolve(operation()),
    };
    const call = pipeline({}, silent as never, timeout()).execute((context) => seen.push(context), {
      operation: 'still known',
    });
    await call;
    expect((seen[1] as CallContext).operation).toBe('still known');
  });

  it('takes what a stranger does not know of from the call, and its own context as it is', async () => {
    const call = new CallContext(4, 77, 'op');
    const seen: ExecutionContext[] = [];
    const through = (given: unknown) => ({
      execute: <T>(operation: Operation<T>) =>
        Promise.resolve(operation(given as ExecutionContext)),
    });
    const run = (given: unknown) =>
      pipeline({}, through(given), timeout(), through(call)).execute((c) => seen.push(c), call);
    await run({ signal: new AbortController().signal });
    await run({ attempt: 9, deadline: 50 });
    const inner = pipeline({}, through({ attempt: 9, deadline: 50 }), retry({ maxAttempts: 1 }));
    await inner.execute((context) => seen.push(context), call);
    expect(seen[0]).toBe(call);
    expect(seen[2]).toMatchObject({ deadline: 50, operation: 'op' });
    const bare = pipeline({}, through({}), through(undefined));
    await bare.execute((context) => seen.push(context), call);
    expect(seen[3]).toMatchObject({ attempt: 4, deadline: 77 });
  });

  it('turns a synchronous throw of a stranger into a rejection', async () => {
    const stranger = {
      execute(): never {
        throw new Error('not even a promise');
      },
    };
    await expect(pipeline({}, stranger).execute(() => 1)).rejects.toThrow('not even a promise');
  });

  it('wraps functions, with this, name and arity kept', async () => {
    const policy = pipeline({}, retry(), timeout());
    const object = {
      factor: 3,
      times: policy.wrap(async function times(this: { factor: number }, n: number) {
        return this.factor * n;
      }),
    };
    await expect(object.times(4)).resolves.toBe(12);
    expect(object.times.name).toBe('times');
    expect(object.times.length).toBe(1);
  });

  it('lists its policies, with what each says of itself', async () => {
    const policy = pipeline({ name: 'p' }, retry({ name: 'r' }), told('t', []), {
      execute: async () => 1 as never,
    });
    await policy.tryExecute(() => 1);
    expect(policy.policies).toHaveLength(3);
    expect(policy.stats().policies).toMatchObject([
      { name: 'r', kind: 'retry', stats: { attempts: 1 } },
      { name: 't', kind: 'policy', stats: undefined },
      { name: 'policy', kind: 'policy', stats: undefined },
    ]);
    expect(policy.describe()).toEqual({ kind: 'pipeline', parts: policy.policies });
  });

  it('answers with a fallback around it all', async () => {
    const clock = new ManualClock();
    const policy = pipeline(
      { clock },
      fallback({ handler: () => 'fallback', clock }),
      timeout({ timeoutMs: 1000, clock }),
      retry({ clock }),
    );
    await expect(clock.runUntil(policy.execute(() => Promise.reject(reset())))).resolves.toBe(
      'fallback',
    );
  });

  it.each([
    [[undefined], "pipeline 'pipeline': a policy must have execute(operation), got undefined."],
    [[{}], "pipeline 'pipeline': a policy must have execute(operation), got an object."],
    [[retry], "pipeline 'pipeline': a policy must have execute(operation), got function retry."],
  ])('refuses %o', (policies, message) => {
    expect(() => pipeline({}, ...(policies as never[]))).toThrow(message);
  });

  it('refuses options that do not exist, and an empty name', () => {
    expect(() => pipeline({ label: 'x' } as never)).toThrow("pipeline: unknown option 'label'");
    expect(() => pipeline({ name: '' })).toThrow('pipeline: name must be a non-empty string');
    expect(() => pipeline(retry() as never, timeout())).toThrow(
      'pipeline: the first argument is the options, such as { name }; got a policy.',
    );
  });
});
