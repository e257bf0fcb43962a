import { isFailure, type Outcome } from '@temper/core';
import { retryDetails } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { FailedResultError } from './errors.ts';
import type { RecoveryPlan } from './plan.ts';
import { recover } from './recovery.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function make(plan: Partial<RecoveryPlan> = {}) {
  const clock = new ManualClock();
  const environment = { clock, random: () => 0.5 }; // the middle of ± 20 %: no jitter
  return { clock, recovery: recover({ operation: 'op', ...plan }, environment) };
}

/** Fails a number of times, then succeeds. */
function failing(times: number, make: () => unknown = reset) {
  let calls = 0;
  return async (): Promise<string> => {
    if (++calls <= times) throw make();
    return `answer of call ${calls}`;
  };
}

describe('shouldHandle of a plan', () => {
  const isBad = (outcome: Outcome<unknown>): boolean =>
    isFailure(outcome) || (outcome.ok && (outcome.value as { ok: boolean }).ok === false);

  it('retries a value that counts as failed, which is found in the error at the end', async () => {
    const { clock, recovery } = make({ shouldHandle: isBad });
    let calls = 0;
    const second = async () => ({ ok: ++calls > 1 });
    await expect(clock.runUntil(recovery.execute(second))).resolves.toEqual({
      ok: true,
      value: { ok: true },
      recoveredBy: 'retry',
    });
    const never = async () => ({ ok: false, status: 503 });
    const result = await clock.runUntil(recovery.execute(never));
    const { error } = result as { error: FailedResultError };
    expect(error).toBeInstanceOf(FailedResultError);
    expect(error).toMatchObject({
      value: { ok: false, status: 503 },
      message: "Operation 'op' returned status 503, a result that counts as failed.",
      classification: { category: 'network', transient: true },
    });
    expect(retryDetails(error)).toMatchObject({ attempts: 4 });
  });

  it('counts a value as a failure for the breaker and the fallback', async () => {
    const { recovery } = make({
      strategy: ['circuit_break', 'fallback'],
      breaker: { failureThreshold: 1 },
      shouldHandle: (outcome) => outcome.ok && outcome.value === 'bad',
      fallback: () => 'good',
    });
    await expect(recovery.execute(async () => 'bad')).resolves.toMatchObject({ value: 'good' });
    expect(recovery.stats().circuit).toBe('open');
  });

  it('counts a value as a failure for the partial result', async () => {
    const { recovery } = make({
      strategy: 'graceful_degrade',
      shouldHandle: isBad,
      degrade: ({ error }) => (error as FailedResultError).value,
    });
    const result = await recovery.execute(async () => ({ ok: false }));
    expect(result).toMatchObject({ ok: false, degraded: { ok: false } });
  });

  it('decides about errors for each strategy alike', async () => {
    const bug = (): Promise<never> => Promise.reject(new TypeError('bug'));
    const fallback = vi.fn(() => 'second best');
    const { clock, recovery } = make({
      strategy: ['retry', 'circuit_break', 'fallback'],
      breaker: { failureThreshold: 1 },
      shouldHandle: (outcome) => !outcome.ok && (outcome.error as Error).message === 'reset',
      fallback,
    });
    for (let i = 0; i < 3; i++) {
      await expect(recovery.execute(bug)).resolves.toMatchObject({ error: { message: 'bug' } });
    }
    expect(recovery.stats().circuit).toBe('closed');
    expect(fallback).not.toHaveBeenCalled();
    // The circuit opens at the first failure that counts, and its refusal is none of those.
    const refused = await clock.runUntil(recovery.execute(failing(9)));
    expect(refused).toMatchObject({ error: { code: 'CIRCUIT_OPEN' } });
    expect(recovery.stats().circuit).toBe('open');
  });

  it('leaves the caller’s own mistakes alone by default: no retry, no count, no fallback', async () => {
    const mistake = Object.assign(new Error('bad input'), { status: 422 });
    const fallback = vi.fn(() => 'second best');
    const { recovery } = make({
      strategy: ['circuit_break', 'fallback'],
      breaker: { failureThreshold: 1 },
      fallback,
    });
    const result = await recovery.execute(() => Promise.reject(mistake));
    expect(result).toEqual({ ok: false, error: mistake });
    expect(fallback).not.toHaveBeenCalled();
    expect(recovery.stats().circuit).toBe('closed');
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('predicate');
      },
    ],
    ['returns a promise', (async () => true) as never],
    [
      'returns a promise that rejects',
      (async () => {
        throw new Error('late');
      }) as never,
    ],
  ])('that %s counts as false', async (_, shouldHandle) => {
    const { recovery } = make({ strategy: 'fallback', fallback: () => 1, shouldHandle });
    await expect(recovery.execute(async () => 'value')).resolves.toEqual({
      ok: true,
      value: 'value',
    });
    await expect(recovery.execute(failing(1))).resolves.toMatchObject({ ok: false });
  });

  it('is asked once about each value, whatever the strategies are', async () => {
    const shouldHandle = vi.fn(() => false);
    const { recovery } = make({ strategy: ['retry', 'circuit_break'], shouldHandle });
    await recovery.execute(async () => 'value');
    expect(shouldHandle).toHaveBeenCalledTimes(1);
  });

  it('is not asked about a value that comes after the call was cancelled', async () => {
    const shouldHandle = vi.fn(() => true);
    const { recovery } = make({ shouldHandle });
    const controller = new AbortController();
    const deaf = async (): Promise<string> => {
      controller.abort('enough');
      return 'late';
    };
    await expect(recovery.execute(deaf, { signal: controller.signal })).resolves.toEqual({
      ok: true,
      value: 'late',
    });
    expect(shouldHandle).not.toHaveBeenCalled();
  });
});
