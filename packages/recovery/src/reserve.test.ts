import { circuitBreaker } from '@temper/breaker';
import type { CallContext, CallOptions } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { cached } from './cached/cached.ts';
import { Runs } from './cached/runs.ts';
import { fallback } from './fallback/fallback.ts';
import { pipeline } from './pipeline/pipeline.ts';
import { timeout } from './timeout/timeout.ts';

/** An operation that takes ten seconds, and heeds its signal. */
const slow = (clock: ManualClock) => vi.fn(({ signal }) => clock.sleep(10_000, signal));

/** Both policies with an answer for each call. */
const KINDS = {
  fallback: async (clock: ManualClock) =>
    fallback({ clock, handler: () => 'other', reserveMs: 20 }),
  cached: async (clock: ManualClock) => {
    const policy = cached({ clock, key: () => 'k', reserveMs: 20 });
    await policy.execute(() => 'other');
    return policy;
  },
  singleFlight: async (clock: ManualClock) => {
    const policy = cached({ clock, key: () => 'k', reserveMs: 20, singleFlight: true });
    await policy.execute(() => 'other');
    return policy;
  },
};

describe.each(Object.entries(KINDS))('%s with a reserve', (_, build) => {
  it('answers before the deadline, and ends the operation', async () => {
    const clock = new ManualClock();
    const policy = await build(clock);
    const seen: CallContext[] = [];
    const operation = (call: CallContext) => {
      seen.push(call);
      return clock.sleep(10_000, call.signal);
    };
    const begun = clock.monotonic();
    await expect(clock.runUntil(policy.execute(operation, { timeoutMs: 100 }))).resolves.toBe(
      'other',
    );
    expect(clock.monotonic() - begun).toBe(80);
    await settle();
    expect(seen[0]?.signal.aborted).toBe(true);
    expect(clock.pendingRefed).toBe(0);
  });

  it('answers although the operation ignores its signal', async () => {
    const clock = new ManualClock();
    const policy = await build(clock);
    const call = policy.execute(() => clock.sleep(10_000), { timeoutMs: 100 });
    await clock.advance(80);
    await expect(call).resolves.toBe('other');
    await clock.advance(20_000);
    expect(clock.pendingRefed).toBe(0);
  });

  it('answers before a timeout around it', async () => {
    const clock = new ManualClock();
    const inner = await build(clock);
    const policy = pipeline({ clock }, timeout({ clock, timeoutMs: 100 }), inner);
    await expect(clock.runUntil(policy.execute(slow(clock)))).resolves.toBe('other');
  });

  it('answers at once, without a call of the operation, when no more time is left', async () => {
    for (const timeoutMs of [1, 19, 20]) {
      const clock = new ManualClock();
      const policy = await build(clock);
      const operation = slow(clock);
      await expect(policy.execute(operation, { timeoutMs })).resolves.toBe('other');
      expect(operation).not.toHaveBeenCalled();
      expect(clock.pendingRefed).toBe(0);
    }
  });

  it('returns the result of an operation that ends in time', async () => {
    for (const options of [{ timeoutMs: 100 }, { timeoutMs: 1e300 }, {}] as CallOptions[]) {
      const clock = new ManualClock();
      const policy = await build(clock);
      const own = policy.execute(() => clock.sleep(79).then(() => 'own'), options);
      await expect(clock.runUntil(own)).resolves.toBe('own');
      await settle();
      expect(clock.pendingRefed).toBe(0);
    }
  });

  it('answers for no caller that has left', async () => {
    const clock = new ManualClock();
    const policy = await build(clock);
    const controller = new AbortController();
    const { signal } = controller;
    const call = policy.execute(slow(clock), { timeoutMs: 100, signal });
    const outcome = expect(call).rejects.toBe('left');
    await clock.advance(50);
    controller.abort('left');
    await outcome;
    expect(clock.pendingRefed).toBe(0);
  });

  it('counts as a failure of the dependency for a breaker inside', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock });
    const policy = pipeline({ clock }, await build(clock), breaker);
    await clock.runUntil(policy.execute(slow(clock), { timeoutMs: 100 }));
    await settle();
    expect(breaker.stats().calls).toMatchObject({ failure: 1, ignored: 0 });
  });
});

describe('the reserve of a cache', () => {
  it('takes no time from an operation without an old answer', async () => {
    const clock = new ManualClock();
    const policy = cached({ clock, key: () => 'k', reserveMs: 50, maxAgeMs: 1000 });
    const took: number[] = [];
    const run = async (): Promise<void> => {
      const begun = clock.monotonic();
      const left: number[] = [];
      const operation = async ({ deadline }: CallContext): Promise<void> => {
        left.push((deadline as number) - begun);
        await clock.sleep(99);
      };
      await clock.runUntil(policy.execute(operation, { timeoutMs: 100 }));
      took.push(...left, clock.monotonic() - begun);
    };
    await run();
    await clock.advance(5000); // the answer is too old
    await run();
    await run();
    expect(took).toEqual([100, 99, 100, 99, 50, 50]);
  });

  it('keeps nothing of a call that it answers at once', async () => {
    const begun = vi.spyOn(Runs.prototype, 'of');
    const started = vi.spyOn(Runs.prototype, 'start');
    const clock = new ManualClock();
    const policy = cached({ clock, key: () => 'k', reserveMs: 50 });
    await policy.execute(() => 'old');
    await policy.execute(() => 'new', { timeoutMs: 10 });
    expect([begun.mock.calls.length, started.mock.calls.length]).toEqual([1, 1]);
    vi.restoreAllMocks();
  });

  it('leaves the run to the other callers of a shared one', async () => {
    const clock = new ManualClock();
    const policy = cached({ clock, key: () => 'k', reserveMs: 20, singleFlight: true });
    await policy.execute(() => 'old');
    const operation = () => clock.sleep(200).then(() => 'new');
    const patient = policy.execute(operation);
    const hurried = policy.execute(operation, { timeoutMs: 100 });
    await clock.advance(80);
    await expect(hurried).resolves.toBe('old');
    await clock.advance(200);
    await expect(patient).resolves.toBe('new');
  });
});

describe('the reserve of a fallback', () => {
  it('is the time of its handler, which the deadline still ends', async () => {
    const clock = new ManualClock();
    const policy = fallback({ clock, handler: () => clock.sleep(50), reserveMs: 20 });
    const call = policy.execute(slow(clock), { timeoutMs: 100 });
    const outcome = expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await clock.advance(100);
    await outcome;
    await clock.advance(100);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('cannot be %d', (reserveMs) => {
    expect(() => fallback({ handler: () => 1, reserveMs })).toThrow('reserveMs must be');
    expect(() => cached({ reserveMs })).toThrow('reserveMs must be');
  });
});
