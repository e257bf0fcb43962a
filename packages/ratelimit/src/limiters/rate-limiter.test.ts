import { getEventListeners } from 'node:events';
import { isRefusal, isTemperError } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { RateLimitExceededError } from '../errors.ts';
import { fixedWindow } from './fixed-window.ts';
import { gcra } from './gcra.ts';
import { slidingWindow } from './sliding-window.ts';
import { tokenBucket } from './token-bucket.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

/** Settles to the error that the promise rejects with. */
async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('It was expected to reject.'),
    (error: unknown) => error,
  );
}

describe('the depth of a bucket', () => {
  it.each([tokenBucket, gcra])('is the burst that is given, also above the limit: %o', (make) => {
    const limiter = make({ clock, limit: 6, burst: 9 });
    expect(limiter.tryAcquire({ cost: 9 })).toBeDefined();
    expect(make({ clock, limit: 6 }).peek().remaining).toBe(6);
  });
});

describe('tokenBucket with the defaults', () => {
  it('allows a burst of 10 at once and then 100 per minute', async () => {
    const limiter = tokenBucket({ clock });
    const through = () => {
      let count = 0;
      while (limiter.tryAcquire()) count++;
      return count;
    };
    expect(through()).toBe(10);
    await clock.advance(599);
    expect(through()).toBe(0);
    await clock.advance(1);
    expect(through()).toBe(1);
    await clock.advance(3_600_000);
    expect(through()).toBe(10);
    expect(limiter.name).toBe('token-bucket');
  });

  it('refills before its statistics are read', async () => {
    const limiter = tokenBucket({ clock });
    for (let i = 0; i < 12; i++) limiter.tryAcquire();
    expect(limiter.stats()).toEqual({
      availableTokens: 0,
      maxTokens: 10,
      requestsInWindow: 10,
      refillRate: 100 / 60,
      queued: 0,
      allowed: 10,
      delayed: 0,
      rejected: 2,
      aborted: 0,
    });
    await clock.advance(3000);
    expect(limiter.stats().availableTokens).toBeCloseTo(5);
    expect(limiter.stats().requestsInWindow).toBe(10);
    await clock.advance(60_000);
    expect(limiter.stats().requestsInWindow).toBe(0);
  });

  it('follows monotonic time only, so that a change of the wall clock has no effect', () => {
    const limiter = tokenBucket({ clock });
    for (let i = 0; i < 10; i++) limiter.tryAcquire();
    clock.adjustWallClock(86_400_000);
    expect(limiter.tryAcquire()).toBeUndefined();
    clock.adjustWallClock(-2 * 86_400_000);
    clock.jump(600);
    expect(limiter.tryAcquire()).toBeDefined();
  });
});

