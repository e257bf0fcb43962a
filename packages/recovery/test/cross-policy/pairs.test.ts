import { circuitBreaker } from '@temper/breaker';
import { DeadlineExceededError } from '@temper/core';
import { concurrency } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hedge, pipeline, timeout } from '../../src/index.ts';
import {
  build,
  everyError,
  expectNothingLeft,
  type Kind,
  PAIRS,
  SECOND_BEST,
  SENSIBLE,
  transient,
  watchedSignal,
} from './catalogue.ts';

const ORDERS: readonly (readonly Kind[])[] = [...PAIRS, ...SENSIBLE];
const has = (kinds: readonly Kind[], kind: Kind): boolean => kinds.includes(kind);

const unhandled = vi.fn();
beforeAll(() => void process.on('unhandledRejection', unhandled));
afterAll(async () => {
  await settle();
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

describe.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  it('returns the result of the operation, synchronous or not', async () => {
    const { clock, policy } = build(kinds);
    const watched = watchedSignal();
    const read = async ({ signal }: { signal: AbortSignal }) => !signal.aborted && 'answer';
    const asynchronous = policy.execute(read, { signal: watched.signal });
    await expect(clock.runUntil(asynchronous)).resolves.toBe('answer');
    await expect(clock.runUntil(policy.execute(() => 'at once'))).resolves.toBe('at once');
    await expectNothingLeft(clock, watched);
  });

  it('passes the caller’s signal and deadline to the operation', async () => {
    const { clock, policy } = build(kinds);
    const watched = watchedSignal();
    const seen: Record<string, unknown>[] = [];
    const begun = clock.monotonic();
    await clock.runUntil(
      policy.execute(
        (context) => {
          const { signal, deadline } = context;
          seen.push({ aborted: signal.aborted, deadline: (deadline ?? Infinity) <= begun + 1000 });
        },
        { signal: watched.signal, timeoutMs: 1000, operation: 'op' },
      ),
    );
    // A shared flight has many callers and continues for the others: it has no deadline of its own.
    const own =
      !has(kinds, 'singleFlight') || kinds.lastIndexOf('timeout') > kinds.indexOf('singleFlight');
    expect(seen).toEqual([{ aborted: false, deadline: own }]);
    await expectNothingLeft(clock, watched);
  });

  it.each([
    [
      'thrown at once',
      (error: Error): never => {
        throw error;
      },
    ],
    ['rejected', (error: Error) => Promise.reject(error)],
  ])('rejects with an error that is %s, or answers for it', async (_how, fail) => {
    const { clock, policy } = build(kinds);
    const watched = watchedSignal();
    const bug = new TypeError('bug');
    const outcome = await clock.runUntil(
      policy.tryExecute(() => fail(bug), { signal: watched.signal }),
    );
    if (has(kinds, 'fallback')) expect(outcome).toEqual({ ok: true, value: SECOND_BEST });
    else expect(outcome).toEqual({ ok: false, error: bug }); // unchanged: no policy owns it
    await expectNothingLeft(clock, watched);
  });

  it('recovers from two transient failures where a policy retries', async () => {
    const { clock, policy } = build(kinds);
    const watched = watchedSignal();
    let calls = 0;
    const errors = [transient('first'), transient('second')];
    const operation = async ({ signal }: { signal: AbortSignal }) => {
      await clock.sleep(1, signal);
      const error = errors[calls++];
      if (error !== undefined) throw error;
      return 'third';
    };
    const outcome = await clock.runUntil(policy.tryExecute(operation, { signal: watched.signal }));
    const retries = has(kinds, 'retry');
    const hidden = has(kinds, 'fallback') && kinds.indexOf('fallback') > kinds.indexOf('retry');
    if (has(kinds, 'fallback') && (!retries || hidden)) {
      expect(outcome).toEqual({ ok: true, value: SECOND_BEST });
    } else if (retries) {
      expect(outcome).toEqual({ ok: true, value: 'third' });
    } else {
      expect(outcome.ok).toBe(false);
      const found = everyError((outcome as { error: unknown }).error);
      expect(found).toEqual(expect.arrayContaining(errors.slice(0, calls)));
      expect(calls).toBe(has(kinds, 'hedge') ? 2 : 1);
    }
    await expectNothingLeft(clock, watched);
  });

  it('does not call the operation for a caller that has aborted already', async () => {
    const { clock, policy } = build(kinds);
    const operation = vi.fn();
    const call = policy.execute(operation, { signal: AbortSignal.abort('before') });
    await expect(call).rejects.toBe('before');
    expect(operation).not.toHaveBeenCalled();
    await expectNothingLeft(clock);
  });

  it('forwards an abort to the operation, and rejects with its unchanged reason', async () => {
    const { clock, policy } = build(kinds);
    const watched = watchedSignal();
    const reason = { own: 'reason' };
    const call = policy.execute(({ signal }) => clock.sleep(150, signal), {
      signal: watched.signal,
    });
    const outcome = expect(call).rejects.toBe(reason);
    await clock.advance(20);
    watched.abort(reason);
    await outcome;
    await expectNothingLeft(clock, watched);
  });

  it('rejects at the deadline although the operation ignores its signal', async () => {
    const { clock, policy } = build(kinds);
    const watched = watchedSignal();
    const begun = clock.monotonic();
    let aborted = false;
    const ignoring = ({ signal }: { signal: AbortSignal }): Promise<void> => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return clock.sleep(10_000);
    };
    const call = policy.execute(ignoring, { timeoutMs: 100, signal: watched.signal });
    const outcome = expect(call).rejects.toBeInstanceOf(DeadlineExceededError);
    await clock.advance(100);
    await outcome;
    expect(clock.monotonic() - begun).toBe(100);
    expect(aborted).toBe(true);
    expect(watched.listeners()).toBe(0);
    await clock.advance(20_000); // the operation ends, without any effect
    await expectNothingLeft(clock, watched);
  });

  it('times out although the operation ignores its signal, where there is a timeout', async () => {
    if (!has(kinds, 'timeout')) return expect(has(kinds, 'timeout')).toBe(false);
    const { clock, policy } = build(kinds);
    const watched = watchedSignal();
    const outcome = await clock.runUntil(
      policy.tryExecute(() => clock.sleep(10_000), { signal: watched.signal }),
    );
    if (has(kinds, 'fallback') && kinds.indexOf('fallback') < kinds.indexOf('timeout')) {
      expect(outcome).toEqual({ ok: true, value: SECOND_BEST });
    } else {
      const found = everyError((outcome as { error: unknown }).error);
      expect(found).toEqual(
        expect.arrayContaining([expect.objectContaining({ code: 'OPERATION_TIMEOUT' })]),
      );
    }
    await clock.advance(20_000);
    return expectNothingLeft(clock, watched);
  });
});

