import { seededRandom } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callsAgainstChance, difference, wilson } from './binomial.ts';
import { Durations } from './durations.ts';
import { SequentialTest } from './sequential-test.ts';
import { TUNING_SETTINGS } from './setting-names.ts';
import { stepTowards } from './settings.ts';

/** P(X >= k) of a binomial distribution, exactly. */
function tail(n: number, p: number, k: number): number {
  let log = n * Math.log(1 - p);
  let sum = 0;
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += Math.exp(log);
    log += Math.log(((n - i) / (i + 1)) * (p / (1 - p)));
  }
  return sum;
}

describe('intervals', () => {
  it('hold the share that was observed', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (a, b) => {
        const [low, high] = wilson(Math.min(a, b), Math.max(a, b, 1));
        const share = Math.min(a, b) / Math.max(a, b, 1);
        expect(low).toBeLessThanOrEqual(share);
        expect(high).toBeGreaterThanOrEqual(share);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
      }),
    );
  });

  it.each([0.01, 0.1, 0.5])('hold a true share of %s in at least 98 of 100 samples', (p) => {
    const random = seededRandom(5);
    let held = 0;
    for (let sample = 0; sample < 500; sample++) {
      let successes = 0;
      for (let i = 0; i < 300; i++) if (random() < p) successes++;
      const [low, high] = wilson(successes, 300);
      if (low <= p && p <= high) held++;
    }
    expect(held / 500).toBeGreaterThanOrEqual(0.98);
  });

  it('of a difference change sides when the shares do', () => {
    const [low, high] = difference([10, 100], [30, 100]);
    expect(low).toBeGreaterThan(0);
    const [other, side] = difference([30, 100], [10, 100]);
    expect([other, side]).toEqual([expect.closeTo(-high, 12), expect.closeTo(-low, 12)]);
  });
});

it('a window of that many calls is opened by chance at most that often, by the exact tail', () => {
  const share = fc.double({ min: 0.001, max: 0.4, noNaN: true });
  fc.assert(
    fc.property(share, fc.double({ min: 0.05, max: 0.5, noNaN: true }), (base, more) => {
      const threshold = Math.min(1, base + more);
      const calls = callsAgainstChance(threshold, base, 1e-6);
      for (const n of [calls, calls + 1, 2 * calls]) {
        expect(tail(n, base, Math.ceil(threshold * n))).toBeLessThanOrEqual(1e-6 * (1 + 1e-9));
      }
    }),
  );
  expect(callsAgainstChance(0.2, 0.2, 1e-6)).toBe(Number.POSITIVE_INFINITY);
  expect(callsAgainstChance(0.5, 0, 1e-6)).toBe(1);
});

describe('durations', () => {
  it('know each quantile to within 5 %, and never below the true one', () => {
    const ms = fc.double({ min: 0.2, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(ms, { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 99 }),
        (all, percent) => {
          const durations = new Durations();
          for (const one of all) durations.record('answered', one);
          const sorted = all.toSorted((a, b) => a - b);
          const exact = sorted[Math.ceil((percent * all.length) / 100) - 1] as number;
          const known = durations.quantile(percent / 100) as number;
          expect(known).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
          expect(known).toBeLessThanOrEqual(exact * 1.05 * (1 + 1e-9));
        },
      ),
    );
  });

  it('recover the true quantile when slow tries were outrun by others, which a plain quantile misses', () => {
    const random = seededRandom(9);
    const draw = (): number => -100 * Math.log(1 - random());
    const durations = new Durations();
    const seen: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      const [own, other] = [draw(), 100 + draw()];
      if (own <= other) durations.record('answered', own);
      else durations.record('lost', other);
      if (own <= other) seen.push(own);
    }
    const exact = -100 * Math.log(0.05);
    expect(durations.quantile(0.95)).toBeGreaterThan(exact * 0.93);
    expect(durations.quantile(0.95)).toBeLessThan(exact * 1.1);
    const plain = seen.toSorted((a, b) => a - b)[Math.floor(0.95 * seen.length)] as number;
    expect(plain).toBeLessThan(exact * 0.85);
  });

  it('say that nobody knows when too many were cut off, and leave timeouts out where asked to', () => {
    const durations = new Durations();
    for (let i = 0; i < 90; i++) durations.record('answered', 10);
    for (let i = 0; i < 10; i++) durations.record('timeout', 1000);
    expect(durations.quantile(0.95)).toBe(Number.POSITIVE_INFINITY);
    expect(durations.quantile(0.95, false)).toBeCloseTo(10, 0);
    expect(new Durations().quantile(0.5)).toBeUndefined();
  });

  it('are the same merged or recorded as one', () => {
    const [all, first, second] = [new Durations(), new Durations(), new Durations()];
    for (let i = 1; i < 500; i++) {
      all.record(i % 7 === 0 ? 'lost' : 'answered', i);
      (i % 2 === 0 ? first : second).record(i % 7 === 0 ? 'lost' : 'answered', i);
    }
    first.merge(second);
    for (const q of [0.1, 0.5, 0.9]) expect(first.quantile(q)).toBe(all.quantile(q));
    expect(first.answeredWithin(100, 200)).toBe(all.answeredWithin(100, 200));
    first.clear();
    expect(first.quantile(0.5)).toBeUndefined();
  });
});

