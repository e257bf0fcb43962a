import { ManualClock, settle } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { INVALID_CHANGES } from '../../test/invalid-changes.ts';
import { keyed } from '../keyed/keyed.ts';
import { concurrency } from '../limiters/concurrency.ts';
import { fixedWindow } from '../limiters/fixed-window.ts';
import { gcra } from '../limiters/gcra.ts';
import { slidingWindow } from '../limiters/sliding-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { MemoryRateLimitStore } from '../shared/memory-store.ts';
import { sharedConcurrency } from '../shared/shared-concurrency.ts';
import { sharedRateLimit } from '../shared/shared-rate-limit.ts';
import type { RateControls } from './rate-controls.ts';
import type { RatePlan } from './rate-plans.ts';

let clock: ManualClock;
let plans: Record<string, RatePlan>;
beforeEach(() => {
  clock = new ManualClock();
  plans = {};
});

const HOUR = 3_600_000;
const rate = { limit: 10, windowMs: HOUR };
const kinds = {
  'token-bucket': () => tokenBucket({ clock, ...rate, burst: 10 }),
  gcra: () => gcra({ clock, ...rate, burst: 10 }),
  'sliding-window': () => slidingWindow({ clock, ...rate }),
  'fixed-window': () => fixedWindow({ clock, ...rate }),
};
type Kind = keyof typeof kinds;
const KINDS = Object.keys(kinds) as Kind[];
const burstOf = (kind: Kind): { burst?: number } =>
  kind === 'token-bucket' || kind === 'gcra' ? { burst: 10 } : {};
const plan = (key: string): RatePlan | undefined => plans[key];

/** What every rate limiter with keys and changes has, whether it answers at once or later. */
type Limits = Pick<ReturnType<typeof keyed> | ReturnType<typeof sharedRateLimit>, 'take' | 'peek'> &
  RateControls<void | Promise<void>>;

const homes: Record<string, (kind: Kind) => Limits> = {
  'of one process': (kind) => keyed({ template: kinds[kind](), plan }),
  'with a limiter per key': (kind) => keyed({ limiter: kinds[kind] }),
  'shared, exact': (algorithm) =>
    sharedRateLimit({
      ...{ name: 'api', store: new MemoryRateLimitStore(clock), clock, nodes: 1 },
      ...{ algorithm, ...rate, ...burstOf(algorithm), plan },
    }),
  'shared, leased': (algorithm) =>
    sharedRateLimit({
      ...{ name: 'api', store: new MemoryRateLimitStore(clock), clock, nodes: 1 },
      ...{ algorithm, ...rate, ...burstOf(algorithm), plan, mode: 'leased' as const },
    }),
};
const everywhere = Object.keys(homes).flatMap((home) => KINDS.map((kind) => [home, kind] as const));

describe.each(everywhere)('a rate limit %s (%s)', (home, kind) => {
  it('charges, credits, blocks and resets a key', async () => {
    const limits = homes[home]!(kind);
    const key = 'ann';
    await limits.penalty(4, { key });
    expect(await limits.peek({ key })).toMatchObject({ remaining: 6 });
    await limits.reward(2, { key });
    expect(await limits.peek({ key })).toMatchObject({ remaining: 8 });
    await limits.penalty(1e6, { key });
    expect(await limits.peek({ key })).toMatchObject({ remaining: 0 });
    await limits.reward(1e6, { key });
    expect(await limits.peek({ key })).toMatchObject({ remaining: 10 });
    await limits.block(5000, { key });
    expect(await limits.peek({ key })).toMatchObject({ remaining: 0, resetMs: 5000 });
    const refused = await limits.take({ key });
    expect(refused).toMatchObject({ allowed: false, remaining: 0, lease: undefined });
    // A leased limit does not ask more often than once per `budgetMs`.
    expect([refused.retryAfterMs, 1000]).toContain(home === 'shared, leased' ? 1000 : 5000);
    expect(await limits.take({ key: 'bob' })).toMatchObject({ allowed: true });
    await clock.advance(5000);
    expect(await limits.take({ key })).toMatchObject({ allowed: true });
    await limits.block(5000, { key });
    await limits.block(0, { key });
    expect(await limits.take({ key })).toMatchObject({ allowed: true });
    await limits.block(5000, { key });
    await limits.reset({ key });
    expect(await limits.peek({ key })).toMatchObject({ remaining: 10 });
    await limits.reset({ key: 'unknown' });
    await limits.reward(1, { key: 'unknown' });
  });

  it.each(INVALID_CHANGES)(
    'refuses %s(%s), and other options than a key',
    async (method, value, message) => {
      const limits = homes[home]!(kind);
      const change = async (...args: unknown[]): Promise<void> =>
        limits[method](...(args as [number, object]));
      await expect(change(value, { key: 'ann' })).rejects.toThrow(message);
      await expect(change(1, { keys: 'x' })).rejects.toThrow(TypeError);
      await expect((async () => limits.reset({ key: 5 } as never))()).rejects.toThrow(TypeError);
    },
  );
});

