import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { RateLimitExceededError } from '../errors.ts';
import { concurrency } from './concurrency.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

/** An operation that ends when it is told to. */
function manual<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (e: unknown) => void;
} {
  return Promise.withResolvers<T>();
}

describe('concurrency', () => {
  it('runs ten calls at a time by default, and passes a freed permit to the call that waits longest', async () => {
    const limiter = concurrency({ clock });
    const calls = Array.from({ length: 12 }, () => manual<number>());
    const started: number[] = [];
    const results = calls.map(({ promise }, i) =>
      limiter.execute(() => {
        started.push(i);
        return promise;
      }),
    );
    expect(limiter.stats()).toMatchObject({ inFlight: 10, queued: 2, limit: 10, allowed: 10 });
    calls[3]!.resolve(3);
    await expect(results[3]).resolves.toBe(3);
    await settle();
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const [i, { resolve }] of calls.entries()) resolve(i);
    await Promise.all(results);
    expect(limiter.stats()).toMatchObject({ inFlight: 0, queued: 0, delayed: 2 });
  });

  it('gives permits back however the operation ends', async () => {
    const limiter = concurrency({ clock, limit: 1 });
    await expect(limiter.execute(() => 1)).resolves.toBe(1);
    await expect(
      limiter.execute(() => {
        throw new Error('sync');
      }),
    ).rejects.toThrow('sync');
    await expect(limiter.execute(() => Promise.reject(new Error('async')))).rejects.toThrow(
      'async',
    );
    const broken = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable that breaks its promise is the point
      then: () => {
        throw new Error('thenable');
      },
    };
    await expect(limiter.execute(() => broken as PromiseLike<number>)).rejects.toThrow('thenable');
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('gives a permit taken by hand back once', async () => {
    const limiter = concurrency({ clock, limit: 2 });
    const first = limiter.tryAcquire();
    const second = await limiter.acquire();
    expect(limiter.tryAcquire()).toBeUndefined();
    first?.release();
    first?.release();
    first?.[Symbol.dispose]();
    expect(limiter.stats().inFlight).toBe(1);
    {
      using third = limiter.tryAcquire();
      expect(third?.cost).toBe(1);
      expect(limiter.stats().inFlight).toBe(2);
    }
    second.release();
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('does not let small costs overtake a large one', async () => {
    const limiter = concurrency({ clock, limit: 3 });
    const held = [limiter.tryAcquire({ cost: 2 }), limiter.tryAcquire({ cost: 1 })];
    const order: string[] = [];
    const wait = (name: string, cost: number) =>
      limiter.acquire({ cost }).then((lease) => {
        order.push(name);
        return lease;
      });
    const big = wait('big', 3);
    const small = wait('small', 1);
    held[1]?.release();
    await settle();
    expect(order).toEqual([]);
    expect(limiter.tryAcquire()).toBeUndefined();
    held[0]?.release();
    (await big).release();
    await small;
    expect(order).toEqual(['big', 'small']);
  });

  it('waits without a timer unless a call has a deadline, and then no longer than that', async () => {
    const limiter = concurrency({ clock, limit: 1 });
    const held = limiter.tryAcquire();
    const patient = limiter.acquire();
    await settle();
    expect(clock.pending).toBe(0);
    const hasty = limiter.acquire({ maxWaitMs: 50 });
    const outcome = hasty.catch((error: unknown) => ({ error, at: clock.monotonic() - 1000 }));
    await settle();
    expect(clock.pending).toBe(1);
    await clock.advance(100);
    expect(await outcome).toMatchObject({ at: 50, error: { reason: 'deadline', limit: 1 } });
    expect(clock.pending).toBe(0);
    held?.release();
    await patient;
  });

  it('cannot know when a permit will be free', async () => {
    const limiter = concurrency({ clock, limit: 1, maxQueue: 0, name: 'db' });
    limiter.tryAcquire();
    const error = await limiter.acquire().catch((e: unknown) => e);
    expect(error).toMatchObject({ reason: 'limit', retryAfterMs: undefined, remaining: 0 });
    expect((error as RateLimitExceededError).classification.transient).toBe(true);
    expect((error as Error).message).toBe(
      "Limiter 'db' refused a call: its limit is used up (limit 1, 0 left). Try again when other calls have ended.",
    );
    expect(limiter.peek()).toEqual({
      limit: 1,
      windowMs: undefined,
      remaining: 0,
      resetMs: undefined,
    });
    expect(limiter.take()).toMatchObject({ allowed: false, lease: undefined });
  });

  it('neither runs an operation that is aborted when its turn comes, nor keeps its permit', async () => {
    const limiter = concurrency({ clock, limit: 1 });
    const held = limiter.tryAcquire();
    const controller = new AbortController();
    let ran = false;
    const call = limiter.execute(
      () => {
        ran = true;
      },
      { signal: controller.signal },
    );
    await settle();
    held?.release();
    controller.abort('late');
    await expect(call).rejects.toBe('late');
    expect(ran).toBe(false);
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('refuses a cost above the limit at once', () => {
    const limiter = concurrency({ clock, limit: 2 });
    expect(() => limiter.tryAcquire({ cost: 3 })).toThrow(RateLimitExceededError);
    expect(() => limiter.tryAcquire({ cost: -1 })).toThrow(RangeError);
  });
});
