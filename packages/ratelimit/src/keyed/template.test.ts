import { ManualClock, settle } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { fixedWindow } from '../limiters/fixed-window.ts';
import { gcra } from '../limiters/gcra.ts';
import { slidingWindow } from '../limiters/sliding-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { keyed } from './keyed.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const spend = (limiter: { tryAcquire(options: { key: string }): unknown }, key: string): number => {
  let count = 0;
  while (limiter.tryAcquire({ key })) count++;
  return count;
};

describe('keyed with a template', () => {
  it('gives each key the whole limit', () => {
    const limiter = keyed({ template: tokenBucket({ clock }) });
    expect(spend(limiter, 'a')).toBe(10);
    expect(spend(limiter, 'b')).toBe(10);
    expect(spend(limiter, 'a')).toBe(0);
    expect(limiter.stats()).toMatchObject({ keys: 2, allowed: 20, rejected: 3, evictions: 0 });
    expect(limiter.name).toBe('token-bucket');
  });

  it('decides for every key as a limiter of its own does', () => {
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
    const reach = new Reach('allowed', 'refused');
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.array(step, { maxLength: 60 }), (make, script) => {
        clock = new ManualClock();
        const limiter = keyed({ template: make() });
        const own = new Map<string, ReturnType<typeof make>>();
        for (const { key, cost, ms } of script) {
          clock.jump(ms);
          const alone = own.get(key) ?? make();
          own.set(key, alone);
          expect(limiter.peek({ key })).toEqual(alone.peek());
          const decision = limiter.take({ key, cost });
          expect(decision).toEqual(alone.take({ cost }));
          reach.count(decision.allowed ? 'allowed' : 'refused');
          expect(limiter.tryAcquire({ key })).toEqual(alone.tryAcquire());
        }
      }),
    );
    reach.expectAll(50);
  });

  it('waits per key, in order of arrival', async () => {
    const limiter = keyed({ template: tokenBucket({ clock }) });
    spend(limiter, 'a');
    const order: string[] = [];
    const run = (key: string, name: string) => limiter.execute(() => order.push(name), { key });
    const all = [run('a', 'a1'), run('b', 'b1'), run('a', 'a2')];
    await settle();
    expect(order).toEqual(['b1']);
    expect(limiter.stats().queued).toBe(2);
    expect(limiter.tryAcquire({ key: 'a' })).toBeUndefined();
    await clock.advance(1200);
    await Promise.all(all);
    expect(order).toEqual(['b1', 'a1', 'a2']);
    expect(limiter.stats()).toMatchObject({ queued: 0, delayed: 2 });
    expect(clock.pending).toBe(0);
  });

  it('removes the least recently used key when there is no room', () => {
    const limiter = keyed({ template: tokenBucket({ clock }), maxKeys: 2 });
    spend(limiter, 'a');
    spend(limiter, 'b');
    limiter.tryAcquire({ key: 'a' });
    limiter.tryAcquire({ key: 'c' });
    expect(limiter.stats()).toMatchObject({ keys: 2, evictions: 1 });
    expect(spend(limiter, 'a')).toBe(0);
    expect(spend(limiter, 'b')).toBe(10);
  });

  it('keeps the keys that calls wait for, and refuses a new key when there are only such keys', async () => {
    const limiter = keyed({ template: tokenBucket({ clock, burst: 1 }), maxKeys: 2 });
    for (const key of ['a', 'b']) limiter.tryAcquire({ key });
    const waiting = ['a', 'b'].map((key) => limiter.acquire({ key }));
    await settle();
    expect(limiter.tryAcquire({ key: 'c' })).toBeUndefined();
    await expect(limiter.acquire({ key: 'c' })).rejects.toMatchObject({ reason: 'keys', limit: 2 });
    await clock.advance(600);
    await Promise.all(waiting);
    expect(limiter.tryAcquire({ key: 'c' })).toBeDefined();
    expect(limiter.stats()).toMatchObject({ keys: 2, evictions: 1 });
  });

  it('can remove a key again when the calls that waited for it have left or were refused', async () => {
    const limiter = keyed({ template: tokenBucket({ clock, burst: 1 }), maxKeys: 1 });
    limiter.tryAcquire({ key: 'a' });
    const controller = new AbortController();
    const aborted = limiter.acquire({ key: 'a', signal: controller.signal });
    await settle();
    controller.abort('gone');
    await expect(aborted).rejects.toBe('gone');
    expect(limiter.tryAcquire({ key: 'b' })).toBeDefined();
    await expect(limiter.acquire({ key: 'b', maxWaitMs: 1 })).rejects.toMatchObject({
      reason: 'deadline',
    });
    expect(limiter.tryAcquire({ key: 'c' })).toBeDefined();
    expect(limiter.stats().evictions).toBe(2);
  });

  it('removes idle keys without a timer', async () => {
    const limiter = keyed({ template: tokenBucket({ clock }), idleMs: 6000 });
    for (const key of ['a', 'b', 'c']) limiter.tryAcquire({ key });
    await clock.advance(5999);
    limiter.tryAcquire({ key: 'c' });
    expect(limiter.stats().keys).toBe(3);
    await clock.advance(1);
    expect(limiter.stats()).toMatchObject({ keys: 1, evictions: 0 });
    expect(clock.pending).toBe(0);
  });

  it('does not remove a key before its limit has recovered', () => {
    expect(() => keyed({ template: tokenBucket({ clock }), idleMs: 5999 })).toThrow(
      'token-bucket: idleMs must be a number >= 6000, got 5999.',
    );
    const slow = keyed({ template: fixedWindow({ clock, windowMs: 86_400_000 }) });
    slow.tryAcquire({ key: 'a' });
    clock.jump(3_600_000);
    expect(slow.stats().keys).toBe(1);
  });

  it('forgets a key on demand, unless it is in use', async () => {
    const limiter = keyed({ template: tokenBucket({ clock }) });
    spend(limiter, 'a');
    expect(limiter.forget('a')).toBe(true);
    expect(limiter.forget('a')).toBe(false);
    expect(spend(limiter, 'a')).toBe(10);
    const waiting = limiter.acquire({ key: 'a' });
    await settle();
    expect(limiter.forget('a')).toBe(false);
    await clock.advance(600);
    await waiting;
  });

  it('stays bounded over a million keys', () => {
    const limiter = keyed({ template: tokenBucket({ clock }), maxKeys: 1000 });
    for (let i = 0; i < 1_000_000; i++) limiter.tryAcquire({ key: `key-${i % 500_000}` });
    expect(limiter.stats()).toMatchObject({ keys: 1000, evictions: 999_000, allowed: 1_000_000 });
  });
});
