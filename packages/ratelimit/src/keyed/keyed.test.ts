import { ManualClock, settle } from '@temper/testkit';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { concurrency } from './concurrency-limiter.ts';
import { keyed } from './keyed.ts';
import { fixedWindow, gcra, slidingWindow, tokenBucket } from './rate-limits.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const spend = (limiter: { tryAcquire(key: string): unknown }, key: string): number => {
  let count = 0;
  while (limiter.tryAcquire(key)) count++;
  return count;
};

describe('keyed rate limiters', () => {
  it('give each key the whole limit', () => {
    const limiter = keyed(() => tokenBucket({ clock }));
    expect(spend(limiter, 'a')).toBe(10);
    expect(spend(limiter, 'b')).toBe(10);
    expect(spend(limiter, 'a')).toBe(0);
    expect(limiter.stats()).toMatchObject({ keys: 2, allowed: 20, rejected: 3, evictions: 0 });
    expect(limiter.name).toBe('token-bucket');
  });

  it('decide for every key as a limiter of its own would', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      cost: fc.integer({ min: 1, max: 3 }),
      ms: fc.integer({ min: 0, max: 2000 }),
    });
    const kinds = [
      () => tokenBucket({ clock, limit: 20, windowMs: 10_000, burst: 4 }),
      () => gcra({ clock, limit: 20, windowMs: 10_000, burst: 4 }),
      () => fixedWindow({ clock, limit: 5, windowMs: 5000 }),
      () => slidingWindow({ clock, limit: 5, windowMs: 5000 }),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.array(step, { maxLength: 60 }), (make, script) => {
        clock = new ManualClock();
        const limiter = keyed(make);
        const own = new Map<string, ReturnType<typeof make>>();
        for (const { key, cost, ms } of script) {
          clock.jump(ms);
          const alone = own.get(key) ?? make();
          own.set(key, alone);
          expect(limiter.quota(key)).toEqual(alone.quota());
          expect(limiter.check(key, cost)).toEqual(alone.check(cost));
          expect(limiter.tryAcquire(key)).toBe(alone.tryAcquire());
        }
      }),
    );
  });

  it('wait per key, first come, first served', async () => {
    const limiter = keyed(() => tokenBucket({ clock }));
    spend(limiter, 'a');
    const order: string[] = [];
    const run = (key: string, name: string) => limiter.execute(key, () => order.push(name));
    const all = [run('a', 'a1'), run('b', 'b1'), run('a', 'a2')];
    await settle();
    expect(order).toEqual(['b1']);
    expect(limiter.stats().queued).toBe(2);
    expect(limiter.tryAcquire('a')).toBe(false);
    await clock.advance(1200);
    await Promise.all(all);
    expect(order).toEqual(['b1', 'a1', 'a2']);
    expect(limiter.stats()).toMatchObject({ queued: 0, delayed: 2 });
    expect(clock.pending).toBe(0);
  });

  it('forget the key used longest ago when there is no more room', () => {
    const limiter = keyed(() => tokenBucket({ clock }), { maxKeys: 2 });
    spend(limiter, 'a');
    spend(limiter, 'b');
    limiter.tryAcquire('a');
    limiter.tryAcquire('c');
    expect(limiter.stats()).toMatchObject({ keys: 2, evictions: 1 });
    expect(spend(limiter, 'a')).toBe(0);
    expect(spend(limiter, 'b')).toBe(10);
  });

  it('keep the keys that somebody waits for, and refuse a new one when they are all like that', async () => {
    const limiter = keyed(() => tokenBucket({ clock, burst: 1 }), { maxKeys: 2 });
    for (const key of ['a', 'b']) limiter.tryAcquire(key);
    const waiting = ['a', 'b'].map((key) => limiter.acquire(key));
    await settle();
    expect(limiter.tryAcquire('c')).toBe(false);
    await expect(limiter.acquire('c')).rejects.toMatchObject({ reason: 'keys', limit: 2 });
    await clock.advance(600);
    await Promise.all(waiting);
    expect(limiter.tryAcquire('c')).toBe(true);
    expect(limiter.stats()).toMatchObject({ keys: 2, evictions: 1 });
  });

  it('let a key go when those who waited for it have left or were never let in', async () => {
    const limiter = keyed(() => tokenBucket({ clock, burst: 1 }), { maxKeys: 1 });
    limiter.tryAcquire('a');
    const controller = new AbortController();
    const aborted = limiter.acquire('a', { signal: controller.signal });
    await settle();
    controller.abort('gone');
    await expect(aborted).rejects.toBe('gone');
    expect(limiter.tryAcquire('b')).toBe(true);
    await expect(limiter.acquire('b', { deadlineMs: 1 })).rejects.toMatchObject({
      reason: 'deadline',
    });
    expect(limiter.tryAcquire('c')).toBe(true);
    expect(limiter.stats().evictions).toBe(2);
  });

  it('forget idle keys without a timer', async () => {
    const limiter = keyed(() => tokenBucket({ clock }), { idleMs: 6000 });
    for (const key of ['a', 'b', 'c']) limiter.tryAcquire(key);
    await clock.advance(5999);
    limiter.tryAcquire('c');
    expect(limiter.stats().keys).toBe(3);
    await clock.advance(1);
    expect(limiter.stats()).toMatchObject({ keys: 1, evictions: 0 });
    expect(clock.pending).toBe(0);
  });

  it('do not forget a key before its limit is as good as new', () => {
    expect(() => keyed(() => tokenBucket({ clock }), { idleMs: 5999 })).toThrow(
      'token-bucket: idleMs must be a number >= 6000, got 5999.',
    );
    const slow = keyed(() => fixedWindow({ clock, windowMs: 86_400_000 }));
    slow.tryAcquire('a');
    clock.jump(3_600_000);
    expect(slow.stats().keys).toBe(1);
  });

  it('take their limits from the key, when the factory looks at it', () => {
    const asked: string[] = [];
    const limiter = keyed((key) => {
      asked.push(key);
      return tokenBucket({ clock, burst: key.startsWith('gold') ? 5 : 2 });
    });
    expect(limiter.stats().keys).toBe(0);
    expect(spend(limiter, 'gold-1')).toBe(5);
    expect(spend(limiter, 'tin-1')).toBe(2);
    expect(limiter.quota('tin-2').remaining).toBe(2);
    expect(spend(limiter, 'tin-2')).toBe(2);
    expect(asked).toEqual(['gold-1', 'tin-1', 'tin-2', 'tin-2']);
    expect(() => limiter.check('tin-1', 3)).toThrow(/can ever give at once/);
  });

  it('refuse a factory that makes limiters of several kinds', () => {
    const limiter = keyed((key) => (key === 'a' ? tokenBucket({ clock }) : gcra({ clock })));
    limiter.tryAcquire('a');
    expect(() => limiter.tryAcquire('b')).toThrow(/same kind of limiter/);
    expect(limiter.stats().keys).toBe(1);
  });

  it('leave everything as it was when the factory throws', () => {
    const limiter = keyed(
      (key) => {
        if (key === 'bad') throw new Error('no such user');
        return tokenBucket({ clock });
      },
      { maxKeys: 1 },
    );
    spend(limiter, 'a');
    expect(() => limiter.tryAcquire('bad')).toThrow('no such user');
    expect(limiter.stats().evictions).toBe(0);
    expect(spend(limiter, 'a')).toBe(0);
  });

  it('forget a key on demand, unless it is in use', async () => {
    const limiter = keyed(() => tokenBucket({ clock }));
    spend(limiter, 'a');
    expect(limiter.forget('a')).toBe(true);
    expect(limiter.forget('a')).toBe(false);
    expect(spend(limiter, 'a')).toBe(10);
    const waiting = limiter.acquire('a');
    await settle();
    expect(limiter.forget('a')).toBe(false);
    await clock.advance(600);
    await waiting;
  });

  it('wrap a function, and show one key as a policy', async () => {
    const limiter = keyed(() => tokenBucket({ clock, burst: 1, maxQueue: 0 }));
    const greet = limiter.wrap(
      function hello(this: { mark: string }, name: string) {
        return `${name}${this.mark}`;
      },
      (name) => name,
    );
    expect(greet.name).toBe('hello');
    await expect(greet.call({ mark: '!' }, 'ann')).resolves.toBe('ann!');
    await expect(greet.call({ mark: '!' }, 'ann')).rejects.toMatchObject({ reason: 'limit' });
    await expect(limiter.for('bob').execute(() => 1)).resolves.toBe(1);
    expect(await limiter.tryExecute('bob', () => 1)).toMatchObject({ ok: false });
    expect(() => limiter.tryAcquire(undefined as unknown as string)).toThrow(TypeError);
  });

  it('stay bounded while a million keys cycle through', () => {
    const limiter = keyed(() => tokenBucket({ clock }), { maxKeys: 1000 });
    for (let i = 0; i < 1_000_000; i++) limiter.tryAcquire(`key-${i % 500_000}`);
    expect(limiter.stats()).toMatchObject({ keys: 1000, evictions: 999_000, allowed: 1_000_000 });
  });
});