describe('cost', () => {
  it('is counted in units, fractions included', () => {
    const limiter = tokenBucket({ clock, burst: 2 });
    expect(limiter.tryAcquire({ cost: 1.5 })).toBeDefined();
    expect(limiter.tryAcquire({ cost: 0.75 })).toBeUndefined();
    expect(limiter.tryAcquire({ cost: 0.5 })).toBeDefined();
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'is refused when it is %s',
    async (cost) => {
      const limiter = tokenBucket({ clock, name: 'mail' });
      expect(() => limiter.tryAcquire({ cost })).toThrow(RangeError);
      expect(() => limiter.tryAcquire({ cost })).toThrow(/mail: cost must be a finite number > 0/);
      expect(() => limiter.take({ cost })).toThrow(RangeError);
      await expect(limiter.acquire({ cost })).rejects.toThrow(RangeError);
      await expect(limiter.execute(() => 1, { cost })).rejects.toThrow(RangeError);
      expect(limiter.stats().availableTokens).toBe(10);
    },
  );

  it('is refused with a TypeError when it is not a number', () => {
    const limiter = tokenBucket({ clock });
    expect(() => limiter.tryAcquire({ cost: '1' as unknown as number })).toThrow(TypeError);
    expect(() => limiter.tryAcquire({ cost: '2' as unknown as number })).toThrow(TypeError);
  });

  it('is refused at once when it can never fit', async () => {
    const limiter = tokenBucket({ clock, burst: 10 });
    const error = await errorOf(limiter.acquire({ cost: 11 }));
    expect(error).toBeInstanceOf(RateLimitExceededError);
    expect(error).toMatchObject({ reason: 'cost', cost: 11, limit: 10, retryAfterMs: Infinity });
    expect((error as RateLimitExceededError).classification.transient).toBe(false);
    expect(() => limiter.tryAcquire({ cost: 11 })).toThrow(RateLimitExceededError);
    expect(clock.pending).toBe(0);
  });

  it('is taken from the options of execute', async () => {
    const limiter = tokenBucket({ clock, burst: 10 });
    await limiter.execute(() => 1, { cost: 4 });
    expect(limiter.stats().availableTokens).toBe(6);
    await limiter.execute(() => 1, { cost: 4, operation: 'send' });
    expect(limiter.stats().availableTokens).toBe(2);
  });
});

describe('waiting', () => {
  const spend = (limiter: { tryAcquire(): unknown }) => {
    while (limiter.tryAcquire());
  };

  it('ends with a lease when the turn has come', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    const waiting = limiter.acquire();
    await clock.advance(599);
    expect(limiter.stats().queued).toBe(1);
    await clock.advance(1);
    using lease = await waiting;
    expect(lease.cost).toBe(1);
    expect(limiter.stats()).toMatchObject({ queued: 0, delayed: 1, availableTokens: 0 });
  });

  it('is in order of arrival, whatever the costs', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    const order: string[] = [];
    const wait = (name: string, cost: number) =>
      limiter.acquire({ cost }).then(() => order.push(`${name} at ${clock.monotonic() - 1000}`));
    void wait('big', 3);
    void wait('small', 1);
    await clock.advance(600);
    expect(limiter.tryAcquire()).toBeUndefined();
    await clock.advance(3000);
    expect(order).toEqual(['big at 1800', 'small at 2400']);
  });

  it('uses one timer for the whole queue, and none when it is empty', async () => {
    const limiter = tokenBucket({ clock });
    expect(clock.pending).toBe(0);
    spend(limiter);
    const waiting = Array.from({ length: 50 }, () => limiter.acquire());
    await settle();
    expect(clock.pending).toBe(1);
    await clock.advance(60_000);
    await Promise.all(waiting);
    expect(clock.pending).toBe(0);
  });

  it('is refused at once when the turn would come after maxWaitMs, with retryAfterMs', async () => {
    const limiter = tokenBucket({ clock, name: 'mail' });
    spend(limiter);
    const first = limiter.acquire({ maxWaitMs: 600 });
    const error = await errorOf(limiter.acquire({ maxWaitMs: 1199 }));
    expect(error).toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
      policy: 'mail',
      reason: 'deadline',
      limit: 100,
      remaining: 0,
      cost: 1,
    });
    expect((error as RateLimitExceededError).retryAfterMs).toBeCloseTo(1200);
    expect((error as Error).message).toBe(
      "Limiter 'mail' refused a call: the turn would come too late (limit 100, 0 left). Try again in 1200 ms.",
    );
    const second = limiter.acquire({ maxWaitMs: 1200 });
    await clock.advance(1200);
    await Promise.all([first, second]);
  });

  it('is refused at once when the queue is full', async () => {
    const limiter = tokenBucket({ clock, maxQueue: 1 });
    spend(limiter);
    const first = limiter.acquire();
    await expect(limiter.acquire()).rejects.toMatchObject({ reason: 'queue-full' });
    await clock.advance(600);
    await first;
  });

  it.each([{ maxQueue: 0 }, { maxWaitMs: 0 }])('is turned off by %o', async (options) => {
    const limiter = tokenBucket({ clock, ...options });
    spend(limiter);
    const error = await errorOf(limiter.execute(() => 1));
    expect(error).toMatchObject({ reason: 'limit', remaining: 0 });
    expect((error as RateLimitExceededError).retryAfterMs).toBeCloseTo(600);
    expect(isTemperError(error, 'RATE_LIMIT_EXCEEDED')).toBe(true);
    expect(isRefusal(error)).toBe(true);
  });

  it("is no longer than the limiter's maxWaitMs", async () => {
    const limiter = tokenBucket({ clock, maxWaitMs: 700 });
    spend(limiter);
    const first = limiter.acquire();
    await expect(limiter.acquire()).rejects.toMatchObject({ reason: 'deadline' });
    await clock.advance(600);
    await first;
  });

  it('ends at once on abort with signal.reason, and the next call moves up', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    const controller = new AbortController();
    const reason = { mine: true };
    const aborted = errorOf(limiter.acquire({ signal: controller.signal, cost: 5 }));
    const next = limiter.acquire({ maxWaitMs: 3600 });
    await settle();
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    expect(clock.monotonic()).toBe(1000);
    await clock.advance(600);
    await next;
    expect(limiter.stats().aborted).toBe(1);
  });

  it('can meet a deadline again when a call ahead has left', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    const controller = new AbortController();
    const aborted = errorOf(limiter.acquire({ signal: controller.signal }));
    await expect(limiter.acquire({ maxWaitMs: 600 })).rejects.toMatchObject({
      reason: 'deadline',
    });
    controller.abort();
    await aborted;
    const taken = limiter.acquire({ maxWaitMs: 600 });
    await clock.advance(600);
    await taken;
  });

  it('does not begin when the signal is aborted already', async () => {
    const limiter = tokenBucket({ clock });
    const signal = AbortSignal.abort('gone');
    expect(await errorOf(limiter.acquire({ signal }))).toBe('gone');
    expect(limiter.stats()).toMatchObject({ allowed: 0, availableTokens: 10 });
  });

  it('removes its listener from the signal', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    const { signal } = new AbortController();
    const waiting = limiter.acquire({ signal });
    await settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await clock.advance(600);
    await waiting;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('serves exactly the calls whose turn has come when time has jumped', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    let served = 0;
    for (let i = 0; i < 30; i++) void limiter.acquire().then(() => served++);
    await settle();
    clock.jump(86_400_000);
    await clock.advance(0);
    expect(served).toBe(10);
    await clock.advance(600);
    expect(served).toBe(11);
  });

  it('refuses the calls whose deadline passed while time jumped', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    const late = errorOf(limiter.acquire({ maxWaitMs: 700 }));
    const patient = limiter.acquire();
    await settle();
    clock.jump(5000);
    await clock.advance(0);
    expect(await late).toMatchObject({ reason: 'deadline' });
    await patient;
  });

  it('in execute ends with its timeout and its signal', async () => {
    const limiter = tokenBucket({ clock });
    spend(limiter);
    const ran: string[] = [];
    const run = (name: string, options = {}) => limiter.execute(() => ran.push(name), options);
    const first = run('first');
    expect(await errorOf(run('late', { timeoutMs: 1000 }))).toMatchObject({ reason: 'deadline' });
    const controller = new AbortController();
    const second = errorOf(run('aborted', { signal: controller.signal }));
    await settle();
    controller.abort('enough');
    expect(await second).toBe('enough');
    await clock.advance(600);
    await first;
    expect(ran).toEqual(['first']);
  });
});

