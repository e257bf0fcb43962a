import { RetryExhaustedError } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { FallbackFailedError } from '../errors.ts';
import { DegradedResultError, FailedResultError } from './errors.ts';
import type { RecoveryEvent, RecoveryPlan } from './plan.ts';
import { recover } from './recovery.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function make(plan: Partial<RecoveryPlan> = {}) {
  const clock = new ManualClock();
  const environment = { clock, random: () => 0.5 }; // in the middle of ± 20 %: no jitter at all
  return { clock, recovery: recover({ operation: 'op', ...plan }, environment) };
}

/** Fails so many times, then answers. */
function failing(times: number, make: () => unknown = reset) {
  let calls = 0;
  return async (): Promise<string> => {
    if (++calls <= times) throw make();
    return `answer of call ${calls}`;
  };
}

describe('recovery by retry', () => {
  it('has nothing to do when the first call succeeds', async () => {
    const { recovery } = make();
    await expect(recovery.execute(failing(0))).resolves.toEqual({
      ok: true,
      value: 'answer of call 1',
    });
    expect(recovery.stats().executions.success).toBe(1);
  });

  it('calls again, three times at most, after 100, 200 and 400 ms', async () => {
    const { clock, recovery } = make();
    const before = clock.monotonic();
    await expect(clock.runUntil(recovery.execute(failing(3)))).resolves.toEqual({
      ok: true,
      value: 'answer of call 4',
      recoveredBy: 'retry',
    });
    expect(clock.monotonic() - before).toBeCloseTo(700);
    const lost = await clock.runUntil(recovery.execute(failing(4)));
    expect(lost).toMatchObject({ ok: false, error: { code: 'RETRY_EXHAUSTED', attempts: 4 } });
    expect(lost).not.toHaveProperty('degraded');
  });

  it('passes an error that is not transient unchanged, after one call', async () => {
    const { recovery } = make();
    const bug = new TypeError('bug');
    await expect(recovery.execute(failing(1, () => bug))).resolves.toEqual({
      ok: false,
      error: bug,
    });
    await expect(recovery.run(failing(1, () => bug))).rejects.toBe(bug);
  });

  it('takes more of a retry’s options', async () => {
    const { recovery } = make({
      retry: { isRetryable: () => true, backoff: 'constant' },
      retryDelayMs: 0,
    });
    const result = await recovery.execute(failing(1, () => new TypeError('odd')));
    expect(result).toMatchObject({ ok: true, recoveredBy: 'retry' });
  });
});

describe('the timeout of a plan', () => {
  it('is five seconds for all calls together, enforced, and aborts', async () => {
    const { clock, recovery } = make();
    let aborted = false;
    const before = clock.monotonic();
    const deaf = ({ signal }: { signal: AbortSignal }): Promise<void> => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return clock.sleep(1e9); // does not listen
    };
    const result = await clock.runUntil(recovery.execute(deaf));
    expect(result).toMatchObject({
      ok: false,
      error: { code: 'OPERATION_TIMEOUT', timeoutMs: 5000 },
    });
    expect(clock.monotonic() - before).toBe(5000);
    expect(aborted).toBe(true);
  });

  it('can be set for each call as well', async () => {
    const { clock, recovery } = make({ attemptTimeoutMs: 50 });
    let calls = 0;
    const slowFirst = ({ signal }: { signal: AbortSignal }): Promise<void> =>
      clock.sleep(++calls === 1 ? 1000 : 10, signal);
    await expect(clock.runUntil(recovery.execute(slowFirst))).resolves.toMatchObject({
      ok: true,
      recoveredBy: 'retry',
    });
  });

  it('can follow the latencies of the calls', async () => {
    const { clock, recovery } = make({
      attemptTimeoutMs: { quantile: 0.9, factor: 2, maxMs: 1000, minSamples: 5 },
    });
    for (let i = 0; i < 20; i++) await clock.runUntil(recovery.execute(() => clock.sleep(10)));
    const before = clock.monotonic();
    const result = await clock.runUntil(recovery.execute(() => clock.sleep(100_000)));
    expect(result.ok).toBe(false);
    // Four attempts of some 20 ms, and the waits between them: not four times a second.
    expect(clock.monotonic() - before).toBeLessThan(900);
  });
});

