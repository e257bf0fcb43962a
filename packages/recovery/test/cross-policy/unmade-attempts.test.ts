import { circuitBreaker } from '@temper/breaker';
import type { Policy } from '@temper/core';
import { concurrency, throttle, tokenBucket } from '@temper/ratelimit';
import { type ObservableRetryBudget, retry, retryBudget } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline } from '../../src/index.ts';

// A budget bounds the load that retries and hedges add. An attempt that a policy inside refuses, or that ends while it
// waits for its turn there, adds none: what it took comes back.

const BURST = 20;
const busy = (): Error => Object.assign(new Error('busy'), { code: 'ECONNREFUSED' });

function setUp(): { clock: ManualClock; budget: ObservableRetryBudget } {
  const clock = new ManualClock();
  return { clock, budget: retryBudget({ clock, burst: BURST, ratio: 0 }) };
}

/** Makes so many calls at once, whose operation fails, and returns how often it was called. */
async function fail(policy: Policy, clock: ManualClock, calls: number): Promise<number> {
  let made = 0;
  const all = Array.from({ length: calls }, () =>
    policy.tryExecute(
      async () => {
        made++;
        await clock.sleep(10);
        throw busy();
      },
      { timeoutMs: 60_000 },
    ),
  );
  await clock.runUntil(Promise.all(all));
  return made;
}

describe('retries that do not reach the dependency', () => {
  it('are not spent on a circuit that has opened since the failure', async () => {
    const { clock, budget } = setUp();
    const policy = pipeline({ clock }, retry({ clock, budget }), circuitBreaker({ clock }));
    expect(await fail(policy, clock, BURST)).toBe(BURST);
    expect(budget.available()).toBe(BURST);
  });

  it.each<[string, (clock: ManualClock) => Policy]>([
    ['a limit', (clock) => tokenBucket({ clock, limit: 1, windowMs: 3_600_000, burst: 1 })],
    [
      'a throttle',
      (clock) => throttle({ clock, random: () => 0, shouldHandle: () => true, multiplier: 1.1 }),
    ],
  ])('are not spent on %s', async (_, make) => {
    const { clock, budget } = setUp();
    // Attempts that were made can only be those of the first of each call, and the retries that are spent.
    const policy = pipeline(
      { clock },
      retry({ clock, budget, maxAttempts: 3, shouldHandle: ({ ok }) => !ok }),
      make(clock),
    );
    const calls = 5;
    const made = await fail(policy, clock, calls);
    expect(made).toBeLessThanOrEqual(calls);
    expect(budget.available()).toBe(BURST);
  });

  it('are not spent on attempts that time out in the queue of a limit, and leave no work behind', async () => {
    const { clock, budget } = setUp();
    const limit = concurrency({ clock, limit: 1 });
    const policy = pipeline({ clock }, retry({ clock, budget, attemptTimeoutMs: 100 }), limit);
    const held = limit.execute(() => clock.sleep(3_600_000));
    await settle();
    const all = Array.from({ length: 30 }, () => policy.tryExecute(() => 'value'));
    await clock.advance(60_000);
    await Promise.all(all);
    expect(budget.available()).toBe(BURST);
    await clock.runUntil(held);
  });
});

