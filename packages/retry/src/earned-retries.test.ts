import { ManualClock } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EarnedRetries, type EarnedRetriesOptions } from './earned-retries.ts';

function make(options: Partial<EarnedRetriesOptions> = {}) {
  const clock = new ManualClock();
  const earned = new EarnedRetries({ ratio: 0.2, burst: 10, windowMs: 10_000, clock, ...options });
  const succeed = (count: number): void => {
    for (let i = 0; i < count; i++) earned.deposit(0);
  };
  const takeAll = (): number => {
    let taken = 0;
    while (earned.withdraw(1)) taken++;
    return taken;
  };
  return { clock, earned, succeed, takeAll };
}

describe('earned retries', () => {
  it('are the burst at first, and no more come with time', async () => {
    const { clock, takeAll } = make();
    expect(takeAll()).toBe(10);
    await clock.advance(3_600_000);
    expect(takeAll()).toBe(0);
  });

  it('do not grow when the clock is set back', () => {
    let now = 1_000_000;
    const clock = Object.assign(new ManualClock(), { monotonic: () => now });
    const { earned } = make({ clock, burst: 10 });
    for (let i = 0; i < 500; i++) earned.deposit(0);
    const before = earned.available();
    now = 0;
    expect(earned.available()).toBe(before);
  });

  it('are a share of the successes', () => {
    const { succeed, takeAll } = make();
    takeAll();
    succeed(4);
    expect(takeAll()).toBe(0);
    succeed(1);
    expect(takeAll()).toBe(1);
  });

  it('are never less for a share that binary fractions cannot hold', () => {
    const { succeed, takeAll } = make({ burst: 0, ratio: 0.1 });
    for (let i = 0; i < 10; i++) {
      succeed(1);
      if (i < 9) expect(takeAll()).toBe(0);
    }
    expect(takeAll()).toBe(1);
  });

  it('cost two after a time-out, and are not made with one that is left', () => {
    const { earned } = make({ burst: 3 });
    expect(earned.withdraw(2)).toBe(true);
    expect(earned.withdraw(2)).toBe(false);
    expect(earned.withdraw(1)).toBe(true);
  });

  it('come back with a call that succeeds', () => {
    const { earned, takeAll } = make({ ratio: 0, burst: 3 });
    takeAll();
    earned.deposit(2);
    expect(takeAll()).toBe(2);
  });

  it('are kept beyond the burst for a window, so that many calls survive a short fault', async () => {
    const { clock, succeed, takeAll, earned } = make();
    succeed(1000);
    await clock.advance(10_000);
    // Earned at an even pace, and less the longer ago it was: 200 * (1 - 1 / e) of 200.
    expect(earned.available()).toBe(136);
    await clock.advance(5000);
    expect(earned.available()).toBe(86);
    await clock.advance(5000);
    expect(earned.available()).toBe(56);
    await clock.advance(60_000);
    expect(takeAll()).toBe(10);
  });

  it('fill the burst however long that takes, and only with what was earned', async () => {
    const { clock, succeed, takeAll } = make();
    takeAll();
    succeed(20);
    await clock.advance(600_000);
    expect(takeAll()).toBe(4);
    succeed(1000);
    await clock.advance(600_000);
    // The last ones have earned less than the burst, which all of them together have filled.
    expect(takeAll()).toBe(10);
  });

  it('are at most what there was, what was earned and what came back, and are granted while they last', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('succeed' as const), of: fc.nat(2) }) },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('take' as const), of: fc.constantFrom(1, 2) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), of: fc.nat(3000) }),
      },
    );
    const reach = new Reach('granted', 'refused', 'expired');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 0.1, 0.2, 1),
        fc.constantFrom(0, 1, 5),
        fc.array(step, { maxLength: 120 }),
        async (ratio, burst, steps) => {
          const { clock, earned } = make({ ratio, burst, windowMs: 1000 });
          // Without the window: never less than it has.
          let most = burst as number;
          // Without what was earned beyond the burst: never more than it has.
          let least = burst as number;
          for (const { kind, of } of steps) {
            if (kind === 'succeed') {
              earned.deposit(of);
              most += ratio + of;
              least = Math.min(burst, least + ratio);
            } else if (kind === 'take') {
              const granted = earned.withdraw(of);
              if (least >= of) expect(granted).toBe(true);
              if (most + 1e-6 < of) expect(granted).toBe(false);
              if (granted) {
                most -= of;
                least = Math.max(0, least - of);
              }
              reach.count(granted ? 'granted' : 'refused');
              reach.count('expired', !granted && most >= of);
            } else {
              await clock.advance(of);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
    reach.expectAll(10);
  });
});