describe('keyed bulkheads', () => {
  it('give each key its own permits, and keep those that are out', () => {
    const limiter = keyed(() => concurrency({ clock, limit: 1 }), { maxKeys: 2 });
    const a = limiter.tryAcquire('a');
    const b = limiter.tryAcquire('b');
    expect(limiter.tryAcquire('a')).toBeUndefined();
    expect(limiter.tryAcquire('c')).toBeUndefined();
    a?.release();
    expect(limiter.tryAcquire('c')?.cost).toBe(1);
    expect(limiter.stats()).toMatchObject({ keys: 2, evictions: 1, allowed: 3, rejected: 2 });
    b?.release();
  });

  it('forget idle keys, but none that is in use', () => {
    const limiter = keyed(() => concurrency({ clock }), { idleMs: 1000, clock });
    const held = limiter.tryAcquire('a');
    limiter.tryAcquire('b')?.release();
    clock.jump(1000);
    expect(limiter.stats()).toMatchObject({ keys: 1, allowed: 2 });
    held?.release();
    expect(limiter.forget('a')).toBe(true);
    expect(limiter.stats()).toMatchObject({ keys: 0, allowed: 2 });
  });

  it('execute under the key', async () => {
    const limiter = keyed((key) => concurrency({ clock, limit: key.length }));
    await expect(limiter.execute('ab', () => 7)).resolves.toBe(7);
    expect(limiter.quota('ab')).toMatchObject({ limit: 2, remaining: 2 });
    expect(limiter.quota('abc')).toMatchObject({ limit: 3 });
  });
});
