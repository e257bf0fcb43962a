import type { Operation } from '@temper/core';
import { ManualClock, seededRandom } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { cached } from '../cached/cached.ts';
import { fallback } from '../fallback/fallback.ts';
import { pipeline } from '../pipeline/pipeline.ts';
import { type TimeoutPolicy, timeout } from '../timeout/timeout.ts';

// A timeout that follows the latencies gives the operation as much time as it takes, and what is kept for
// another answer on top of that.

const RESERVE_MS = 20;

const INSIDE = {
  'a fallback': (clock: ManualClock) => [
    fallback({ clock, handler: () => 'second best', reserveMs: RESERVE_MS }),
  ],
  'a cache': (clock: ManualClock) => [cached({ clock, key: () => 'k', reserveMs: RESERVE_MS })],
  'a fallback around a cache': (clock: ManualClock) => [
    fallback({ clock, handler: () => 'second best', reserveMs: RESERVE_MS }),
    cached({ clock, key: () => 'k', reserveMs: 2 * RESERVE_MS }),
  ],
  'a shorter timeout around a fallback': (clock: ManualClock) => [
    timeout({ clock, timeoutMs: 400 }),
    fallback({ clock, handler: () => 'second best', reserveMs: RESERVE_MS }),
  ],
};

describe.each(Object.keys(INSIDE) as (keyof typeof INSIDE)[])('a timeout around %s', (kind) => {
  const setUp = () => {
    const clock = new ManualClock();
    const outer = timeout({ clock, timeoutMs: { quantile: 0.95, maxMs: 500 } });
    return { clock, outer, policy: pipeline({ clock }, outer, ...INSIDE[kind](clock)) };
  };

  it.each([5, 60])('leaves the operation its time, at a latency of %d ms', async (latencyMs) => {
    const { clock, outer, policy } = setUp();
    const random = seededRandom(7);
    let served = 0;
    const operation: Operation<string> = async ({ signal }) => {
      await clock.sleep(latencyMs * (1 + random() / 10), signal);
      served++;
      return 'served';
    };
    for (let i = 0; i < 600; i++) {
      await clock.runUntil(policy.execute(operation));
      await clock.advance(100);
    }
    // One in twenty may be cut off at the 95th percentile.
    expect(served).toBeGreaterThanOrEqual(0.9 * 600);
    expectFollowing(outer, latencyMs);
  });
});

function expectFollowing(outer: TimeoutPolicy, latencyMs: number): void {
  expect(outer.timeoutMs).toBeGreaterThan(latencyMs);
  expect(outer.timeoutMs).toBeLessThan(2 * latencyMs + 4 * RESERVE_MS);
}
