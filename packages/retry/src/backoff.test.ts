import { seededRandom } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BackoffOptions, backoffDelay } from './backoff.ts';
import { type Jitter, RETRY_DEFAULTS, type RetryOptions, resolveRetryOptions } from './options.ts';

/** The first waits of a policy, each following the one before. */
function waits(options: RetryOptions, count: number, random: () => number = () => 0.5): number[] {
  const resolved = resolveRetryOptions(options);
  const found: number[] = [];
  for (let attempt = 1; attempt <= count; attempt++) {
    found.push(backoffDelay(resolved, attempt, found.at(-1) ?? 0, random));
  }
  return found;
}

describe('backoff without jitter', () => {
  it('is 100 200 400 800 by default', () => {
    expect(waits({ jitter: 'none' }, 4)).toEqual([100, 200, 400, 800]);
  });

  it('stops growing at 30 s', () => {
    expect(waits({ jitter: 'none' }, 12).slice(7)).toEqual([
      12_800, 25_600, 30_000, 30_000, 30_000,
    ]);
  });

  it.each<[RetryOptions, number[]]>([
    [{ backoff: 'constant' }, [100, 100, 100, 100]],
    [{ backoff: 'linear' }, [100, 200, 300, 400]],
    [{ backoff: 'linear', maxDelayMs: 250 }, [100, 200, 250, 250]],
    [{ multiplier: 3 }, [100, 300, 900, 2700]],
    [{ multiplier: 1 }, [100, 100, 100, 100]],
    [{ initialDelayMs: 0 }, [0, 0, 0, 0]],
    [{ initialDelayMs: 100, maxDelayMs: 100 }, [100, 100, 100, 100]],
    [{ initialDelayMs: 60_000 }, [60_000, 60_000, 60_000, 60_000]],
  ])('of %o is %o', (options, expected) => {
    expect(waits({ ...options, jitter: 'none' }, 4)).toEqual(expected);
  });
});

describe('jitter', () => {
  const LOW = 0;
  const HIGH = 1 - 2 ** -53;

  it.each<[Jitter, number, number]>([
    ['none', 400, 400],
    ['full', 0, 400],
    ['equal', 200, 400],
    [{ ratio: 0.2 }, 320, 480],
    [{ ratio: 0 }, 400, 400],
    [{ ratio: 1 }, 0, 800],
  ])('%o spreads 400 ms from %s to %s', (jitter, least, most) => {
    const third = (random: number): number | undefined => waits({ jitter }, 3, () => random)[2];
    expect(third(LOW)).toBeCloseTo(least);
    expect(third(HIGH)).toBeCloseTo(most);
  });

  it('of the decorrelated kind lies between the first wait and three times the one before', () => {
    const options = { jitter: 'decorrelated' } as const;
    expect(waits(options, 4, () => 0)).toEqual([100, 100, 100, 100]);
    expect(waits(options, 4, () => HIGH).map(Math.round)).toEqual([300, 900, 2700, 8100]);
  });

  it('never exceeds the cap, where the original went up to 36 s', () => {
    const most = waits({ jitter: { ratio: 0.2 } }, 12, () => HIGH);
    expect(Math.max(...most)).toBe(30_000);
  });

  it('spreads evenly about the wait', () => {
    const random = seededRandom(7);
    const options = resolveRetryOptions({ jitter: { ratio: 0.2 } });
    const found = Array.from({ length: 20_000 }, () => backoffDelay(options, 1, 0, random));
    const mean = found.reduce((sum, wait) => sum + wait, 0) / found.length;
    expect(Math.abs(mean - 100)).toBeLessThan(0.5);
    expect(Math.min(...found)).toBeLessThan(80.1);
    expect(Math.max(...found)).toBeGreaterThan(119.9);
  });
});

describe('whatever the options, the attempt and the chance', () => {
  const jitter = fc.oneof(
    fc.constantFrom<Jitter>('none', 'full', 'equal', 'decorrelated'),
    fc.double({ min: 0, max: 1, noNaN: true }).map((ratio) => ({ ratio })),
  );
  const options: fc.Arbitrary<BackoffOptions> = fc
    .record({
      backoff: fc.constantFrom('constant' as const, 'linear' as const, 'exponential' as const),
      initialDelayMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })),
      above: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e9, noNaN: true })),
      multiplier: fc.oneof(fc.constant(1), fc.double({ min: 1, max: 1e6, noNaN: true })),
      jitter,
    })
    .map(({ above, ...rest }) => ({ ...rest, maxDelayMs: rest.initialDelayMs + above }));
  const attempt = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 1e9 }));
  const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

  it('a wait is a number from 0 to the cap', () => {
    fc.assert(
      fc.property(options, attempt, chance, chance, (options, attempt, first, random) => {
        const previous = attempt === 1 ? 0 : first * options.maxDelayMs;
        const wait = backoffDelay(options, attempt, previous, () => random);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(options.maxDelayMs);
      }),
      { numRuns: 1000 },
    );
  });

  it('a wait without jitter never gets shorter', () => {
    fc.assert(
      fc.property(options, attempt, (options, attempt) => {
        const plain = { ...options, jitter: 'none' as const };
        const wait = (n: number): number => backoffDelay(plain, n, 0, () => 0);
        expect(wait(attempt + 1)).toBeGreaterThanOrEqual(wait(attempt));
      }),
    );
  });

  it('a wait lies where its jitter says, around the wait without', () => {
    fc.assert(
      fc.property(options, attempt, chance, (options, attempt, random) => {
        fc.pre(options.jitter !== 'decorrelated');
        const { jitter, maxDelayMs } = options;
        const plain = backoffDelay({ ...options, jitter: 'none' }, attempt, 0, () => 0);
        const wait = backoffDelay(options, attempt, 0, () => random);
        const [least, most] =
          typeof jitter === 'object'
            ? [plain * (1 - jitter.ratio), plain * (1 + jitter.ratio)]
            : { none: [plain, plain], full: [0, plain], equal: [plain / 2, plain] }[
                jitter as 'none' | 'full' | 'equal'
              ];
        const slack = 1e-9 * (1 + plain);
        expect(wait).toBeGreaterThanOrEqual((least as number) - slack);
        expect(wait).toBeLessThanOrEqual(Math.min(maxDelayMs, most as number) + slack);
      }),
    );
  });
});

describe('the defaults', () => {
  it('are those of the report', () => {
    expect(RETRY_DEFAULTS).toMatchObject({
      maxAttempts: 3,
      initialDelayMs: 100,
      maxDelayMs: 30_000,
      multiplier: 2,
      jitter: { ratio: 0.2 },
    });
  });
});
