import type { Priority } from '@temper/core';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { type Throttle, throttle } from './throttle.ts';

// A backend that goes down for a while, and is as good as before afterwards.

const MIXES: Readonly<Record<string, readonly Priority[]>> = {
  critical: ['critical'],
  'half sheddable': ['critical', 'sheddable'],
  'all four': ['sheddable', 'sheddable-plus', 'critical', 'critical-plus'],
};

/** Calls at an even rate, through a throttle with the defaults. */
class Calls {
  down = false;
  /** Calls that the backend got, by priority. */
  readonly sent: Map<Priority, number> = new Map();
  readonly #clock: ManualClock = new ManualClock();
  readonly #throttle: Throttle;
  readonly #rate: number;
  readonly #priorities: readonly Priority[];
  #made = 0;

  constructor(rate: number, priorities: readonly Priority[], seed: number) {
    this.#throttle = throttle({ clock: this.#clock, random: seededRandom(seed) });
    this.#rate = rate;
    this.#priorities = priorities;
  }

  /** @returns the share of the calls that the backend got */
  run(seconds: number): number {
    const calls = seconds * this.#rate;
    let passed = 0;
    for (let i = 0; i < calls; i++) {
      const priority = this.#priorities[this.#made++ % this.#priorities.length] as Priority;
      const lease = this.#throttle.tryAcquire({ priority });
      if (lease !== undefined) {
        passed++;
        this.sent.set(priority, (this.sent.get(priority) ?? 0) + 1);
        if (this.down) lease.overloaded();
        else lease.release();
      }
      this.#clock.jump(1000 / this.#rate);
    }
    return passed / calls;
  }

  /** @returns after how many seconds 90 % of the calls of five seconds pass */
  recoverySeconds(): number {
    const shares: number[] = [];
    for (let seconds = 1; seconds <= 600; seconds++) {
      shares.push(this.run(1));
      const last = shares.slice(-5);
      if (last.length === 5 && last.reduce((sum, share) => sum + share) / 5 >= 0.9) return seconds;
    }
    return Number.POSITIVE_INFINITY;
  }
}

describe.each(Object.keys(MIXES))('a throttle whose calls are %s', (mix) => {
  const priorities = MIXES[mix] as readonly Priority[];

  it.each([
    [1, 60],
    [1, 600],
    [10, 60],
    [10, 600],
    [100, 600],
    [1000, 60],
    [1000, 600],
  ])('recovers at %i calls a second from an outage of %i s', (rate, outageSeconds) => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const calls = new Calls(rate, priorities, seed);
      expect(calls.run(60)).toBe(1);
      calls.down = true;
      calls.run(30); // the window of the time before
      const made = (outageSeconds - 30) * rate;
      const load = calls.run(outageSeconds - 30);
      calls.down = false;
      const seconds = calls.recoverySeconds();
      // A tenth, within four standard deviations.
      expect(load * made).toBeLessThan(0.1 * made + 4 * Math.sqrt(0.09 * made));
      expect(seconds).toBeLessThan(rate === 1 ? 80 : 50);
      expect(calls.run(60)).toBeGreaterThan(0.95);
    }
  });
});

describe('a throttle in an outage', () => {
  it('sends the calls of the highest priority', () => {
    const calls = new Calls(100, ['sheddable', 'critical'], 1);
    calls.down = true;
    calls.run(60);
    calls.sent.clear();
    calls.run(540);
    expect(calls.sent.get('critical')).toBeGreaterThan(5000);
    expect(calls.sent.get('sheddable') ?? 0).toBe(0);
  });
});