describe('retries that the dependency has heard of', () => {
  it.each<[string, (limit: Policy, clock: ManualClock) => Policy]>([
    ['by itself', (_, clock) => pipeline({ clock })],
    ['in a pipeline', (_, clock) => pipeline({ clock }, concurrency({ clock }))],
  ])('stay spent when a limit that the operation asks then refuses, %s', async (_, inside) => {
    const { clock, budget } = setUp();
    const limit = concurrency({ clock, limit: 1, maxQueue: 0 });
    const held = limit.execute(() => clock.sleep(3_600_000));
    const policy = pipeline({ clock }, retry({ clock, budget }), inside(limit, clock));
    let made = 0;
    for (let i = 0; i < 50; i++) {
      const call = policy.tryExecute(async () => {
        made++;
        return await limit.execute(() => 'value');
      });
      await clock.runUntil(call);
    }
    expect([made, budget.available()]).toEqual([50 + BURST, 0]);
    await clock.runUntil(held);
  });

  it('come back once with the call that succeeds, and what a refused one took does not come twice', async () => {
    const { clock, budget } = setUp();
    const limit = concurrency({ clock, limit: 1, maxQueue: 0 });
    const policy = pipeline(
      { clock },
      retry({ clock, budget, maxAttempts: 5, jitter: 'none' }),
      limit,
    );
    const errors = [busy(), Object.assign(new Error('late'), { code: 'ETIMEDOUT' })];
    const call = policy.execute(async () => {
      const error = errors.shift();
      if (error === undefined) return 'value';
      await clock.sleep(10);
      throw error;
    });
    await clock.advance(20); // the second attempt, after 110 ms, finds the permit taken
    const held = limit.execute(() => clock.sleep(150));
    await settle();
    expect(await clock.runUntil(call)).toBe('value');
    await clock.runUntil(held);
    // Only the one after the time-out is spent, which costs two.
    expect(budget.available()).toBe(BURST - 2);
  });
});

describe('hedged attempts that do not reach the dependency', () => {
  const slow = (clock: ManualClock) => () => clock.sleep(1000);

  it('are not spent when a limit refuses them', async () => {
    const { clock, budget } = setUp();
    const limit = concurrency({ clock, limit: 1, maxQueue: 0 });
    const policy = pipeline({ clock }, hedge({ clock, delayMs: 100, budget }), limit);
    for (let i = 0; i < 2 * BURST; i++) await clock.runUntil(policy.execute(slow(clock)));
    expect(budget.stats()).toMatchObject({ available: BURST, refused: 0 });
  });

  it('are not spent when another one answers while they wait for their turn', async () => {
    const { clock, budget } = setUp();
    const limit = concurrency({ clock, limit: 1 });
    const policy = pipeline({ clock }, hedge({ clock, delayMs: 100, budget }), limit);
    for (let i = 0; i < 2 * BURST; i++) {
      const call = policy.execute(slow(clock));
      await settle();
      const next = limit.execute(slow(clock)); // is before the second attempt
      await clock.runUntil(call);
      await clock.runUntil(next);
    }
    expect(budget.stats()).toMatchObject({ available: BURST, refused: 0 });
  });

  it('are not spent by default either', async () => {
    const { clock } = setUp();
    const hedged = hedge({ clock, delayMs: 100, maxExtraLoad: 1e-9 });
    const limit = concurrency({ clock, limit: 1, maxQueue: 0 });
    const refused = pipeline({ clock }, hedged, limit);
    for (let i = 0; i < 5; i++) await clock.runUntil(refused.execute(slow(clock)));
    // Ten in a burst: the sixth to the fifteenth call find them all.
    for (let i = 0; i < 10; i++) await clock.runUntil(hedged.execute(slow(clock)));
    expect(hedged.stats()).toMatchObject({ hedges: 15, refused: 0 });
  });

  it('are not spent when a listener ends the call before they begin', async () => {
    const { clock, budget } = setUp();
    const controller = new AbortController();
    const policy = hedge({ clock, delayMs: 100, budget, onHedge: () => controller.abort() });
    const call = policy.tryExecute(({ signal }) => clock.sleep(1000, signal), {
      signal: controller.signal,
    });
    await clock.runUntil(call);
    expect(budget.available()).toBe(BURST);
  });

  it('stay spent when they have begun, and lose', async () => {
    const { clock, budget } = setUp();
    const policy = hedge({ clock, delayMs: 100, budget });
    await clock.runUntil(policy.execute(slow(clock)));
    expect(budget.available()).toBe(BURST - 1);
  });
});