describe('recovery by fallback', () => {
  it('answers for an operation that failed, and knows of what and why', async () => {
    const events: RecoveryEvent[] = [];
    const { recovery } = make({
      strategy: 'fallback',
      fallback: (event) => {
        events.push(event);
        return 'second best';
      },
    });
    const result = await recovery.execute(failing(1), { args: ['std.text'] });
    expect(result).toEqual({ ok: true, value: 'second best', recoveredBy: 'fallback' });
    expect(events).toMatchObject([
      { operation: 'op', attempts: 1, args: ['std.text'], error: { message: 'reset' } },
    ]);
    expect(recovery.stats().executions).toMatchObject({ recovered: 1, success: 0 });
  });

  it('keeps both errors when the fallback fails too', async () => {
    const worse = new Error('worse');
    const { recovery } = make({ strategy: 'fallback', fallback: () => Promise.reject(worse) });
    const result = await recovery.execute(failing(1));
    expect(result).toMatchObject({
      ok: false,
      error: { code: 'FALLBACK_FAILED', errors: [{ message: 'reset' }, worse] },
    });
  });

  it('is held to the timeout, and aborted', async () => {
    const { clock, recovery } = make({
      strategy: 'fallback',
      timeoutMs: 100,
      fallback: ({ context }) => clock.sleep(1e6, context.signal),
    });
    const result = await clock.runUntil(recovery.execute(failing(1)));
    expect(result).toMatchObject({
      ok: false,
      error: { code: 'FALLBACK_FAILED', fallbackError: { code: 'OPERATION_TIMEOUT' } },
    });
    expect(clock.pendingRefed).toBe(0);
  });

  it('follows a retry, where the plan says so', async () => {
    const { clock, recovery } = make({
      strategy: ['retry', 'fallback'],
      fallback: ({ error, attempts }) => `after ${attempts}: ${(error as Error).name}`,
    });
    await expect(clock.runUntil(recovery.execute(failing(9)))).resolves.toEqual({
      ok: true,
      value: 'after 4: RetryExhaustedError',
      recoveredBy: 'fallback',
    });
    await expect(clock.runUntil(recovery.execute(failing(1)))).resolves.toMatchObject({
      recoveredBy: 'retry',
    });
  });
});

describe('recovery by circuit', () => {
  it('is a real breaker: it opens, rejects without a call, and closes again', async () => {
    const { clock, recovery } = make({ strategy: 'circuit_break' });
    const operation = vi.fn(failing(5));
    for (let i = 0; i < 5; i++) await recovery.execute(operation);
    expect(recovery.stats().circuit).toBe('open');
    const rejected = await recovery.execute(operation);
    expect(rejected).toMatchObject({ ok: false, error: { code: 'CIRCUIT_OPEN' } });
    expect(operation).toHaveBeenCalledTimes(5);
    await clock.advance(60_000);
    expect(recovery.stats().circuit).toBe('half-open');
    for (let i = 0; i < 2; i++) {
      expect(await recovery.execute(operation)).toMatchObject({ ok: true });
    }
    expect(recovery.stats().circuit).toBe('closed');
  });

  it('takes a breaker’s options', async () => {
    const { recovery } = make({ strategy: 'circuit_break', breaker: { failureThreshold: 1 } });
    await recovery.execute(failing(1));
    expect(recovery.stats().circuit).toBe('open');
  });

  it('inside a retry sees every call, and ends the retries when it opens', async () => {
    const { clock, recovery } = make({
      strategy: ['retry', 'circuit_break', 'fallback'],
      maxRetries: 9,
      breaker: { failureThreshold: 2 },
      fallback: ({ error, attempts }) => [attempts, (error as { code: string }).code],
    });
    await expect(clock.runUntil(recovery.execute(failing(99)))).resolves.toMatchObject({
      value: [2, 'CIRCUIT_OPEN'],
      recoveredBy: 'fallback',
    });
  });

  it('around a retry counts an operation once', async () => {
    const { clock, recovery } = make({
      strategy: ['circuit_break', 'retry'],
      breaker: { failureThreshold: 2 },
    });
    await clock.runUntil(recovery.execute(failing(9)));
    expect(recovery.stats().circuit).toBe('closed');
    await clock.runUntil(recovery.execute(failing(9)));
    expect(recovery.stats().circuit).toBe('open');
  });
});

