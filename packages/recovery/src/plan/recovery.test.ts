import { retryDetails } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { FallbackFailedError } from '../errors.ts';
import { DegradedResultError } from './errors.ts';
import type { RecoveryEvent, RecoveryPlan } from './plan.ts';
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

describe('recovery by retry', () => {
  it('returns the value of a first call that succeeds', async () => {
    const { recovery } = make();
    await expect(recovery.execute(failing(0))).resolves.toEqual({
      ok: true,
      value: 'answer of call 1',
    });
    expect(recovery.stats().executions.success).toBe(1);
  });

  it('retries at most three times, after 100, 200 and 400 ms, and ends with the last error', async () => {
    const { clock, recovery } = make();
    const before = clock.monotonic();
    await expect(clock.runUntil(recovery.execute(failing(3)))).resolves.toEqual({
      ok: true,
      value: 'answer of call 4',
      recoveredBy: 'retry',
    });
    expect(clock.monotonic() - before).toBeCloseTo(700);
    const last = reset();
    const lost = await clock.runUntil(recovery.execute(failing(4, () => last)));
    expect(lost).toEqual({ ok: false, error: last });
    expect(retryDetails(last)).toMatchObject({ attempts: 4, reason: 'attempts' });
    expect(recovery.history().at(-1)).toMatchObject({ attempts: 4 });
  });

  it('ends with an error that is not transient after one call, unchanged', async () => {
    const { recovery } = make();
    const bug = new TypeError('bug');
    await expect(recovery.execute(failing(1, () => bug))).resolves.toEqual({
      ok: false,
      error: bug,
    });
    await expect(recovery.run(failing(1, () => bug))).rejects.toBe(bug);
  });

  it('passes further options on to the retry', async () => {
    const { recovery } = make({
      retry: { shouldHandle: () => true, backoff: 'constant' },
      retryDelayMs: 0,
    });
    const result = await recovery.execute(failing(1, () => new TypeError('odd')));
    expect(result).toMatchObject({ ok: true, recoveredBy: 'retry' });
  });
});

describe('the timeout of a plan', () => {
  it('ends all calls together after five seconds, whether or not the operation reacts', async () => {
    const { clock, recovery } = make();
    let aborted = false;
    const before = clock.monotonic();
    const deaf = ({ signal }: { signal: AbortSignal }): Promise<void> => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return clock.sleep(1e9); // ignores its signal
    };
    const result = await clock.runUntil(recovery.execute(deaf));
    expect(result).toMatchObject({
      ok: false,
      error: { code: 'OPERATION_TIMEOUT', timeoutMs: 5000 },
    });
    expect(clock.monotonic() - before).toBe(5000);
    expect(aborted).toBe(true);
  });

  it('can be set for each call too', async () => {
    const { clock, recovery } = make({ attemptTimeoutMs: 50 });
    let calls = 0;
    const slowFirst = ({ signal }: { signal: AbortSignal }): Promise<void> =>
      clock.sleep(++calls === 1 ? 1000 : 10, signal);
    await expect(clock.runUntil(recovery.execute(slowFirst))).resolves.toMatchObject({
      ok: true,
      recoveredBy: 'retry',
    });
  });

  it('can follow observed latencies', async () => {
    const { clock, recovery } = make({
      attemptTimeoutMs: { quantile: 0.9, factor: 2, maxMs: 1000, minSamples: 5 },
    });
    for (let i = 0; i < 20; i++) await clock.runUntil(recovery.execute(() => clock.sleep(10)));
    const before = clock.monotonic();
    const result = await clock.runUntil(recovery.execute(() => clock.sleep(100_000)));
    expect(result.ok).toBe(false);
    // Four attempts of about 20 ms and the waits between them, instead of four times a second.
    expect(clock.monotonic() - before).toBeLessThan(900);
  });
});

describe('recovery by fallback', () => {
  it('answers for an operation that failed, with its error, attempts and arguments', async () => {
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

  it('is aborted after the timeout', async () => {
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

  it('can follow a retry', async () => {
    const { clock, recovery } = make({
      strategy: ['retry', 'fallback'],
      fallback: ({ error, attempts }) => `after ${attempts}: ${(error as Error).message}`,
    });
    await expect(clock.runUntil(recovery.execute(failing(9)))).resolves.toEqual({
      ok: true,
      value: 'after 4: reset',
      recoveredBy: 'fallback',
    });
    await expect(clock.runUntil(recovery.execute(failing(1)))).resolves.toMatchObject({
      recoveredBy: 'retry',
    });
  });
});

describe('recovery by circuit', () => {
  it('opens, rejects without a call, and closes again', async () => {
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

  it('passes further options on to the breaker', async () => {
    const { recovery } = make({ strategy: 'circuit_break', breaker: { failureThreshold: 1 } });
    await recovery.execute(failing(1));
    expect(recovery.stats().circuit).toBe('open');
  });

  it('inside a retry counts every call, and ends the retries when it opens', async () => {
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
  it('returns a partial result beside the error', async () => {
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
      message: "Operation 'op' failed, with a partial result: reset",
    });
  });

  it('distinguishes a partial result of undefined from none', async () => {
    const { recovery } = make({ strategy: 'graceful_degrade', degrade: () => undefined });
    expect(await recovery.execute(failing(1))).toHaveProperty('degraded', undefined);
  });

  it('follows a fallback that failed, with both errors', async () => {
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

describe('the caller of a recovery', () => {
  it('ends all waits with an abort, and no handler answers in place of the operation', async () => {
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

  it('can set a timeout for the whole execution, fallback included', async () => {
    const { clock, recovery } = make({
      strategy: 'fallback',
      fallback: () => clock.sleep(1e6),
    });
    const call = recovery.execute(() => Promise.reject(reset()), { timeoutMs: 300 });
    await clock.advance(300);
    expect(await call).toMatchObject({ ok: false, error: { code: 'DEADLINE_EXCEEDED' } });
    expect(recovery.history()).toMatchObject([{ outcome: 'aborted' }]);
  });

  it('gets an invalid option as a failure, and an aborted signal as its reason', async () => {
    const { recovery } = make();
    const wrong = await recovery.execute(failing(0), { timeoutMs: -1 });
    expect(wrong).toMatchObject({ ok: false, error: { name: 'RangeError' } });
    const late = await recovery.execute(failing(0), { signal: AbortSignal.abort('late') });
    expect(late).toEqual({ ok: false, error: 'late' });
    expect(recovery.history().map(({ outcome, attempts }) => [outcome, attempts])).toEqual([
      ['failure', 0],
      ['aborted', 0],
    ]);
  });

  it('gets a synchronous throw as a failure', async () => {
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
