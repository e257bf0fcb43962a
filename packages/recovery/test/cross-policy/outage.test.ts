import { circuitBreaker } from '@temper/breaker';
import type { Executor } from '@temper/core';
import { concurrency, tokenBucket } from '@temper/ratelimit';
import { retry, retryBudget } from '@temper/retry';
import { seededRandom } from '@temper/testkit';
import type { ManualClock } from '@temper/testkit/clock';
import { type PhaseReport, simulate, steady } from '@temper/testkit/simulation';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline, timeout } from '../../src/index.ts';

/** Every policy that counts, repeats, limits or ends calls. */
const MEMBERS = {
  retry: (clock: ManualClock) => retry({ clock, random: seededRandom(1) }),
  hedge: (clock: ManualClock) => hedge({ clock, delayMs: 50 }),
  breaker: (clock: ManualClock) => circuitBreaker({ clock, openDurationMs: 5000 }),
  timeout: (clock: ManualClock) => timeout({ clock, timeoutMs: 1000 }),
  limit: (clock: ManualClock) => concurrency({ clock, limit: 50 }),
  rate: (clock: ManualClock) => tokenBucket({ clock, limit: 200, windowMs: 1000 }),
} satisfies Record<string, (clock: ManualClock) => Executor>;
type Member = keyof typeof MEMBERS;

/** Every order of every selection of these. */
function orders(members: readonly Member[]): Member[][] {
  return members.flatMap((first) => [
    [first],
    ...orders(members.filter((other) => other !== first)).map((rest) => [first, ...rest]),
  ]);
}

const ORDERS: readonly (readonly Member[])[] = [
  ...orders(['retry', 'hedge', 'breaker', 'timeout']),
  ['limit', 'hedge', 'breaker'],
  ['hedge', 'limit', 'breaker'],
  ['hedge', 'breaker', 'limit'],
  ['hedge', 'rate', 'breaker', 'timeout'],
  ['hedge', 'breaker', 'rate', 'timeout'],
  ['breaker', 'limit', 'rate', 'timeout'],
  ['limit', 'timeout', 'retry', 'hedge', 'breaker'],
];

/** How long the callers wait. */
const PATIENCE_MS = 3000;

/** The most calls of the dependency for each call, in an outage. */
function mostDemand(kinds: readonly Member[]): number {
  const hedged = kinds.includes('hedge') ? 1.15 : 1;
  return (kinds.includes('retry') ? 3 : 1) * hedged;
}

describe.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  it.for([
    ['refuses at once, healthy at 30 ms', 30, 'error'],
    ['refuses at once, healthy at 80 ms', 80, 'error'],
    ['hangs, healthy at 30 ms', 30, 'hang'],
  ] as const)(
    'recovers from an outage of 20 s of a dependency that %s',
    async ([, serviceMs, outage], { annotate }) => {
      const report = await simulate({
        pipeline: ({ clock }) => pipeline({ clock }, ...kinds.map((kind) => MEMBERS[kind](clock))),
        callers: { perSecond: 10, arrivals: 'even', timeoutMs: PATIENCE_MS },
        dependency: { workers: 1000, serviceMs, distribution: steady },
        outage: { kind: outage, startMs: 10_000, durationMs: 20_000 },
      });
      const { before } = report;
      const during = report.phase(10_000, 30_000 - PATIENCE_MS); // calls that end within the outage
      const settling = report.phase(30_000, 40_000);
      const after = report.phase(40_000, 60_000);
      await annotate(goodputs({ before, during, settling, after }));
      expect(before.goodput).toBeGreaterThan(0.99);
      expect(during.goodput).toBeLessThan(0.05);
      expect(settling.goodput).toBeGreaterThan(0.4);
      expect(after.goodput).toBeGreaterThan(0.99);
      expect(during.load).toBeLessThanOrEqual(mostDemand(kinds));
    },
  );
});

describe('a retry and a hedge with one budget', () => {
  it.for([
    ['retry > hedge', ['retry', 'hedge']],
    ['hedge > retry', ['hedge', 'retry']],
  ] as const)(
    '%s: a dependency that is down gets little more than the calls',
    async ([, order], { annotate }) => {
      for (const kind of ['error', 'hang'] as const) {
        const report = await simulate({
          pipeline: ({ clock, random }) => {
            const budget = retryBudget({ clock, ratio: 0.1, burst: 20 });
            const parts = {
              retry: retry({ clock, random, budget }),
              hedge: hedge({ clock, delayMs: 50, budget, deposits: false }),
            };
            return pipeline({ clock }, ...order.map((part) => parts[part]));
          },
          callers: { perSecond: 20, arrivals: 'even', timeoutMs: PATIENCE_MS },
          dependency: { workers: 1000, serviceMs: 30, distribution: steady },
          outage: { kind, startMs: 20_000, durationMs: 30_000 },
        });
        const { before, after } = report;
        const during = report.phase(20_000, 50_000 - PATIENCE_MS);
        await annotate(goodputs({ before, during, after }));
        expect(before.goodput).toBeGreaterThan(0.99);
        expect(during.goodput).toBe(0);
        expect(after.goodput).toBeGreaterThan(0.99);
        expect(during.load).toBeLessThan(1.1);
      }
    },
  );
});

/** Phases in words, for the report of a test. */
function goodputs(phases: Readonly<Record<string, PhaseReport>>): string {
  return Object.entries(phases)
    .map(([name, { goodput, load }]) => `${name} ${goodput.toFixed(3)} (×${load.toFixed(2)})`)
    .join(', ');
}
