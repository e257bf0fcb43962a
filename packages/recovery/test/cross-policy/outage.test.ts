import { circuitBreaker } from '@temper/breaker';
import type { Executor } from '@temper/core';
import { concurrency, tokenBucket } from '@temper/ratelimit';
import { retry, retryBudget } from '@temper/retry';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline, timeout } from '../../src/index.ts';
import { describePhases, hang, Program, refuse } from './goodput.ts';

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

/** The most calls of the dependency for each call, in an outage. */
function mostDemand(kinds: readonly Member[]): number {
  const hedged = kinds.includes('hedge') ? 1.15 : 1;
  return (kinds.includes('retry') ? 3 : 1) * hedged;
}

describe.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  it.for([
    ['refuses at once, healthy at 30 ms', 30, refuse],
    ['refuses at once, healthy at 80 ms', 80, refuse],
    ['hangs, healthy at 30 ms', 30, hang],
  ] as const)(
    'recovers from an outage of 20 s of a dependency that %s',
    async ([, latencyMs, outage], { annotate }) => {
      const clock = new ManualClock();
      const random = seededRandom(3);
      const policy = pipeline({ clock }, ...kinds.map((kind) => MEMBERS[kind](clock)));
      const dependency = {
        latencyMs: () => latencyMs * (0.95 + 0.1 * random()),
        outage: outage(clock),
      };
      const program = new Program(clock, policy, dependency, 100, { timeoutMs: 3000 });
      const before = await program.phase(10);
      program.down = true;
      const during = await program.phase(20);
      program.down = false;
      const settling = await program.phase(10);
      const after = await program.phase(20);
      await annotate(describePhases({ before, during, settling, after }));
      expect(before.goodput).toBeGreaterThan(0.99);
      expect(during.goodput).toBeLessThan(0.05);
      expect(settling.goodput).toBeGreaterThan(0.4);
      expect(after.goodput).toBeGreaterThan(0.99);
      expect(during.demand).toBeLessThanOrEqual(mostDemand(kinds));
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
      for (const outage of [refuse, hang]) {
        const clock = new ManualClock();
        const budget = retryBudget({ clock, ratio: 0.1, minPerSecond: 1 });
        const parts = {
          retry: retry({ clock, budget }),
          hedge: hedge({ clock, delayMs: 50, budget, deposits: false }),
        };
        const policy = pipeline({ clock }, ...order.map((kind) => parts[kind]));
        const dependency = { latencyMs: () => 30, outage: outage(clock) };
        const program = new Program(clock, policy, dependency, 50, { timeoutMs: 3000 });
        const before = await program.phase(20);
        program.down = true;
        const during = await program.phase(30);
        program.down = false;
        const after = await program.phase(20);
        await annotate(describePhases({ before, during, after }));
        expect([before.goodput, during.goodput, after.goodput]).toEqual([1, 0, 1]);
        expect(during.demand).toBeLessThan(1.2);
      }
    },
  );
});
