import { ManualClock } from '@temper/testkit';
import { expect, it } from 'vitest';
import type { RatePlan } from '../changes/rate-plans.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { TokenBucketRule } from '../rules/token-bucket.ts';
import { keyed } from './keyed.ts';
import { PlannedRules } from './planned-rules.ts';

it('has one rule for all keys of a plan, and another one for each other plan', () => {
  const rules = new PlannedRules(new TokenBucketRule(10, 1000, 5));
  const plans: RatePlan[] = [
    { limit: 20 },
    { limit: 20, windowMs: 500 },
    { limit: 20, burst: 7 },
    { limit: 20, windowMs: 500, burst: 7 },
    { burst: 7 },
  ];
  const made = plans.map((plan) => rules.of(plan));
  expect(made.map(({ limit, windowMs, capacity }) => [limit, windowMs, capacity])).toEqual([
    [20, 1000, 5],
    [20, 500, 5],
    [20, 1000, 7],
    [20, 500, 7],
    [10, 1000, 7],
  ]);
  for (const [i, plan] of plans.entries()) expect(rules.of({ ...plan })).toBe(made[i]);
});

it('remembers a bounded number of plans, and each key has its own limit all the same', () => {
  const clock = new ManualClock();
  const limiter = keyed({
    template: tokenBucket({ clock, limit: 1, burst: 1 }),
    plan: (key) => ({ limit: Number(key), burst: Number(key) }),
  });
  const keys = Array.from({ length: 2500 }, (_, i) => String(i + 1));
  for (const key of keys) limiter.take({ key });
  for (const key of keys) {
    const limit = Number(key);
    expect(limiter.peek({ key })).toMatchObject({ limit, remaining: limit - 1 });
  }
});
