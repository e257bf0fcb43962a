import { circuitBreaker } from '@temper/breaker';
import type { Executor } from '@temper/core';
import { retry } from '@temper/retry';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline, timeout } from '../../src/index.ts';
import { describePhases, hang, Program, refuse } from './goodput.ts';

const OBSERVED = { quantile: 0.95, maxMs: 1000 };

/** Policies with a duration that follows the latencies, and those that react to what it cuts off. */
const MEMBERS = {
  timeout: (clock: ManualClock) => timeout({ clock, timeoutMs: OBSERVED }),
  hedge: (clock: ManualClock) => hedge({ clock, delayMs: OBSERVED }),
  breaker: (clock: ManualClock) => circuitBreaker({ clock, openDurationMs: 5000 }),
  retry: (clock: ManualClock) => retry({ clock, random: seededRandom(1) }),
} satisfies Record<string, (clock: ManualClock) => Executor>;
type Member = keyof typeof MEMBERS;

const ORDERS: readonly (readonly Member[])[] = [
  ['timeout'],
  ['hedge'],
  ['timeout', 'hedge'],
  ['hedge', 'timeout'],
  ['breaker', 'timeout'],
  ['timeout', 'breaker'],
  ['retry', 'timeout'],
  ['timeout', 'retry'],
  ['retry', 'hedge'],
  ['hedge', 'retry'],
  ['hedge', 'breaker'],
  ['breaker', 'hedge'],
  ['hedge', 'breaker', 'timeout'],
  ['breaker', 'hedge', 'timeout'],
  ['retry', 'breaker', 'timeout'],
  ['retry', 'hedge', 'breaker', 'timeout'],
];

describe.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  const start = (
    latencyMs: { now: number },
    down: (clock: ManualClock) => (signal: AbortSignal) => unknown = refuse,
  ) => {
    const clock = new ManualClock();
    const random = seededRandom(3);
    const policies = kinds.map((kind) => MEMBERS[kind](clock));
    const dependency = {
      latencyMs: () => latencyMs.now * (0.95 + 0.1 * random()),
      outage: down(clock),
    };
    return new Program(clock, pipeline({ clock }, ...policies), dependency);
  };
  /** The limit cuts off one call of twenty by design, and is known to a tenth. */
  const least = kinds.includes('timeout') && !kinds.includes('retry') ? 0.9 : 0.98;

  it.for([22, 40, 70, 200, 500])(
    'recovers within a minute when the latency rises from 20 ms to %d ms',
    async (risesTo, { annotate }) => {
      const latencyMs = { now: 20 };
      const program = start(latencyMs);
      const before = await program.phase(60);
      latencyMs.now = risesTo;
      const during = await program.phase(60);
      const after = await program.phase(60);
      await annotate(describePhases({ before, during, after }));
      expect(before.goodput).toBeGreaterThan(least);
      // A circuit that opened meanwhile has its open times, which grow.
      expect(during.goodput).toBeGreaterThan(kinds.includes('breaker') ? 0.3 : 0.95);
      expect(after.goodput).toBeGreaterThan(least);
      expect(after.demand).toBeLessThan(1.15);
    },
  );

  it.for([
    ['refuses at once', refuse],
    ['hangs', hang],
  ] as const)(
    'recovers within a minute from an outage in which the dependency %s',
    async ([what, outage], { annotate }) => {
      if (what === 'hangs' && !kinds.includes('timeout')) return expect(what).toBe('hangs');
      const latencyMs = { now: 20 };
      const program = start(latencyMs, outage);
      const before = await program.phase(60);
      program.down = true;
      const during = await program.phase(20);
      program.down = false;
      latencyMs.now = 70;
      const settling = await program.phase(60);
      const after = await program.phase(60);
      await annotate(describePhases({ before, during, settling, after }));
      expect(before.goodput).toBeGreaterThan(least);
      expect(after.goodput).toBeGreaterThan(least);
      return expect(after.demand).toBeLessThan(1.15);
    },
  );
});
