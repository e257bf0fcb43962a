import { retryDetails } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { allowDiagnostics, expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { beforeEach, describe, expect, it } from 'vitest';
import { type RetryBudgetOptions, retryBudget } from './budget.ts';
import { type RetryPolicy, retry } from './retry.ts';

const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });

describe('a retry budget', () => {
  it('allows fifty retries, and 20 % of the calls that succeed, by default', () => {
    const budget = retryBudget({ clock: new ManualClock() });
    expect(budget.available()).toBe(50);
    for (let i = 0; i < 1000; i++) budget.deposit(0);
    expect(budget.available()).toBe(250);
    let taken = 0;
    while (budget.withdraw(1)) taken++;
    expect(taken).toBe(250);
    expect(budget.stats()).toEqual({ successes: 1000, retries: 250, available: 0, refused: 1 });
  });

  it('does not become endless by what others hand in', () => {
    const budget = retryBudget({ burst: 2, ratio: 0, clock: new ManualClock() });
    const { deposit, withdraw } = {
      deposit: (n?: unknown) => budget.deposit(n as number),
      withdraw: (n?: unknown) => budget.withdraw(n as number),
    };
    for (const nonsense of [undefined, Number.NaN, -5, 'many', null]) {
      deposit(nonsense);
      expect(budget.available()).toBe(2);
    }
    expect([withdraw(), withdraw(Number.NaN), withdraw(undefined), withdraw()]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(budget.available()).toBe(0);
  });

  it('forgets what was earned beyond the burst when the window has passed, without a timer', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ burst: 1, windowMs: 1000, ratio: 1, clock });
    for (let i = 0; i < 3; i++) budget.deposit(0);
    expect(budget.available()).toBe(4);
    await clock.advance(1000);
    expect(budget.available()).toBe(2);
    await clock.advance(9000);
    expect(budget.available()).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('counts by time that only goes forward', () => {
    const clock = new ManualClock();
    const budget = retryBudget({ burst: 0, ratio: 1, windowMs: 1000, clock });
    budget.deposit(0);
    clock.adjustWallClock(-86_400_000);
    expect(budget.available()).toBe(1);
    clock.adjustWallClock(2 * 86_400_000);
    expect(budget.available()).toBe(1);
  });

  it.each<[unknown, RegExp]>([
    [{ ratio: -0.1 }, /RangeError: retryBudget: ratio must be a number from 0 to 1000, got -0\.1/],
    [{ ratio: Number.NaN }, /got NaN/],
    [{ burst: -1 }, /RangeError: retryBudget: burst must be a finite number >= 0/],
    [{ burst: Number.POSITIVE_INFINITY }, /got Infinity/],
    [{ windowMs: 9 }, /RangeError: retryBudget: windowMs must be a finite number >= 10, got 9/],
    [{ name: '' }, /TypeError: retryBudget: name must be a non-empty string/],
    [{ clock: {} }, /TypeError: retryBudget: clock\.now must be a function/],
    [{ ratios: 1 }, /TypeError: retryBudget: unknown option 'ratios'; known are name, ratio/],
    [null, /TypeError: retryBudget: options must be an object, got null/],
  ])('refuses %o, naming option, range and value', (options, message) => {
    const make = (): string => {
      try {
        retryBudget(options as RetryBudgetOptions);
        return 'accepted';
      } catch (error) {
        return String(error);
      }
    };
    expect(make()).toMatch(message);
  });

  it('shows its level on a gauge until it is disposed of', async () => {
    const telemetry = new InMemoryTelemetry();
    const budget = retryBudget({ name: 'gauged', burst: 10, clock: new ManualClock() });
    const where = { 'temper.policy.name': 'gauged' };
    expect(await telemetry.value('temper.retry.budget.available', where)).toBe(10);
    budget.withdraw(1);
    expect(await telemetry.value('temper.retry.budget.available', where)).toBe(9);
    budget[Symbol.dispose]();
    // Not 0, which would say that retries are being refused.
    expect(await telemetry.value('temper.retry.budget.available', where)).toBeNaN();
    await telemetry.close();
  });
});

const reasonOf = (error: unknown): string | undefined => retryDetails(error)?.reason;

