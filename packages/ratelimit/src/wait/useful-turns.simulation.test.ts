import type { Operation, Policy } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/adaptive-concurrency.ts';
import { keyed } from '../keyed/keyed.ts';
import { concurrency } from '../limiters/concurrency.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';

// Where more calls come than a limit lets through, each waits for nearly all of its time. A turn that leaves
// nothing for the operation is of no use: without a refusal in time, all of them would be ended in the middle.

/** Limits that let 15 calls through a second, which take 65 ms each. */
const LIMITS: Readonly<Record<string, (clock: ManualClock) => Policy>> = {
  concurrency: (clock) => concurrency({ clock, limit: 1 }),
  tokenBucket: (clock) => tokenBucket({ clock, limit: 15, windowMs: 1000, burst: 1 }),
  keyed: (clock) =>
    keyed({ clock, template: tokenBucket({ clock, limit: 15, windowMs: 1000, burst: 1 }) }),
  'keyed concurrency': (clock) => keyed({ clock, limiter: () => concurrency({ clock, limit: 1 }) }),
  adaptiveConcurrency: (clock) =>
    adaptiveConcurrency({ clock, initialLimit: 1, maxLimit: 1, random: () => 0.5 }),
};

describe.each(Object.keys(LIMITS))('%s with more calls than it lets through', (kind) => {
  it('lets as many succeed as it can, and refuses the others instead of ending them half-way', async () => {
    const clock = new ManualClock();
    const policy = (LIMITS[kind] as (typeof LIMITS)[string])(clock);
    const operation: Operation<unknown> = ({ signal }) => clock.sleep(65, signal);
    const ends: Promise<string>[] = [];
    for (let i = 0; i < 1200; i++) {
      const end = policy.execute(operation, { timeoutMs: 500, key: 'k' }).then(
        () => 'answered',
        (error: { code: string }) => error.code,
      );
      if (i >= 200) ends.push(end);
      await clock.advance(50);
    }
    await clock.advance(1000);
    const count = new Map<string, number>();
    for (const end of await Promise.all(ends)) count.set(end, (count.get(end) ?? 0) + 1);
    expect(count.get('answered')).toBeGreaterThan(650); // of the 750 that could be
    expect(count.get('DEADLINE_EXCEEDED') ?? 0).toBeLessThan(50);
    expect(count.get('RATE_LIMIT_EXCEEDED')).toBeGreaterThan(200);
  });

  it('does not hold calls to a latency of long ago', async () => {
    const clock = new ManualClock();
    const policy = (LIMITS[kind] as (typeof LIMITS)[string])(clock);
    let latencyMs = 300;
    const operation: Operation<unknown> = ({ signal }) => clock.sleep(latencyMs, signal);
    const pair = async (): Promise<boolean> => {
      const options = { timeoutMs: 400, key: 'k' };
      const first = policy.tryExecute(operation, options);
      const second = policy.tryExecute(operation, { ...options, timeoutMs: 2000 });
      await clock.advance(2000);
      return (await first).ok && (await second).ok;
    };
    for (let i = 0; i < 5; i++) await pair();
    latencyMs = 30;
    await clock.advance(11_000);
    // The second has less time than 300 ms when its turn comes.
    const options = { timeoutMs: 200, key: 'k' };
    const calls = [policy.tryExecute(operation, options), policy.tryExecute(operation, options)];
    await clock.advance(1000);
    expect((await Promise.all(calls)).map(({ ok }) => ok)).toEqual([true, true]);
  });
});