it('a step never leaves the bounds, never overshoots, and gets there in the end', () => {
  const value = fc.double({ min: 0.01, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      fc.constantFrom(...TUNING_SETTINGS),
      value,
      value,
      value,
      value,
      (setting, ...parts) => {
        const scale =
          setting === 'failureRateThreshold' ? 1 : setting === 'maxAttempts' ? 10 : 10_000;
        const round = (part: number): number =>
          scale === 1 ? part : Math.max(1, Math.round(part * scale));
        const [a, b, c, d] = parts.map(round) as [number, number, number, number];
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        let from = Math.min(high, Math.max(low, c));
        const aim = Math.min(high, Math.max(low, d));
        for (let steps = 0; ; steps++) {
          const to = stepTowards(setting, from, d, [low, high]);
          if (to === undefined) break;
          expect(to).toBeGreaterThanOrEqual(low);
          expect(to).toBeLessThanOrEqual(high);
          expect(Math.sign(to - from)).toBe(Math.sign(aim - from));
          expect(Math.abs(aim - to)).toBeLessThan(Math.max(Math.abs(aim - from), 1e-9));
          expect(steps).toBeLessThan(40);
          from = to;
        }
        expect(Math.abs(from - aim)).toBeLessThanOrEqual(
          Math.max(0.2 * from, scale === 1 ? 0.01 : 0.5) + 1e-9,
        );
      },
    ),
  );
});

describe('the sequential test', () => {
  /** How often it says so in 400 sequences of calls of which this share has the event. */
  function results(share: number, kind: 'share' | 'count', rate: number, worse: number) {
    const random = seededRandom(3);
    const counts = { worse: 0, fine: 0, calls: 0 };
    for (let sequence = 0; sequence < 400; sequence++) {
      const test = new SequentialTest(rate, worse, kind);
      let result: 'worse' | 'fine' | undefined;
      while (result === undefined) {
        counts.calls++;
        result = test.add(random() < share ? 1 : 0);
      }
      counts[result]++;
    }
    return { ...counts, calls: counts.calls / 400 };
  }

  it('calls a rate that has not changed worse in no more than its share of sequences', () => {
    expect(results(0.01, 'share', 0.01, 0.02).worse).toBeLessThanOrEqual(3);
    expect(results(0.3, 'count', 0.3, 0.45).worse).toBeLessThanOrEqual(3);
  });

  it('finds one that is worse in nearly all, and a disaster within tens of calls', () => {
    expect(results(0.02, 'share', 0.01, 0.02).fine).toBeLessThanOrEqual(10);
    expect(results(0.45, 'count', 0.3, 0.45).fine).toBeLessThanOrEqual(10);
    const disaster = results(0.9, 'share', 0.01, 0.02);
    expect(disaster.worse).toBe(400);
    expect(disaster.calls).toBeLessThan(15);
  });
});
