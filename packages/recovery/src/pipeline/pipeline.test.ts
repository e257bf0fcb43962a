import { circuitBreaker } from '@temper/breaker';
import type { CallContext, Operation } from '@temper/core';
import { Call, isCall } from '@temper/core/policy';
import { retry, retryDetails } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { fallback } from '../fallback/fallback.ts';
import { timeout } from '../timeout/timeout.ts';
import { pipeline } from './pipeline.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** A policy of another library that records when it is entered and left. */
function recording(name: string, record: string[]) {
  return {
    name,
    async execute<T>(operation: Operation<T>) {
      record.push(`> ${name}`);
      try {
        return await operation(undefined as never);
      } finally {
        record.push(`< ${name}`);
      }
    },
  };
}

describe('pipeline', () => {
  it('runs its policies outermost first, and the operation innermost', async () => {
    const record: string[] = [];
    const policy = pipeline(
      {},
      recording('a', record),
      recording('b', record),
      recording('c', record),
    );
    await policy.execute(() => record.push('operation'));
    expect(record).toEqual(['> a', '> b', '> c', 'operation', '< c', '< b', '< a']);
  });

  it('runs the operation alone when it has no policies', async () => {
    const policy = pipeline({ name: 'empty' });
    await expect(policy.execute(() => 1)).resolves.toBe(1);
    const throws = (): never => {
      throw new Error('at once');
    };
    await expect(policy.execute(throws)).rejects.toThrow('at once');
    await expect(policy.tryExecute(throws)).resolves.toMatchObject({ ok: false });
  });

  it('passes one context, signal and deadline from end to end', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const policy = pipeline(
      { clock },
      retry({ clock }),
      pipeline({ clock }, circuitBreaker({ clock })),
    );
    let seen: CallContext | undefined;
    await policy.execute(
      (context) => {
        seen = context;
      },
      { signal: controller.signal, operation: 'op' },
    );
    expect(isCall(seen)).toBe(true);
    expect(seen?.signal).toBe(controller.signal); // not a copy
    expect(seen?.operation).toBe('op');
    const begun = clock.monotonic();
    await policy.execute(
      (context) => {
        seen = context;
      },
      { timeoutMs: 500 },
    );
    expect(seen?.deadline).toBe(begun + 500);
  });

  it('joins the call of its parent, with attempt, deadline and labels', async () => {
    const clock = new ManualClock();
    const deadline = clock.monotonic() + 77;
    const inner = pipeline({ clock }, timeout({ clock }));
    const parent = new Call(3, deadline, {
      operation: 'outer',
      attributes: undefined,
      cost: 4,
      priority: 'sheddable',
      key: 'tenant',
    });
    let seen: CallContext | undefined;
    await inner.execute(
      (each) => {
        seen = each;
      },
      { parent },
    );
    expect(seen).toMatchObject({
      attempt: 3,
      deadline,
      operation: 'outer',
      cost: 4,
      priority: 'sheddable',
      key: 'tenant',
    });
  });

  it('shows every attempt to the policies inside a retry, and ends the retries when the circuit opens', async () => {
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
    const error: unknown = await clock.runUntil(call).catch((failed: unknown) => failed);
    expect(retryDetails(error)).toMatchObject({ reason: 'deadline', attempts: 2 });
    expect(clock.monotonic() - before).toBe(100); // it does not wait for the timeout
  });

  it('times each attempt separately with a timeout inside the retry', async () => {
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

  it('turns a synchronous throw of another library’s policy into a rejection', async () => {
    const foreign = {
      execute(): never {
        throw new Error('not even a promise');
      },
    };
    await expect(pipeline({}, foreign).execute(() => 1)).rejects.toThrow('not even a promise');
  });

  it('wraps functions and keeps this, name and arity', async () => {
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

  it('lists its policies with their descriptions and statistics', async () => {
    const policy = pipeline({ name: 'p' }, retry({ name: 'r' }), recording('t', []), {
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

  it('answers with a fallback around the other policies', async () => {
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
    [
      [undefined],
      "pipeline 'pipeline': a policy must have execute(operation, options), got undefined.",
    ],
    [[{}], "pipeline 'pipeline': a policy must have execute(operation, options), got an object."],
    [
      [retry],
      "pipeline 'pipeline': a policy must have execute(operation, options), got function retry.",
    ],
  ])('refuses %o', (policies, message) => {
    expect(() => pipeline({}, ...(policies as never[]))).toThrow(message);
  });

  it('takes policies without options', async () => {
    const unnamed = pipeline(retry({ maxAttempts: 2, initialDelayMs: 0 }), timeout());
    const operation = vi
      .fn()
      .mockRejectedValueOnce(Object.assign(new Error(), { code: 'ECONNRESET' }));
    await unnamed.execute(operation);
    expect(operation).toHaveBeenCalledTimes(2);
    expect(unnamed.name).toBe('pipeline');
    expect(await pipeline().execute(() => 1)).toBe(1);
  });

  it('refuses unknown options, an empty name, and options that are none', () => {
    expect(() => pipeline({ label: 'x' } as never)).toThrow("pipeline: unknown option 'label'");
    expect(() => pipeline({ name: '' })).toThrow('pipeline: name must be a non-empty string');
    expect(() => pipeline(null as never, timeout())).toThrow('pipeline: ');
    expect(() => pipeline(retry as never, timeout())).toThrow('pipeline: ');
    expect(() => pipeline(timeout(), { name: 'late' } as never)).toThrow(
      "pipeline 'pipeline': a policy must have execute(operation, options), got an object.",
    );
  });
});