const planned = everywhere.filter(([home]) => home !== 'with a limiter per key');
describe.each(planned)('a rate limit with plans %s (%s)', (home, kind) => {
  it('follows the plan of a key', async () => {
    const limits = homes[home]!(kind);
    const key = 'ann';
    const of = (limit: number): RatePlan =>
      burstOf(kind).burst === undefined ? { limit } : { limit, burst: limit };
    for (let i = 0; i < 6; i++) await limits.take({ key });
    plans.ann = of(100);
    expect(await limits.peek({ key })).toMatchObject({ remaining: 94, limit: 100 });
    expect(await limits.take({ key, cost: 20 })).toMatchObject({ allowed: true });
    plans.ann = of(8);
    expect(await limits.take({ key })).toMatchObject({ allowed: false, limit: 8 });
    // What was used under the larger rule is not forgotten by a change back and forth.
    plans.ann = of(100);
    expect((await limits.peek({ key })).remaining).toBeLessThanOrEqual(74);
    expect(await limits.peek({ key: 'bob' })).toMatchObject({ limit: 10 });
    plans.ann = of(5);
    await expect((async () => limits.take({ key, cost: 6 }))()).rejects.toMatchObject({
      reason: 'cost',
    });
  });
});

describe('a call that waits', () => {
  const all: [string, () => ReturnType<typeof tokenBucket> | ReturnType<typeof perKey>][] = [
    ['at a limiter', () => kinds['token-bucket']()],
    ['at a key', () => perKey()],
  ];
  const perKey = () => keyed({ template: kinds['token-bucket'](), plan });
  const key = 'ann';

  it.each(all)('%s goes ahead when units are given back', async (_, make) => {
    const limiter = make();
    limiter.take({ cost: 10, key });
    const first = limiter.acquire({ key });
    const second = limiter.acquire({ key });
    await settle();
    limiter.reward(1, { key });
    await expect(first).resolves.toBeDefined();
    limiter.reset({ key });
    await expect(second).resolves.toBeDefined();
  });

  it.each(all)('%s waits until a block ends, and a new one knows it', async (_, make) => {
    const limiter = make();
    limiter.block(5000, { key });
    await expect(limiter.acquire({ key, maxWaitMs: 4999 })).rejects.toMatchObject({
      reason: 'deadline',
    });
    let passed = false;
    const call = limiter.acquire({ key, maxWaitMs: 5000 }).then(() => {
      passed = true;
    });
    await clock.advance(4998);
    expect(passed).toBe(false);
    await clock.advance(2);
    await call;
  });

  it('is refused when the limit of its key is lowered below its cost', async () => {
    const limiter = perKey();
    limiter.take({ key, cost: 10 });
    const large = limiter.acquire({ key, cost: 9 });
    const small = limiter.acquire({ key });
    plans.ann = { burst: 5 };
    limiter.peek({ key });
    await expect(large).rejects.toMatchObject({ reason: 'cost' });
    await clock.advance(HOUR);
    await expect(small).resolves.toBeDefined();
  });

  it('at a shared limit is refused likewise, and holds up no other', async () => {
    const store = new MemoryRateLimitStore(clock);
    const more = { name: 'api', store, clock, nodes: 1 };
    const limiter = sharedRateLimit({ ...more, ...rate, burst: 10, plan });
    await limiter.take({ key, cost: 10 });
    const large = limiter.acquire({ key, cost: 9 });
    const small = limiter.acquire({ key });
    const outcome = expect(large).rejects.toMatchObject({ reason: 'cost' });
    await settle();
    plans.ann = { burst: 5 };
    await clock.advance(HOUR);
    await outcome;
    await expect(small).resolves.toBeDefined();
  });

  it('at shared permits is refused likewise, and follows a raised limit', async () => {
    const store = new MemoryRateLimitStore(clock);
    let limit = 2;
    const pool = sharedConcurrency({
      ...{ name: 'pool', store, clock, nodes: 1, limit: 5 },
      plan: (id) => (id === key ? { limit } : undefined),
    });
    const held = await pool.acquire({ key, cost: 2 });
    expect(await pool.take({ key })).toMatchObject({ allowed: false, limit: 2 });
    expect(await pool.peek({ key: 'bob' })).toMatchObject({ limit: 5, remaining: 5 });
    const large = pool.acquire({ key, cost: 2 });
    const outcome = expect(large).rejects.toMatchObject({ reason: 'cost' });
    await settle();
    limit = 1;
    await clock.advance(100);
    await outcome;
    limit = 3;
    const small = await pool.acquire({ key });
    small.release();
    held.release();
    await expect(pool.acquire({ key, cost: 4 })).rejects.toMatchObject({ reason: 'cost' });
  });
});

describe('a blocked key', () => {
  it('is not removed for fresh keys, nor for being idle', async () => {
    const limiter = keyed({ template: kinds['token-bucket'](), maxKeys: 50 });
    limiter.block(HOUR * 24, { key: 'bad' });
    for (let i = 0; i < 500; i++) limiter.take({ key: `k${i}` });
    expect(limiter.take({ key: 'bad' })).toMatchObject({ allowed: false });
    await clock.advance(HOUR * 23);
    expect(limiter.stats().keys).toBe(1);
    expect(limiter.take({ key: 'bad' })).toMatchObject({ allowed: false });
  });
});

