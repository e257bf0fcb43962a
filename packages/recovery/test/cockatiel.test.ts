import { circuitBreaker } from '@temper/breaker';
import type { CallContext, Executor } from '@temper/core';
import * as cockatiel from 'cockatiel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pipeline, timeout } from '../src/index.ts';

const { handleAll, TimeoutStrategy } = cockatiel;

/** cockatiel's `execute` takes the AbortSignal itself as its second argument, and not options. */
const policies: Readonly<Record<string, () => unknown>> = {
  retry: () => cockatiel.retry(handleAll, { maxAttempts: 1 }),
  'aggressive timeout': () => cockatiel.timeout(50, TimeoutStrategy.Aggressive),
  'cooperative timeout': () => cockatiel.timeout(50, TimeoutStrategy.Cooperative),
  'circuit breaker': () =>
    cockatiel.circuitBreaker(handleAll, {
      halfOpenAfter: 1000,
      breaker: new cockatiel.ConsecutiveBreaker(5),
    }),
  fallback: () => cockatiel.fallback(handleAll, 'fallback'),
  bulkhead: () => cockatiel.bulkhead(1),
  wrap: () =>
    cockatiel.wrap(
      cockatiel.retry(handleAll, { maxAttempts: 1 }),
      cockatiel.bulkhead(1),
      cockatiel.timeout(50, TimeoutStrategy.Aggressive),
    ),
};
const names = Object.keys(policies);

function around(name: string, ...inner: readonly Executor[]) {
  return pipeline({}, policies[name]?.() as Executor, ...inner);
}

/** Resolves never, and rejects with the reason when the call ends. */
function untilAborted({ signal }: CallContext): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a pipeline around cockatiel', () => {
  it.each(names)('runs the operation through its %s', async (name) => {
    await expect(around(name).execute(async () => 5)).resolves.toBe(5);
    const inner = around(name, circuitBreaker(), timeout({ timeoutMs: 20 }));
    await expect(inner.execute(async () => 6)).resolves.toBe(6);
  });

  it.each(names)('continues the call inside its %s', async (name) => {
    const labels = { operation: 'op', cost: 3, key: 'tenant' };
    const seen: CallContext[] = [];
    const policy = around(name, circuitBreaker());
    await policy.execute((call) => seen.push(call), { ...labels, timeoutMs: 30 });
    expect(seen[0]).toMatchObject(labels);
    expect(seen[0]?.deadline).toBeTypeOf('number');
  });

  it.each(names)('passes the abort of the caller through its %s', async (name) => {
    const controller = new AbortController();
    let seen: CallContext | undefined;
    const result = around(name, circuitBreaker()).tryExecute(
      (call) => {
        seen = call;
        return untilAborted(call);
      },
      { signal: controller.signal },
    );
    await vi.advanceTimersByTimeAsync(5);
    controller.abort(new Error('left'));
    await vi.advanceTimersByTimeAsync(5);
    // A fallback of cockatiel answers for every error, this one too.
    expect((await result).ok).toBe(name === 'fallback');
    expect(seen?.signal.aborted).toBe(true);
    expect((seen as { endedBy?: unknown } | undefined)?.endedBy).toBe('caller');
  });

  it('is retried by it, with the attempts that it counts', async () => {
    const attempts: number[] = [];
    const policy = pipeline(
      {},
      cockatiel.retry(handleAll, { maxAttempts: 2 }) as unknown as Executor,
    );
    const result = policy.tryExecute(({ attempt }) => {
      attempts.push(attempt);
      throw new Error('down');
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await result).ok).toBe(false);
    expect(attempts).toEqual([0, 1, 2]);
  });

  it.each(['aggressive timeout', 'cooperative timeout'])('is ended by its %s', async (name) => {
    let seen: CallContext | undefined;
    const result = around(name).tryExecute((call) => {
      seen = call;
      return untilAborted(call);
    });
    await vi.advanceTimersByTimeAsync(50);
    await expect(result).resolves.toMatchObject({ ok: false });
    expect(seen).toMatchObject({ endedBy: 'timeout' });
  });

  it('may stand inside policies of ours', async () => {
    const policy = pipeline({}, timeout({ timeoutMs: 20 }), policies.wrap?.() as Executor);
    const result = policy.tryExecute(untilAborted);
    await vi.advanceTimersByTimeAsync(20);
    await expect(result).resolves.toMatchObject({ error: { code: 'OPERATION_TIMEOUT' } });
  });
});