describe('a budget that several policies share', () => {
  beforeEach(() => allowDiagnostics(/makes no further attempt of a call, as its budget is spent/));

  it('bounds their retries together, so that an outage is not multiplied', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ burst: 4, ratio: 0, clock });
    const policies = ['one', 'two'].map((name) => retry({ name, budget, clock }));
    let calls = 0;
    const outcomes = await clock.runUntil(
      Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          (policies[i % 2] as RetryPolicy).tryExecute(() => {
            calls++;
            return Promise.reject(transient());
          }),
        ),
      ),
    );
    expect(calls).toBe(54);
    const refused = outcomes.filter((one) => !one.ok && reasonOf(one.error) === 'budget');
    // The four that were let through fail once more, and are refused then.
    expect(refused).toHaveLength(50);
    expect(budget.stats()).toMatchObject({ successes: 0, retries: 4, refused: 50 });
  });

  it('is named in the details and in the wrapped error of the call that it refused', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ burst: 0, clock });
    const policy = retry({ name: 'registry', budget, clock, wrapExhausted: true });
    const outcome = await policy.tryExecute(() => Promise.reject(transient()));
    expect(outcome).toMatchObject({ ok: false, error: { reason: 'budget', attempts: 1 } });
    expect(String((outcome as { error: unknown }).error)).toBe(
      "RetryExhaustedError: Retry policy 'registry' failed after 1 attempt (the retry budget is spent): no route",
    );
  });

  it('is not charged for a retry that another limit forbids', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ clock });
    const policy = retry({ budget, clock, maxAttempts: 1 });
    await policy.tryExecute(() => Promise.reject(transient()));
    expect(budget.stats()).toMatchObject({ retries: 0, refused: 0 });
  });

  it("of anybody's making harms no call when it throws", async () => {
    expectDiagnostics(/budget\.(deposit|withdraw) threw an error/);
    const clock = new ManualClock();
    const broken = {
      deposit() {
        throw new Error('broken');
      },
      withdraw(): boolean {
        throw new Error('broken');
      },
    };
    const policy = retry({ budget: broken, clock });
    expect(await policy.execute(() => 'done')).toBe('done');
    const outcome = await policy.tryExecute(() => Promise.reject(transient()));
    expect(reasonOf((outcome as { error: unknown }).error)).toBe('budget');
  });
});

describe('a retry without a budget of its own', () => {
  beforeEach(() => allowDiagnostics(/makes no further attempt of a call, as its budget is spent/));

  const calls = async (
    policy: RetryPolicy,
    clock: ManualClock,
    count: number,
    error: () => Error,
  ) => {
    let attempts = 0;
    await clock.runUntil(
      Promise.all(
        Array.from({ length: count }, () =>
          policy.tryExecute(() => {
            attempts++;
            return Promise.reject(error());
          }),
        ),
      ),
    );
    return attempts;
  };
  const timedOut = (): Error => Object.assign(new Error('late'), { code: 'ETIMEDOUT' });

  it.each([
    ['a refused connection', 2, transient, 25],
    ['a refused connection', 3, transient, 50],
    ['a refused connection', 5, transient, 100],
    ['a time-out', 3, timedOut, 25],
  ])(
    'after %s in %i attempts at most, makes no more than so many retries: %s, %i',
    async (_, maxAttempts, error, retries) => {
      const clock = new ManualClock();
      const policy = retry({ clock, maxAttempts });
      expect(await calls(policy, clock, 1, error)).toBe(maxAttempts);
      expect(await calls(policy, clock, 200, error)).toBe(200 + retries - (maxAttempts - 1));
      await clock.advance(3_600_000);
      expect(await calls(policy, clock, 10, error)).toBe(10);
      const outcome = await policy.tryExecute(() => Promise.reject(error()));
      expect(reasonOf((outcome as { error: unknown }).error)).toBe('budget');
    },
  );

  it('earns a fifth of a retry with each call that succeeds', async () => {
    const clock = new ManualClock();
    const policy = retry({ clock });
    await calls(policy, clock, 100, transient);
    for (let i = 0; i < 10; i++) await policy.execute(() => 'done');
    expect(await calls(policy, clock, 10, transient)).toBe(10 + 2);
  });

  it('never runs out of retries that rescue their calls, unless they follow time-outs', async () => {
    const rescued = async (error: () => Error): Promise<number> => {
      const clock = new ManualClock();
      const policy = retry({ clock });
      for (let i = 0; i < 500; i++) {
        let attempts = 0;
        await clock.runUntil(
          policy.tryExecute(() => (++attempts < 2 ? Promise.reject(error()) : 'done')),
        );
      }
      return policy.stats().operations.recovered;
    };
    expect(await rescued(transient)).toBe(500);
    // 25 of the first, and one of each nine then.
    expect(await rescued(timedOut)).toBeLessThan(90);
  });

  it('is not bounded with `maxExtraLoad: Infinity`, nor with endless attempts', async () => {
    const clock = new ManualClock();
    const unbounded = retry({ clock, maxExtraLoad: Number.POSITIVE_INFINITY });
    expect(await calls(unbounded, clock, 100, transient)).toBe(300);
    const endless = retry({ clock, maxAttempts: Number.POSITIVE_INFINITY, maxDelayMs: 100 });
    let attempts = 0;
    const connect = endless.execute(() => (++attempts < 500 ? Promise.reject(transient()) : 'up'));
    expect(await clock.runUntil(connect)).toBe('up');
  });

  it('leaves its bound to a budget that it is given', async () => {
    const clock = new ManualClock();
    const policy = retry({ clock, budget: retryBudget({ clock, burst: 120 }) });
    expect(await calls(policy, clock, 100, transient)).toBe(220);
  });
});