describe('graceful degradation', () => {
  it('gives a real partial result beside the error', async () => {
    const { recovery } = make({
      strategy: 'graceful_degrade',
      degrade: ({ args }) => ({ items: [], of: args[0] }),
    });
    const result = await recovery.execute(failing(1), { args: ['main.lang'] });
    expect(result).toEqual({
      ok: false,
      error: expect.objectContaining({ message: 'reset' }),
      degraded: { items: [], of: 'main.lang' },
    });
    expect(recovery.stats().executions.degraded).toBe(1);
    const thrown = await recovery.run(failing(1)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(DegradedResultError);
    expect(thrown).toMatchObject({
      degraded: { items: [] },
      cause: { message: 'reset' },
      message: "'op' failed, and has a partial result: reset",
    });
  });

  it('tells a partial result of undefined from none', async () => {
    const { recovery } = make({ strategy: 'graceful_degrade', degrade: () => undefined });
    expect(await recovery.execute(failing(1))).toHaveProperty('degraded', undefined);
  });

  it('comes after a fallback that failed, and knows both errors', async () => {
    const { recovery } = make({
      strategy: ['fallback', 'graceful_degrade'],
      fallback: () => Promise.reject(new Error('worse')),
      degrade: ({ error }) => (error as FallbackFailedError).errors.length,
    });
    const result = await recovery.execute(failing(1));
    expect(result).toMatchObject({ ok: false, degraded: 2 });
    expect((result as { error: unknown }).error).toBeInstanceOf(FallbackFailedError);
  });

  it('keeps both errors when it fails too', async () => {
    const { recovery } = make({
      strategy: 'graceful_degrade',
      degrade: () => {
        throw new Error('nothing at all');
      },
    });
    const result = await recovery.execute(failing(1));
    expect(result).toMatchObject({
      error: { errors: [{ message: 'reset' }, { message: 'nothing at all' }] },
    });
    expect(result).not.toHaveProperty('degraded');
  });
});

describe('a result that says it failed', () => {
  it('counts as failure for the retry, and is found in the error', async () => {
    const isFailure = (value: unknown): boolean => (value as { ok: boolean }).ok === false;
    const { clock, recovery } = make({ isFailure });
    let calls = 0;
    const second = async () => ({ ok: ++calls > 1 });
    await expect(clock.runUntil(recovery.execute(second))).resolves.toEqual({
      ok: true,
      value: { ok: true },
      recoveredBy: 'retry',
    });
    const never = async () => ({ ok: false, status: 503 });
    const result = await clock.runUntil(recovery.execute(never));
    const { error } = result as { error: RetryExhaustedError };
    expect(error).toBeInstanceOf(RetryExhaustedError);
    expect(error.cause).toBeInstanceOf(FailedResultError);
    expect(error.cause).toMatchObject({
      value: { ok: false, status: 503 },
      classification: { category: 'network', transient: true },
    });
  });

  it('counts as failure for the breaker and the fallback', async () => {
    const { recovery } = make({
      strategy: ['circuit_break', 'fallback'],
      breaker: { failureThreshold: 1 },
      isFailure: (value) => value === 'bad',
      fallback: () => 'good',
    });
    await expect(recovery.execute(async () => 'bad')).resolves.toMatchObject({ value: 'good' });
    expect(recovery.stats().circuit).toBe('open');
  });
});

describe('the caller of a recovery', () => {
  it('is obeyed: an abort ends waits at once, and nothing answers in its place', async () => {
    const fallback = vi.fn();
    const { clock, recovery } = make({ strategy: ['retry', 'fallback'], fallback });
    const controller = new AbortController();
    const call = recovery.execute(failing(9), { signal: controller.signal });
    await clock.advance(50);
    controller.abort('enough');
    expect(await call).toEqual({ ok: false, error: 'enough' });
    expect(fallback).not.toHaveBeenCalled();
    expect(recovery.stats()).toMatchObject({ executions: { aborted: 1 }, inFlight: 0 });
    expect(clock.pendingRefed).toBe(0);
  });

  it('can set a deadline for everything, fallback included', async () => {
    const { clock, recovery } = make({
      strategy: 'fallback',
      fallback: () => clock.sleep(1e6),
    });
    const call = recovery.execute(() => Promise.reject(reset()), { deadlineMs: 300 });
    await clock.advance(300);
    expect(await call).toMatchObject({ ok: false, error: { code: 'DEADLINE_EXCEEDED' } });
    expect(recovery.history()).toMatchObject([{ outcome: 'aborted' }]);
  });

  it('gets a wrong option back as a failure, and an aborted signal as its reason', async () => {
    const { recovery } = make();
    const wrong = await recovery.execute(failing(0), { deadlineMs: -1 });
    expect(wrong).toMatchObject({ ok: false, error: { name: 'RangeError' } });
    const late = await recovery.execute(failing(0), { signal: AbortSignal.abort('late') });
    expect(late).toEqual({ ok: false, error: 'late' });
    expect(recovery.history().map(({ outcome, attempts }) => [outcome, attempts])).toEqual([
      ['failure', 0],
      ['aborted', 0],
    ]);
  });

  it('sees a synchronous throw as a failure', async () => {
    const { recovery } = make();
    const throws = (): never => {
      throw new TypeError('at once');
    };
    expect(await recovery.execute(throws)).toMatchObject({
      ok: false,
      error: { message: 'at once' },
    });
  });
});
