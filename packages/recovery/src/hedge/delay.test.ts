import { describe, expect, it } from 'vitest';
import { make, scripted } from '../../test/hedged.ts';
import { hedge } from './hedge.ts';

describe('the delay of a hedge', () => {
  it('can be computed for each attempt', async () => {
    const asked: number[] = [];
    const delayMs = ({ attempt }: { attempt: number }): number => {
      asked.push(attempt);
      return attempt * 10;
    };
    const { clock, policy } = make({ delayMs, maxAttempts: 3 });
    const starts: number[] = [];
    const before = clock.monotonic();
    await clock.runUntil(
      policy.execute(async ({ signal }) => {
        starts.push(clock.monotonic() - before);
        await clock.sleep(starts.length === 3 ? 5 : 1000, signal);
      }),
    );
    expect(asked).toEqual([2, 3]);
    expect(starts).toEqual([0, 20, 50]);
    expect(policy.stats().delayMs).toBeUndefined();
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['is not a number', () => Number.NaN],
    ['is negative', () => -1],
  ])('starts no other attempt when the computed delay %s', async (_, delayMs) => {
    const { clock, policy } = make({ delayMs });
    const { operation, signals } = scripted(clock, { ms: 5000, value: 'alone' });
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('alone');
    expect(signals).toHaveLength(1);
  });

  it('is a quantile of the recent latencies, within its bounds', async () => {
    const { clock, policy } = make({ delayMs: { quantile: 0.9, maxMs: 2000, minSamples: 10 } });
    expect(policy.stats().delayMs).toBe(2000);
    for (let i = 0; i < 90; i++) await clock.runUntil(policy.execute(() => clock.sleep(20)));
    for (let i = 0; i < 10; i++) await clock.runUntil(policy.execute(() => clock.sleep(400)));
    const delayMs = policy.stats().delayMs as number;
    expect(delayMs).toBeGreaterThanOrEqual(20);
    expect(delayMs).toBeLessThanOrEqual(22);
    // The slow calls are now hedged, and still count as slow: the delay does not fall.
    for (let i = 0; i < 200; i++) {
      await clock.runUntil(policy.execute(() => clock.sleep(i % 20 === 0 ? 400 : 20)));
    }
    expect(policy.stats().delayMs).toBeGreaterThanOrEqual(20);
    expect(policy.stats().hedges).toBeGreaterThan(0);
    expect(policy.stats().hedges).toBeLessThan(40);
  });
});

describe('the options of a hedge', () => {
  it.each([
    [{ delayMs: -1 }, 'hedge: delayMs must be a finite number >= 0, got -1.'],
    [{ delayMs: Number.NaN }, 'hedge: delayMs must be a finite number >= 0, got NaN.'],
    [{ delayMs: { quantile: 0, maxMs: 1 } }, 'hedge: delayMs: quantile must be'],
    [{ maxAttempts: 1 }, 'hedge: maxAttempts must be an integer from 2 to 100, got 1.'],
    [{ maxAttempts: 2.5 }, 'hedge: maxAttempts must be an integer from 2 to 100, got 2.5.'],
    [{ budget: {} as never }, 'hedge: budget.deposit must be a function, got undefined.'],
    [{ deposits: 1 as never }, 'hedge: deposits must be a boolean, got 1.'],
    [{ shouldHandle: 1 as never }, 'hedge: shouldHandle must be a function, got 1.'],
    [
      { spans: 'some' as never },
      "hedge: spans must be one of 'all', 'failures', 'none', got 'some'.",
    ],
    [{ delay: 1 } as never, "hedge: unknown option 'delay'"],
  ])('refuses %o', (options, message) => {
    expect(() => hedge(options)).toThrow(message);
  });

  it('are described to composers', () => {
    expect(make().policy.describe()).toEqual({ kind: 'hedge', repeats: true });
  });
});
