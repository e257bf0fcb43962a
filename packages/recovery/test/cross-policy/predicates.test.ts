import { circuitBreaker } from '@temper/breaker';
import type { Policy, ShouldHandle } from '@temper/core';
import { throttle } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { clientRateLimit } from '@temper/ratelimit/http';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, fallback, hedge } from '../../src/index.ts';

// A predicate is the user's code: it can end the call, dispose of the policy or call it again.

interface Options {
  readonly clock: ManualClock;
  readonly shouldHandle: ShouldHandle;
}

/** Every policy with a predicate. */
const KINDS: Readonly<Record<string, (options: Options) => Policy>> = {
  retry: (options) => retry({ ...options, initialDelayMs: 10, jitter: 'none' }),
  hedge: (options) => hedge({ ...options, delayMs: 50 }),
  fallback: (options) => fallback({ ...options, handler: () => 'second best' }),
  cached: (options) => cached({ ...options, key: () => 'one', freshMs: 0 }),
  breaker: (options) => circuitBreaker({ ...options, failureThreshold: 1 }),
  adaptiveConcurrency: (options) => adaptiveConcurrency(options),
  throttle: (options) => throttle(options),
  clientRateLimit: (options) => clientRateLimit(options),
};

/** Those that would go on after a failure. The others hand on what the operation ended with. */
const GOES_ON = ['retry', 'hedge', 'fallback', 'cached'];
/** Those that run the operation again, or answer in its place. */
const ANSWERS = ['retry', 'hedge', 'fallback'];

const own = new Error('own');
const reason = Object.freeze(new Error('enough'));

describe.each(Object.keys(KINDS))('%s', (kind) => {
  const make = (shouldHandle: ShouldHandle) => {
    const clock = new ManualClock();
    return { clock, policy: (KINDS[kind] as (typeof KINDS)[string])({ clock, shouldHandle }) };
  };

  it.each([true, false])('whose predicate aborts the call and says %s', async (answer) => {
    const controller = new AbortController();
    let asked = 0;
    const { clock, policy } = make((outcome) => {
      if (outcome.ok) return false;
      asked++;
      controller.abort(reason);
      return answer;
    });
    let made = 0;
    const operation = (): Promise<never> => {
      made++;
      return Promise.reject(own);
    };
    const outcome = await clock.runUntil(
      policy.tryExecute(operation, { signal: controller.signal }),
    );
    expect(asked).toBe(1);
    expect(made).toBe(1);
    expect(outcome.ok).toBe(false);
    expect((outcome as { error: unknown }).error).toBe(GOES_ON.includes(kind) ? reason : own);
    await clock.advance(60_000); // timers that are shared by calls
    expect(clock.pending).toBe(0);
  });

  it.each([true, false])('whose predicate disposes of it and says %s', async (answer) => {
    const { clock, policy } = make((outcome) => {
      policy[Symbol.dispose]();
      return !outcome.ok && answer;
    });
    let made = 0;
    const operation = async (): Promise<string> => {
      if (++made === 1) throw own;
      return 'second try';
    };
    const outcome = await clock.runUntil(policy.tryExecute(operation));
    if (!answer || !ANSWERS.includes(kind)) expect(outcome).toEqual({ ok: false, error: own });
    else expect(outcome.ok).toBe(true);
    await clock.advance(60_000); // timers that are shared by calls
    expect(clock.pending).toBe(0);
  });

  it.each([true, false])('whose predicate calls it again and says %s', async (answer) => {
    const inner: Promise<unknown>[] = [];
    const { clock, policy } = make((outcome) => {
      if (inner.length < 2) inner.push(policy.tryExecute(() => Promise.reject(own)));
      return !outcome.ok && answer;
    });
    const outcome = await clock.runUntil(policy.tryExecute(() => Promise.reject(own)));
    await clock.runUntil(Promise.all(inner));
    expect(inner).toHaveLength(2);
    if (!outcome.ok) expect((outcome.error as Error).message).toMatch(/own/);
    await settle();
    await clock.advance(60_000); // timers that are shared by calls
    expect(clock.pending).toBe(0);
  });
});

describe.each(Object.keys(KINDS))('%s, whose caller aborts while the operation runs', (kind) => {
  it('keeps the reason and the error of the operation as they are', async () => {
    const clock = new ManualClock();
    const policy = (KINDS[kind] as (typeof KINDS)[string])({ clock, shouldHandle: () => true });
    const given = new Error('enough');
    const failed = new Error('own', { cause: 'disk' });
    const controller = new AbortController();
    const call = policy.tryExecute(
      async () => {
        await clock.sleep(10);
        controller.abort(given);
        throw failed;
      },
      { signal: controller.signal },
    );
    const outcome = (await clock.runUntil(call)) as { ok: boolean; error: unknown };
    expect(outcome.ok).toBe(false);
    expect([given, failed]).toContain(outcome.error);
    expect(Object.getOwnPropertyNames(given).sort()).toEqual(['message', 'stack']);
    expect(failed.cause).toBe('disk');
  });
});

describe('retry, whose caller aborts while the operation runs', () => {
  it('tells onGiveUp what the operation failed with', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const told: unknown[] = [];
    const policy = retry({
      clock,
      onGiveUp: ({ outcome, error }) => told.push([outcome, error]),
    });
    const call = policy.execute(
      () => {
        controller.abort(reason);
        return Promise.reject(own);
      },
      { signal: controller.signal },
    );
    await expect(call).rejects.toBe(reason);
    expect(told).toEqual([[{ ok: false, error: own }, reason]]);
  });
});