describe('execute and wrap', () => {
  it('pass values, errors, arguments and this on', async () => {
    const limiter = tokenBucket({ clock });
    await expect(limiter.execute(() => 42)).resolves.toBe(42);
    await expect(limiter.execute(async () => 42)).resolves.toBe(42);
    const failure = new Error('mine');
    await expect(limiter.execute(() => Promise.reject(failure))).rejects.toBe(failure);
    await expect(
      limiter.execute(() => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    const wrapped = limiter.wrap(function add(this: { base: number }, x: number) {
      return this.base + x;
    });
    await expect(wrapped.call({ base: 1 }, 2)).resolves.toBe(3);
    expect(limiter.stats().allowed).toBe(5);
  });

  it('return a refusal as an outcome from tryExecute', async () => {
    const limiter = tokenBucket({ clock, burst: 1, maxQueue: 0 });
    expect(await limiter.tryExecute(() => 1)).toEqual({ ok: true, value: 1 });
    expect(await limiter.tryExecute(() => 1)).toMatchObject({
      ok: false,
      error: { code: 'RATE_LIMIT_EXCEEDED' },
    });
  });

  it('call onReject, and ignore what it throws', async () => {
    const seen: unknown[] = [];
    const limiter = tokenBucket({
      clock,
      burst: 1,
      maxQueue: 0,
      onReject: (error) => {
        seen.push(error.reason);
        throw new Error('a bug in the hook');
      },
    });
    await limiter.acquire();
    await expect(limiter.acquire()).rejects.toMatchObject({ reason: 'limit' });
    await expect(limiter.execute(() => 1, { cost: 2 })).rejects.toMatchObject({ reason: 'cost' });
    expect(seen).toEqual(['limit', 'cost']);
  });
});

describe('take and peek', () => {
  it('return everything about the answer', async () => {
    const limiter = tokenBucket({ clock });
    expect(limiter.peek()).toEqual({ limit: 100, windowMs: 60_000, remaining: 10, resetMs: 0 });
    const yes = limiter.take({ cost: 9 });
    expect(yes).toMatchObject({ allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 600 });
    yes.lease?.release();
    const no = limiter.take({ cost: 2 });
    expect(no).toMatchObject({ allowed: false, remaining: 1, lease: undefined });
    expect(no.retryAfterMs).toBeCloseTo(600);
  });

  it('show nothing remaining while a call waits', async () => {
    const limiter = tokenBucket({ clock });
    limiter.tryAcquire({ cost: 9 });
    const waiting = limiter.acquire({ cost: 2 });
    expect(limiter.peek().remaining).toBe(0);
    await clock.advance(600);
    await waiting;
  });
});

describe('the other kinds of rate limit', () => {
  it('gcra with a burst of 1 spaces calls evenly', async () => {
    const limiter = gcra({ clock, limit: 10, windowMs: 1000, burst: 1 });
    const at: number[] = [];
    for (let i = 0; i < 4; i++)
      void limiter.acquire().then(() => at.push(clock.monotonic() - 1000));
    await clock.advance(1000);
    expect(at).toEqual([0, 100, 200, 300]);
  });

  it('fixedWindow allows the limit in each window', async () => {
    const limiter = fixedWindow({ clock, limit: 2, windowMs: 1000 });
    const at: number[] = [];
    for (let i = 0; i < 5; i++)
      void limiter.acquire().then(() => at.push(clock.monotonic() - 1000));
    await clock.advance(2500);
    expect(at).toEqual([0, 0, 1000, 1000, 2000]);
  });

  it('slidingWindow frees units when their segment has left the window', async () => {
    const limiter = slidingWindow({ clock, limit: 2, windowMs: 1000, segments: 10 });
    expect(limiter.tryAcquire()).toBeDefined();
    await clock.advance(500);
    expect(limiter.tryAcquire()).toBeDefined();
    expect(limiter.take()).toMatchObject({ allowed: false, retryAfterMs: 600 });
    await clock.advance(599);
    expect(limiter.tryAcquire()).toBeUndefined();
    await clock.advance(1);
    expect(limiter.tryAcquire()).toBeDefined();
  });
});
