import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { retryBudget } from './budget.ts';
import type { RetryBudget, RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

// A budget bounds what a dependency is sent. A retry that was granted and of which the dependency hears nothing
// must not be spent: the calls after it would have no retries for want of those that nobody made.

const BURST = 4;
const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
const timeout = (): Error => Object.assign(new Error('late'), { code: 'ETIMEDOUT' });

/** Fails with these one after another, and then succeeds. */
function inTurn(...errors: readonly Error[]): () => Promise<string> {
  let next = 0;
  return async () => {
    const error = errors[next++];
    if (error !== undefined) throw error;
    return 'value';
  };
}

/** One call of which a retry is granted and not made, or not made by the dependency. */
const ENDS: Readonly<
  Record<string, (policy: RetryPolicy, clock: ManualClock, first: Error) => Promise<unknown>>
> = {
  'its caller leaves during the wait': async (policy, _, first) => {
    const controller = new AbortController();
    const call = policy.tryExecute(inTurn(first), { signal: controller.signal });
    await settle();
    controller.abort();
    await call;
  },
  'a listener ends the call when the wait begins': async (policy, _, first) => {
    const controller = new AbortController();
    using _listener = policy.onRetry(() => controller.abort());
    await policy.tryExecute(inTurn(first), { signal: controller.signal });
  },
  'the event loop was blocked until the deadline': async (policy, clock, first) => {
    const call = policy.tryExecute(inTurn(first), { timeoutMs: 1000 });
    await settle();
    clock.jump(2000);
    await clock.runUntil(call);
  },
};

describe.each(Object.entries(ENDS))('a retry that is granted is not spent when %s', (_, end) => {
  const make = (budget?: RetryBudget): { clock: ManualClock; policy: RetryPolicy } => {
    const clock = new ManualClock();
    const own: RetryOptions = budget === undefined ? { maxExtraLoad: 0 } : { budget };
    return { clock, policy: retry({ jitter: 'none', clock, maxAttempts: 2, ...own }) };
  };

  it.each([
    ['a failure', transient],
    ['a time-out', timeout],
  ])('after %s, with a budget of its own', async (__, first) => {
    const { clock, policy } = make();
    for (let i = 0; i < 100; i++) await end(policy, clock, first());
    expect(await clock.runUntil(policy.execute(inTurn(transient())))).toBe('value');
  });

  it.each([
    ['a failure', transient],
    ['a time-out', timeout],
  ])('after %s, with a shared budget', async (__, first) => {
    const budget = retryBudget({ burst: BURST, ratio: 0, clock: new ManualClock() });
    const { clock, policy } = make(budget);
    for (let i = 0; i < 10; i++) await end(policy, clock, first());
    expect(budget.stats()).toMatchObject({ available: BURST, retries: 0, refused: 0 });
  });

  it('with a budget that cannot take it back', async () => {
    const budget = { deposit: () => {}, withdraw: () => true };
    const { clock, policy } = make(budget);
    await end(policy, clock, transient());
    expect(await clock.runUntil(policy.execute(inTurn(transient())))).toBe('value');
  });
});

describe('a retry of which the dependency has heard', () => {
  it('stays spent when it fails, or its caller leaves during it', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ burst: BURST, ratio: 0, clock });
    const policy = retry({ jitter: 'none', clock, maxAttempts: 2, budget });
    await clock.runUntil(policy.tryExecute(inTurn(transient(), transient())));
    expect(budget.available()).toBe(BURST - 1);
    const controller = new AbortController();
    let attempts = 0;
    const call = policy.tryExecute(
      async ({ signal }) => {
        if (++attempts === 1) throw transient();
        await clock.sleep(1000, signal);
      },
      { signal: controller.signal },
    );
    await clock.advance(200);
    controller.abort();
    await call;
    expect([attempts, budget.available()]).toEqual([2, BURST - 2]);
  });
});

describe('what is given back to a budget', () => {
  it('is at most what was taken from it', () => {
    const budget = retryBudget({ burst: BURST, ratio: 0, clock: new ManualClock() });
    budget.refund(100);
    budget.deposit(Number.POSITIVE_INFINITY);
    expect(budget.available()).toBe(BURST);
    expect([budget.withdraw(2), budget.withdraw(1)]).toEqual([true, true]);
    for (const nonsense of [Number.NaN, -5]) budget.refund(nonsense);
    budget.refund(Number.POSITIVE_INFINITY);
    budget.deposit(Number.POSITIVE_INFINITY);
    expect(budget.available()).toBe(BURST);
  });
});