describe('an operation that was ended early', () => {
  it('is not a failure for a breaker inside a hedge that another attempt has answered', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 1 });
    const policy = pipeline({ clock }, hedge({ clock, delayMs: 10, maxAttempts: 3 }), breaker);
    let calls = 0;
    const operation = ({ signal }: { signal: AbortSignal }): Promise<void> =>
      clock.sleep(++calls === 3 ? 1 : 1000, signal);
    await clock.runUntil(policy.execute(operation));
    await settle();
    expect(calls).toBe(3);
    expect(breaker.stats()).toMatchObject({
      state: 'closed',
      calls: { success: 1, failure: 0, aborted: 2 },
    });
  });

  it('is not a failure for a breaker when the caller aborts, but is one after a timeout', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock });
    const policy = pipeline({ clock }, breaker, timeout({ clock, timeoutMs: 50 }));
    const slow = ({ signal }: { signal: AbortSignal }) => clock.sleep(1000, signal);
    const watched = watchedSignal();
    const left = policy.tryExecute(slow, { signal: watched.signal });
    await clock.advance(20);
    watched.abort('left');
    await left;
    expect(breaker.stats().calls).toMatchObject({ failure: 0, aborted: 1 });
    await clock.runUntil(policy.tryExecute(slow));
    await clock.runUntil(policy.tryExecute(slow, { timeoutMs: 20 }));
    await settle();
    expect(breaker.stats().calls).toMatchObject({ failure: 2, aborted: 1 });
  });

  it('returns its permit to the limiter, however the call ended', async () => {
    const clock = new ManualClock();
    const limiter = concurrency({ clock, limit: 2 });
    const policy = pipeline(
      { clock },
      limiter,
      timeout({ clock, timeoutMs: 50 }),
      retry({ clock, initialDelayMs: 1 }),
    );
    const slow = ({ signal }: { signal: AbortSignal }) => clock.sleep(1000, signal);
    const throws = (): never => {
      throw transient('at once');
    };
    const calls = [slow, throws, slow, throws].map((one) => policy.tryExecute(one));
    const ended = Promise.all(calls);
    expect((await clock.runUntil(ended)).every(({ ok }) => !ok)).toBe(true);
    expect(limiter.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });
});
