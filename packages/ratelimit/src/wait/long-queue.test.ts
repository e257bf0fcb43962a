import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { RuleLimiter } from '../limiters/rate-limiter.ts';
import { REPORTED_RATE } from '../limiters/rate-parts.ts';
import { FixedWindowRule } from '../rules/fixed-window.ts';
import { GcraRule } from '../rules/gcra.ts';
import type { Rule } from '../rules/rule.ts';
import { SlidingWindowRule } from '../rules/sliding-window.ts';
import { TokenBucketRule } from '../rules/token-bucket.ts';
import { QUEUE_DEFAULTS } from './options.ts';

const WAITING = 2000;

/** A rule that counts how often it is asked. */
function counting(rule: Rule): { rule: Rule; asked: () => number } {
  let asked = 0;
  const watched = new Proxy(rule, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        asked++;
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { rule: watched, asked: () => asked };
}

describe.each<[string, Rule]>([
  ['token bucket', new TokenBucketRule(10, 1000, 1)],
  ['gcra', new GcraRule(10, 1000, 1)],
  ['fixed window', new FixedWindowRule(10, 1000)],
  ['sliding window', new SlidingWindowRule(10, 1000, 10)],
])('joining a long queue of a %s', (_, plain) => {
  it('takes bounded time, however late the timers are and whoever leaves', async () => {
    const clock = new ManualClock();
    const { rule, asked } = counting(plain);
    const options = { ...QUEUE_DEFAULTS, name: 'test', clock, maxQueue: 1e6 };
    const limiter = new RuleLimiter(rule, options, REPORTED_RATE);
    const maxWaitMs = 10_000_000;
    const join = (signal?: AbortSignal): void => {
      void limiter.acquire({ maxWaitMs, signal }).catch(() => undefined);
    };
    for (let i = 0; i < WAITING; i++) join();
    await settle();
    let most = 0;
    for (let i = 0; i < 50; i++) {
      // The event loop is late, and a call leaves.
      clock.jump(137);
      await clock.advance(0);
      const controller = new AbortController();
      join(controller.signal);
      controller.abort();
      await settle();
      const before = asked();
      join();
      await settle();
      most = Math.max(most, asked() - before);
    }
    expect(most).toBeLessThan(200);
  });

  it('refuses nobody whose turn comes in time', async () => {
    const clock = new ManualClock();
    const options = { ...QUEUE_DEFAULTS, name: 'test', clock, maxQueue: 1e6 };
    const limiter = new RuleLimiter(plain, options, REPORTED_RATE);
    for (let i = 0; i < 500; i++) void limiter.acquire();
    clock.jump(137);
    await clock.advance(0);
    const waited: number[] = [];
    const start = clock.monotonic();
    const last = limiter.acquire().then(() => waited.push(clock.monotonic() - start));
    const timed = limiter.acquire({ maxWaitMs: 90_000 });
    await clock.advance(90_000);
    await Promise.all([last, timed]);
    const inTime = limiter.stats();
    expect(inTime.queued).toBe(0);
    expect(inTime.rejected).toBe(0);
  });
});
