import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/adaptive-concurrency.ts';
import { KEYED_BY_ITSELF } from '../brands.ts';
import type { Limiter } from '../limiter.ts';
import { concurrency } from '../limiters/concurrency.ts';
import { fixedWindow } from '../limiters/fixed-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { keyed } from './keyed.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const spend = (limiter: Limiter, key: string): number => {
  let count = 0;
  while (limiter.tryAcquire({ key })) count++;
  return count;
};

describe('keyed with a limiter function', () => {
  it.each<[string, (...keys: string[]) => ReturnType<typeof tokenBucket>]>([
    ['one parameter', (_key) => tokenBucket({ clock, burst: 2 })],
    ['no parameter', () => tokenBucket({ clock, burst: 2 })],
    ['rest parameters', (..._keys) => tokenBucket({ clock, burst: 2 })],
    ['a default parameter', (_key = 'x') => tokenBucket({ clock, burst: 2 })],
  ])('creates one limiter per key if the function has %s', (_, limiter) => {
    const made: string[] = [];
    const perKey = keyed({
      limiter: (key) => {
        made.push(key);
        return limiter(key);
      },
    });
    expect(spend(perKey, 'a')).toBe(2);
    expect(spend(perKey, 'b')).toBe(2);
    expect(spend(perKey, 'a')).toBe(0);
    expect(made).toEqual(['a', 'b']);
    expect(perKey.stats()).toMatchObject({ keys: 2, allowed: 4, rejected: 3 });
  });

  it('takes the limit from the key', () => {
    const perUser = keyed({
      limiter: (key) => tokenBucket({ clock, burst: key.startsWith('gold') ? 5 : 2 }),
    });
    expect(spend(perUser, 'gold-1')).toBe(5);
    expect(spend(perUser, 'tin-1')).toBe(2);
    expect(() => perUser.take({ key: 'tin-1', cost: 3 })).toThrow(/more than can ever/);
  });

  it('may create limiters of several kinds', () => {
    const perKey = keyed({
      limiter: (key): Limiter =>
        key === 'a' ? tokenBucket({ clock }) : concurrency({ clock, limit: 1 }),
    });
    expect(spend(perKey, 'a')).toBe(10);
    expect(spend(perKey, 'b')).toBe(1);
  });

  it('peeks at a new key without keeping it', () => {
    const perKey = keyed({ limiter: (key) => concurrency({ clock, limit: key.length }) });
    expect(perKey.peek({ key: 'abc' })).toMatchObject({ limit: 3, remaining: 3 });
    expect(perKey.stats().keys).toBe(0);
    const held = perKey.tryAcquire({ key: 'abc' });
    expect(perKey.peek({ key: 'abc' })).toMatchObject({ limit: 3, remaining: 2 });
    held?.release();
  });

  it('refuses the same limiter for two keys', () => {
    const one = tokenBucket({ clock });
    const perKey = keyed({ limiter: () => one, name: 'api' });
    expect(perKey.tryAcquire({ key: 'a' })).toBeDefined();
    expect(() => perKey.tryAcquire({ key: 'b' })).toThrow(
      /^api: the limiter function returned the same limiter for two keys\. Create a new one/,
    );
    expect(() => perKey.peek({ key: 'c' })).toThrow(TypeError);
    expect(perKey.stats().keys).toBe(1);
  });

  it('accepts the same limiter again for its own key', () => {
    const kept = new Map<string, Limiter>();
    const perKey = keyed({
      limiter: (key) => {
        const limiter = kept.get(key) ?? tokenBucket({ clock });
        kept.set(key, limiter);
        return limiter;
      },
    });
    expect(spend(perKey, 'a')).toBe(10);
    expect(perKey.forget('a')).toBe(true);
    expect(spend(perKey, 'a')).toBe(0);
  });

  it('refuses limiters that are keyed by themselves', () => {
    const nested = keyed({ limiter: () => keyed({ template: tokenBucket({ clock }) }) });
    expect(() => nested.tryAcquire({ key: 'a' })).toThrow(
      /keyed by itself \(a shared or keyed one\)\. Use that limiter directly/,
    );
    const shared = Object.assign(tokenBucket({ clock }), { [KEYED_BY_ITSELF]: true });
    expect(() => keyed({ limiter: () => shared }).peek({ key: 'a' })).toThrow(TypeError);
  });

  it.each([undefined, null, 7, {}, Promise.resolve()])(
    'refuses a function that returns %s',
    (value) => {
      const perKey = keyed({ limiter: () => value as never });
      expect(() => perKey.tryAcquire({ key: 'a' })).toThrow(/must return a limiter/);
    },
  );

  it('takes over the rejection of an asynchronous function', async () => {
    const unhandled: unknown[] = [];
    const record = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', record);
    try {
      const limiter = (async () => {
        throw new Error('no such user');
      }) as never;
      const perKey = keyed({ limiter, clock });
      expect(() => perKey.tryAcquire({ key: 'a' })).toThrow(/must return a limiter/);
      expect(() => perKey.peek({ key: 'a' })).toThrow(/must return a limiter/);
      await expect(perKey.execute(() => 1, { key: 'a' })).rejects.toThrow(/must return a limiter/);
      await settle();
    } finally {
      process.off('unhandledRejection', record);
    }
    expect(unhandled).toEqual([]);
  });

  const fail = (): never => {
    throw new Error('a bug');
  };

  it.each<[string, object]>([
    ['has no Symbol.dispose', { [Symbol.dispose]: undefined }],
    ['throws when it is disposed of', { [Symbol.dispose]: fail }],
    ['throws in stats', { stats: fail }],
    ['rejects in stats', { stats: () => Promise.reject(new Error('a bug')) }],
    [
      'has a getter that throws in stats',
      { stats: () => Object.create({}, { queued: { get: fail } }) },
    ],
    ...[undefined, null, 'many', { allowed: 'x', queued: Number.NaN, inFlight: -1 }].map(
      (stats): [string, object] => [`reports ${JSON.stringify(stats)}`, { stats: () => stats }],
    ),
  ])('can use a foreign limiter that %s', async (_, broken) => {
    const perKey = keyed({
      limiter: () => Object.assign(tokenBucket({ clock }), broken),
      maxKeys: 1,
      clock,
    });
    expect(perKey.tryAcquire({ key: 'a' })).toBeDefined();
    expect(perKey.tryAcquire({ key: 'b' })).toBeDefined();
    await expect(perKey.execute(() => 'done', { key: 'b' })).resolves.toBe('done');
    const { keys, evictions, queued, allowed } = perKey.stats();
    expect({ keys, evictions, queued }).toEqual({ keys: 1, evictions: 1, queued: 0 });
    expect(allowed).toBeGreaterThanOrEqual(0);
    expect(perKey.forget('b')).toBe(true);
    clock.jump(3_600_000);
    expect(perKey.stats().keys).toBe(0);
  });

  it('changes nothing when the function throws', () => {
    const perKey = keyed({
      limiter: (key) => {
        if (key === 'bad') throw new Error('no such user');
        return tokenBucket({ clock });
      },
      maxKeys: 1,
    });
    spend(perKey, 'a');
    expect(() => perKey.tryAcquire({ key: 'bad' })).toThrow('no such user');
    expect(perKey.stats().evictions).toBe(0);
    expect(spend(perKey, 'a')).toBe(0);
  });

  it('gives each key its own permits, and keeps keys whose permits are in use', async () => {
    const limiter = keyed({ limiter: () => concurrency({ clock, limit: 1 }), maxKeys: 2 });
    const a = limiter.tryAcquire({ key: 'a' });
    const b = limiter.tryAcquire({ key: 'b' });
    expect(limiter.tryAcquire({ key: 'a' })).toBeUndefined();
    expect(limiter.tryAcquire({ key: 'c' })).toBeUndefined();
    expect(limiter.take({ key: 'c' })).toMatchObject({ allowed: false, lease: undefined });
    const refused = { reason: 'keys', limit: 2, refused: true };
    await expect(limiter.acquire({ key: 'c' })).rejects.toMatchObject(refused);
    await expect(limiter.execute(() => 1, { key: 'c' })).rejects.toMatchObject(refused);
    a?.release();
    expect(limiter.tryAcquire({ key: 'c' })?.cost).toBe(1);
    expect(limiter.stats()).toMatchObject({ keys: 2, evictions: 1, allowed: 3, rejected: 5 });
    b?.release();
  });

  it('removes idle keys, but none that is in use', () => {
    const limiter = keyed({ limiter: () => concurrency({ clock }), idleMs: 1000, clock });
    const held = limiter.tryAcquire({ key: 'a' });
    limiter.tryAcquire({ key: 'b' })?.release();
    clock.jump(1000);
    expect(limiter.stats()).toMatchObject({ keys: 1, allowed: 2 });
    held?.release();
    expect(limiter.forget('a')).toBe(true);
    expect(limiter.stats()).toMatchObject({ keys: 0, allowed: 2 });
  });

  it('does not remove a rate limiter before its limit has recovered', () => {
    const daily = keyed({ limiter: () => fixedWindow({ clock, windowMs: 86_400_000 }), clock });
    daily.tryAcquire({ key: 'a' });
    clock.jump(3_600_000);
    expect(daily.stats().keys).toBe(1);
    const hasty = keyed({ limiter: () => tokenBucket({ clock }), idleMs: 5999, clock });
    expect(() => hasty.tryAcquire({ key: 'a' })).toThrow(
      /idleMs must be a number >= 6000, got 5999/,
    );
  });

  it('returns the leases of the limiters that it creates', () => {
    const limiter = keyed({
      limiter: () => adaptiveConcurrency({ clock, algorithm: 'aimd', backoffRatio: 0.5 }),
    });
    limiter.tryAcquire({ key: 'a' })?.overloaded();
    expect(limiter.peek({ key: 'a' })).toMatchObject({ limit: 5 });
    expect(limiter.peek({ key: 'b' })).toMatchObject({ limit: 10 });
  });

  it('waits for permits per key', async () => {
    const limiter = keyed({ limiter: () => concurrency({ clock, limit: 1 }), clock });
    const held = limiter.tryAcquire({ key: 'a' });
    const waiting = limiter.execute(() => 'done', { key: 'a' });
    await settle();
    expect(limiter.stats().queued).toBe(1);
    await expect(limiter.execute(() => 'other', { key: 'b' })).resolves.toBe('other');
    held?.release();
    await expect(waiting).resolves.toBe('done');
  });
});