describe('keyed', () => {
  it('has no changes for keys whose limiters are no rate limiters', () => {
    const limiter = keyed({ limiter: () => concurrency({ clock }) });
    const changes = limiter as unknown as RateControls;
    expect(() => changes.block(5, { key: 'a' })).toThrow(/only rate limiters/);
    expect(() => changes.penalty(1, { key: 'a' })).toThrow(TypeError);
    expect(() => keyed({ limiter: () => concurrency(), plan: () => undefined } as never)).toThrow(
      /plan changes the rule of a template/,
    );
  });

  it('changes one key by its own policy', () => {
    const limiter = keyed({ template: kinds['token-bucket']() });
    const ann = limiter.for('ann');
    ann.penalty(3);
    ann.reward(1, { key: 'bob' });
    expect(ann.peek()).toMatchObject({ remaining: 8 });
    ann.block(10);
    expect(ann.take()).toMatchObject({ allowed: false, retryAfterMs: 10 });
    ann.reset();
    expect(limiter.peek({ key: 'ann' })).toMatchObject({ remaining: 10 });
  });
});

describe('a bucket of one process', () => {
  it('forgets the rule of a key with everything else when it is reset, as a shared one does', async () => {
    clock = new ManualClock();
    plans = {};
    const left: number[] = [];
    for (const home of ['of one process', 'shared, exact']) {
      plans = {};
      const limits = homes[home]!('token-bucket');
      const key = 'ann';
      await limits.take({ key, cost: 1 });
      await limits.reset({ key });
      plans.ann = { limit: 4, burst: 4 };
      await limits.penalty(5, { key });
      plans.ann = { limit: 40, burst: 40 };
      left.push((await limits.take({ key, cost: 1 })).remaining);
    }
    expect(left[0]).toBe(left[1]);
  });

  it('makes nothing of units that are given back to a key nobody has used, as a shared one does', async () => {
    clock = new ManualClock();
    const left: number[] = [];
    for (const home of ['of one process', 'shared, exact']) {
      plans = {};
      const limits = homes[home]!('token-bucket');
      const key = 'ann';
      await limits.reward(1, { key });
      plans.ann = { limit: 4, burst: 4 };
      await limits.penalty(5, { key });
      plans.ann = { limit: 400, burst: 400 };
      left.push((await limits.take({ key, cost: 1 })).remaining);
    }
    expect(left).toEqual([395, 395]);
  });

  it('forgets its rules when nothing is in use under any of them, as a shared one does', async () => {
    clock = new ManualClock();
    const answers: unknown[] = [];
    for (const home of ['of one process', 'shared, exact']) {
      plans = {};
      const limits = homes[home]!('token-bucket');
      const key = 'ann';
      await limits.take({ key, cost: 1 });
      await limits.reward(1, { key });
      plans.ann = { limit: 4, burst: 4 };
      await limits.penalty(5, { key });
      plans.ann = { limit: 40, burst: 40 };
      answers.push((await limits.take({ key, cost: 1 })).remaining);
      await limits.reset({ key });
    }
    expect(answers).toEqual([35, 35]);
  });

  it('answers as a shared one does, whatever plans and changes', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('take'), n: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ do: fc.constant('pass'), n: fc.constantFrom(1, 50, 1000, 60_000, HOUR) }),
      fc.record({ do: fc.constant('plan'), n: fc.constantFrom(4, 10, 40, 400) }),
      fc.record({ do: fc.constantFrom('penalty', 'reward'), n: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ do: fc.constant('block'), n: fc.constantFrom(0, 500, 5000) }),
      fc.record({ do: fc.constant('reset'), n: fc.constant(0) }),
    );
    const reach = new Reach('allowed', 'refused', 'charged more than there was');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Kind>('token-bucket', 'gcra'),
        fc.array(step, { maxLength: 60 }),
        async (kind, steps) => {
          clock = new ManualClock();
          plans = {};
          const [local, remote] = [homes['of one process']!(kind), homes['shared, exact']!(kind)];
          const key = 'ann';
          let remaining = Number.POSITIVE_INFINITY;
          for (const { do: what, n } of steps) {
            reach.count('charged more than there was', what === 'penalty' && n > remaining);
            if (what === 'pass') clock.jump(n);
            else if (what === 'plan') plans.ann = { limit: n, burst: n };
            else if (what === 'take') {
              const [here, there] = [
                await local.take({ key, cost: n }),
                await remote.take({ key, cost: n }),
              ];
              expect(here.allowed).toBe(there.allowed);
              reach.count(here.allowed ? 'allowed' : 'refused');
              remaining = here.remaining;
              expect(here.remaining).toBe(there.remaining);
              expect(here.retryAfterMs).toBeCloseTo(there.retryAfterMs!, 2);
            } else {
              for (const limits of [local, remote]) {
                if (what === 'reset') await limits.reset({ key });
                else await limits[what as 'block'](n, { key });
              }
            }
          }
        },
      ),
      { numRuns: 300 },
    );
    reach.expectAll(50);
  });
});
