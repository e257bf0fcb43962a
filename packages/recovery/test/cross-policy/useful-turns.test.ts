import { circuitBreaker } from '@temper/breaker';
import { tokenBucket } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { pipeline } from '../../src/index.ts';

describe('a breaker inside a limiter', () => {
  it('stays closed while more calls come than the limiter lets through in time', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock });
    const limiter = tokenBucket({ clock, limit: 15, windowMs: 1000, burst: 1 });
    const policy = pipeline({ clock }, limiter, breaker);
    const ends: Promise<{ ok: boolean }>[] = [];
    for (let i = 0; i < 800; i++) {
      ends.push(policy.tryExecute(({ signal }) => clock.sleep(65, signal), { timeoutMs: 500 }));
      await clock.advance(50);
    }
    await clock.advance(1000);
    expect(breaker.stats().calls.rejected).toBe(0);
    expect((await Promise.all(ends)).filter(({ ok }) => ok).length).toBeGreaterThan(500);
  });
});

describe('retries with timed attempts around a limiter', () => {
  it('do not go on for ever to take turns that are of no use, once the dependency is back', async () => {
    const clock = new ManualClock();
    const policy = pipeline(
      { clock },
      retry({
        clock,
        maxAttempts: 5,
        initialDelayMs: 0,
        attemptTimeoutMs: 500,
        random: seededRandom(1),
      }),
      tokenBucket({ clock, limit: 60, windowMs: 1000 }),
    );
    let down = false;
    const operation = async ({ signal }: { signal: AbortSignal }): Promise<void> => {
      await clock.sleep(20, signal);
      if (down) throw Object.assign(new Error('busy'), { status: 503 });
    };
    /** @returns the share of the calls of so many seconds that succeed, known once they have ended */
    const seconds = async (count: number): Promise<() => Promise<number>> => {
      const ends: Promise<{ ok: boolean }>[] = [];
      for (let i = 0; i < count * 40; i++) {
        ends.push(policy.tryExecute(operation));
        await clock.advance(25);
      }
      return async () => (await Promise.all(ends)).filter(({ ok }) => ok).length / ends.length;
    };
    const before = await seconds(10);
    down = true;
    await seconds(5);
    down = false;
    await seconds(30);
    const after = await seconds(10);
    await clock.advance(10_000);
    expect([await before(), await after()]).toEqual([1, 1]);
  });
});
