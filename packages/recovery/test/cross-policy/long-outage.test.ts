import { circuitBreaker } from '@temper/breaker';
import type { Policy } from '@temper/core';
import { throttle } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { clientRateLimit } from '@temper/ratelimit/http';
import { retry, retryBudget } from '@temper/retry';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, hedge, timeout } from '../../src/index.ts';
import { hang, refuse } from './goodput.ts';

// Every policy that learns from outcomes, with its defaults, through an outage of ten minutes.

const OUTAGE_SECONDS = 600;
/** Calls a second. */
const RATE = 10;
const OBSERVED = { quantile: 0.95, maxMs: 1000 };
const random = (): (() => number) => seededRandom(1);

interface Member {
  readonly make: (clock: ManualClock) => Policy;
  /** Longest time after the outage until 90 % of the calls of five seconds succeed, in seconds. */
  readonly withinSeconds: number;
  /** Most calls of the dependency for each call, in the last five minutes of the outage. */
  readonly load: number;
}

const MEMBERS: Readonly<Record<string, Member>> = {
  throttle: {
    make: (clock) => throttle({ clock, random: random() }),
    withinSeconds: 50,
    load: 0.12,
  },
  'breaker, by consecutive failures': {
    make: (clock) => circuitBreaker({ clock }),
    withinSeconds: 65,
    load: 0.01,
  },
  'breaker, by failure rate': {
    make: (clock) => circuitBreaker({ clock, window: { durationMs: 10_000 } }),
    withinSeconds: 65,
    load: 0.01,
  },
  'breaker whose half-open calls wait': {
    make: (clock) => circuitBreaker({ clock, halfOpenMaxWaitMs: 1000 }),
    withinSeconds: 65,
    load: 0.02,
  },
  'breaker with open durations that double up to 30 s': {
    make: (clock) =>
      circuitBreaker({
        clock,
        openDurationMs: 1000,
        openDurationMultiplier: 2,
        maxOpenDurationMs: 30_000,
      }),
    withinSeconds: 35,
    load: 0.02,
  },
  'breaker with open durations that double up to the default of maxOpenDurationMs': {
    make: (clock) => circuitBreaker({ clock, openDurationMultiplier: 2 }),
    withinSeconds: 600,
    load: 0.01,
  },
  adaptiveConcurrency: {
    make: (clock) => adaptiveConcurrency({ clock, random: random() }),
    withinSeconds: 10,
    load: 1,
  },
  'adaptiveConcurrency, aimd': {
    make: (clock) => adaptiveConcurrency({ clock, random: random(), algorithm: 'aimd' }),
    withinSeconds: 10,
    load: 1,
  },
  clientRateLimit: { make: (clock) => clientRateLimit({ clock }), withinSeconds: 10, load: 1 },
  'retry with a budget': {
    make: (clock) => retry({ clock, random: random(), budget: retryBudget({ clock }) }),
    withinSeconds: 10,
    load: 3,
  },
  'observed timeout': {
    make: (clock) => timeout({ clock, timeoutMs: OBSERVED }),
    withinSeconds: 10,
    load: 1,
  },
  'observed hedge': {
    make: (clock) => hedge({ clock, delayMs: OBSERVED }),
    withinSeconds: 10,
    load: 1.15,
  },
  'hedge with a budget': {
    make: (clock) => hedge({ clock, delayMs: 50, budget: retryBudget({ clock }) }),
    withinSeconds: 10,
    load: 2.05,
  },
  cached: {
    make: (clock) => cached({ clock, key: () => 'one', freshMs: 0, singleFlight: true }),
    withinSeconds: 10,
    load: 1,
  },
};

describe.each(Object.keys(MEMBERS))('%s', (kind) => {
  it.for([
    ['refuses calls', refuse],
    ['hangs', hang],
  ] as const)(
    'recovers from ten minutes in which its dependency %s',
    async ([, outage], { annotate }) => {
      const { make, withinSeconds, load } = MEMBERS[kind] as Member;
      const clock = new ManualClock();
      const policy = make(clock);
      let down = false;
      let made = 0;
      const operation = async ({ signal }: { signal: AbortSignal }): Promise<unknown> => {
        made++;
        return down ? outage(clock)(signal) : clock.sleep(30, signal);
      };
      /** @returns the goodput of the calls of one second, known once they have ended */
      const second = async (): Promise<() => number> => {
        let good = 0;
        for (let i = 0; i < RATE; i++) {
          void policy.tryExecute(operation, { timeoutMs: 2000 }).then(({ ok }) => {
            if (ok) good++;
          });
          await clock.advance(1000 / RATE);
        }
        return () => good / RATE;
      };
      const seconds = async (count: number): Promise<number[]> => {
        const shares: (() => number)[] = [];
        for (let i = 0; i < count; i++) shares.push(await second());
        await clock.advance(0);
        return shares.map((share) => share());
      };
      await seconds(30);
      down = true;
      await seconds(OUTAGE_SECONDS / 2);
      made = 0;
      await seconds(OUTAGE_SECONDS / 2);
      const demand = made / ((OUTAGE_SECONDS / 2) * RATE);
      down = false;
      const shares = await seconds(withinSeconds + 30);
      const recovered = shares.findIndex(
        (_, i) => i >= 4 && shares.slice(i - 4, i + 1).reduce((sum, share) => sum + share) >= 4.5,
      );
      await annotate(`load ${demand.toFixed(3)}, 90 % after ${recovered + 1} s`);
      expect(demand).toBeLessThanOrEqual(load);
      expect(recovered).toBeGreaterThan(0);
      expect(recovered + 1).toBeLessThanOrEqual(withinSeconds);
    },
  );
});
