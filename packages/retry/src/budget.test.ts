import { retryDetails } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RetryBudgetOptions, retryBudget } from './budget.ts';
import { type RetryPolicy, retry } from './retry.ts';

const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });

describe('a retry budget', () => {
  it('allows 20 % of the calls, and ten per second beyond that, by default', () => {
    const budget = retryBudget({ clock: new ManualClock() });
    expect(budget.available()).toBe(100); // ten per second, over the window of 10 s
    for (let i = 0; i < 1000; i++) budget.deposit();
    expect(budget.available()).toBe(300);
    let taken = 0;
    while (budget.withdraw()) taken++;
    expect(taken).toBe(300);
    expect(budget.stats()).toEqual({ calls: 1000, retries: 300, available: 0, refused: 1 });
  });

  it('gives what five calls have earned, in spite of binary fractions', () => {
    const budget = retryBudget({ minPerSecond: 0, clock: new ManualClock() });
    for (let i = 0; i < 4; i++) budget.deposit();
    expect(budget.withdraw()).toBe(false);
    budget.deposit();
    expect(budget.withdraw()).toBe(true);
    expect(budget.withdraw()).toBe(false);
  });

  it('forgets what was earned and taken when the window has passed, without a timer', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ minPerSecond: 1, windowMs: 1000, ratio: 1, clock });
    for (let i = 0; i < 3; i++) budget.deposit();
    while (budget.withdraw());
    expect(budget.available()).toBe(0);
    await clock.advance(1000);
    expect(budget.available()).toBe(1);
    expect(clock.pending).toBe(0);
    await clock.advance(1e9);
    expect(budget.available()).toBe(1);
  });

  it('counts by time that only goes forward', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ minPerSecond: 1, windowMs: 1000, clock });
    budget.withdraw();
    clock.adjustWallClock(86_400_000);
    expect(budget.withdraw()).toBe(false);
  });

  it('does what a plain list of events would say', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ kind: 'deposit' as const }) },
      { weight: 4, arbitrary: fc.constant({ kind: 'withdraw' as const }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('wait' as const),
          ms: fc.integer({ min: 0, max: 1500 }),
        }),
      },
    );
    const reach = new Reach('granted', 'refused', 'forgotten');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 0.2, 0.5, 1, 3),
        fc.constantFrom(0, 1, 5),
        fc.array(step, { maxLength: 120 }),
        async (ratio, minPerSecond, steps) => {
          const clock = new ManualClock();
          const budget = retryBudget({ ratio, minPerSecond, windowMs: 1000, clock });
          const slice = (): number => Math.floor(clock.monotonic() / 100);
          const events: { slice: number; worth: number }[] = [];
          const balance = (): number =>
            events
              .filter((event) => event.slice > slice() - 10)
              .reduce((sum, event) => sum + event.worth, minPerSecond as number) + 1e-9;
          for (const step of steps) {
            if (step.kind === 'deposit') {
              budget.deposit();
              events.push({ slice: slice(), worth: ratio });
            } else if (step.kind === 'withdraw') {
              const expected = balance() >= 1;
              expect(budget.withdraw()).toBe(expected);
              reach.count(expected ? 'granted' : 'refused');
              if (expected) events.push({ slice: slice(), worth: -1 });
            } else {
              const before = balance();
              await clock.advance(step.ms);
              reach.count('forgotten', balance() !== before);
            }
            expect(budget.available()).toBe(Math.max(0, Math.floor(balance())));
          }
        },
      ),
      { numRuns: 60 },
    );
    reach.expectAll(20);
  });

  it.each<[unknown, RegExp]>([
    [{ ratio: -0.1 }, /RangeError: retryBudget: ratio must be a number from 0 to 1000, got -0\.1/],
    [{ ratio: Number.NaN }, /got NaN/],
    [{ minPerSecond: -1 }, /RangeError: retryBudget: minPerSecond must be a finite number >= 0/],
    [{ minPerSecond: Number.POSITIVE_INFINITY }, /got Infinity/],
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
    const budget = retryBudget({ name: 'gauged', minPerSecond: 1, clock: new ManualClock() });
    const where = { 'temper.policy.name': 'gauged' };
    expect(await telemetry.value('temper.retry.budget.available', where)).toBe(10);
    budget.withdraw();
    expect(await telemetry.value('temper.retry.budget.available', where)).toBe(9);
    budget[Symbol.dispose]();
    // Not 0, which would say that retries are being refused.
    expect(await telemetry.value('temper.retry.budget.available', where)).toBeNaN();
    await telemetry.close();
  });
});

const reasonOf = (error: unknown): string | undefined => retryDetails(error)?.reason;

describe('a budget that several policies share', () => {
  it('bounds their retries together, so that an outage is not multiplied', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ minPerSecond: 1, ratio: 0, windowMs: 4000, clock }); // 4 retries
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
    expect(budget.stats()).toMatchObject({ calls: 50, retries: 4, refused: 50 });
  });

  it('is named in the details and in the wrapped error of the call that it refused', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ minPerSecond: 0, clock });
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
    expect(budget.stats()).toMatchObject({ calls: 1, retries: 0 });
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
