import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { keyed } from './keyed/keyed.ts';
import { concurrency } from './limiters/concurrency.ts';
import { tokenBucket } from './limiters/token-bucket.ts';
import { type SettleableLimiter, type SettledLimiter, settled } from './settled.ts';
import { MemoryRateLimitStore } from './shared/memory-store.ts';
import { sharedRateLimit } from './shared/shared-rate-limit.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

interface Answer {
  readonly used: number;
}
const byUse = ({ ok, value }: { ok: boolean; value?: Answer }) => (ok ? value!.used : 0);
const RULE = { limit: 60, windowMs: 60_000, burst: 10 };

/** Limiters of ten units, and how many of them a key has left. */
const limiters: [string, () => [SettleableLimiter, () => Promise<number> | number]][] = [
  [
    'one',
    () => {
      const limiter = tokenBucket({ clock, ...RULE });
      return [limiter, () => limiter.peek().remaining];
    },
  ],
  [
    'a keyed one',
    () => {
      const limiter = keyed({ template: tokenBucket({ clock, ...RULE }) });
      return [limiter, () => limiter.peek({ key: 'ann' }).remaining];
    },
  ],
  [
    'a shared one',
    () => {
      const store = new MemoryRateLimitStore(clock);
      const limiter = sharedRateLimit({ name: 'shared', clock, store, nodes: 1, ...RULE });
      return [limiter, async () => (await limiter.peek({ key: 'ann' })).remaining];
    },
  ],
];

describe.each(limiters)('a limiter that is settled, %s', (_, make) => {
  let policy: SettledLimiter<SettleableLimiter>;
  let left: () => Promise<number> | number;
  beforeEach(() => {
    const [limiter, remaining] = make();
    policy = settled({ limiter, cost: byUse, clock });
    left = remaining;
  });
  const key = 'ann';

  it('has the name of its limiter, and its statistics', () => {
    expect(policy).toHaveProperty('name', make()[0].name);
    expect(policy.stats()).toMatchObject({ allowed: 0 });
  });

  it('charges less than was taken', async () => {
    const answer = await policy.execute(async () => ({ used: 2 }), { key, cost: 6 });
    expect(answer).toEqual({ used: 2 });
    await settle();
    expect(await left()).toBe(8);
  });

  it('charges more than was taken, as far as it is there', async () => {
    await policy.execute(async () => ({ used: 5 }), { key });
    await settle();
    expect(await left()).toBe(5);
    await policy.execute(async () => ({ used: 500 }), { key });
    await settle();
    expect(await left()).toBe(0);
  });

  it('charges a failure as its function says', async () => {
    const failure = policy.execute(() => Promise.reject(new Error('no')), { key, cost: 4 });
    await expect(failure).rejects.toThrow('no');
    await settle();
    expect(await left()).toBe(10);
  });

  it('charges nothing for a call that a policy inside has refused', async () => {
    const full = concurrency({ limit: 1, maxQueue: 0, clock });
    full.tryAcquire();
    const cost = vi.fn(() => 5);
    const [limiter, remaining] = make();
    const inner = settled({ limiter, cost, clock });
    const call = inner.execute((parent) => full.execute(() => 1, { parent }), { key, cost: 4 });
    await expect(call).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    await settle();
    expect(cost).not.toHaveBeenCalled();
    expect(await remaining()).toBe(10);
  });

  it('waits for its turn until the deadline, and refuses a call that has none by then', async () => {
    await policy.execute(async () => ({ used: 10 }), { key, cost: 10 });
    const refused = policy.execute(async () => ({ used: 1 }), { key, timeoutMs: 500 });
    await expect(refused).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    const served = policy.execute(async () => ({ used: 1 }), { key, timeoutMs: 5_000 });
    await clock.advance(1_100);
    await expect(served).resolves.toEqual({ used: 1 });
  });

  it('gives back what a cancelled call had taken before it began', async () => {
    await policy.execute(async () => ({ used: 10 }), { key, cost: 10 });
    const controller = new AbortController();
    const operation = vi.fn(async () => ({ used: 1 }));
    const call = policy.execute(operation, { key, signal: controller.signal });
    await settle();
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect(operation).not.toHaveBeenCalled();
    clock.jump(10_000);
    expect(await left()).toBe(10);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => JSON.parse('{')],
    ['returns a promise', async () => 0],
    ['returns NaN', () => Number.NaN],
    ['returns infinity', () => Number.POSITIVE_INFINITY],
    ['returns nothing', () => undefined],
  ])('costs what it has taken when its function %s', async (_, cost) => {
    const [limiter, remaining] = make();
    const odd = settled({ limiter, cost: cost as () => number, clock });
    expect(await odd.execute(() => 'answer', { key, cost: 3 })).toBe('answer');
    await settle();
    expect(await remaining()).toBe(7);
  });
});

describe('settled', () => {
  it('refuses what is no limiter, and options it does not know', () => {
    const limiter = tokenBucket({ clock });
    const cost = () => 1;
    expect(() => settled({ limiter: {} as never, cost })).toThrow(TypeError);
    expect(() => settled({ limiter } as never)).toThrow(/cost must be a function/);
    expect(() => settled({ limiter, cost, costs: 1 } as never)).toThrow(/costs/);
    expect(() => settled(null as never)).toThrow(TypeError);
  });
});
