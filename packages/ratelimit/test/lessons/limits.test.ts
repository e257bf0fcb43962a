// What the issues of other libraries teach about limits. They are those of animir/node-rate-limiter-flexible,
// sindresorhus/p-limit, sindresorhus/p-queue, SGrondin/bottleneck, failsafe-lib/failsafe, resilience4j/resilience4j,
// express-rate-limit/express-rate-limit, alisaifee/flask-limiter and langfuse/langfuse.
import { AsyncLocalStorage } from 'node:async_hooks';
import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  allOf,
  concurrency,
  fixedWindow,
  gcra,
  keyed,
  slidingWindow,
  tokenBucket,
} from '../../src/index.ts';
import { MemoryRateLimitStore, sharedRateLimit } from '../../src/shared/index.ts';
import { FaultyStore } from '../faulty-store.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const HOUR = 3_600_000;
const kinds = { tokenBucket, gcra, fixedWindow, slidingWindow };
const names = Object.keys(kinds) as (keyof typeof kinds)[];

describe.each(names)('a limiter (%s)', (name) => {
  const make = (limit = 5, windowMs = 1_000) => {
    const burst = name === 'tokenBucket' || name === 'gcra' ? { burst: limit } : {};
    return kinds[name]({ clock, limit, windowMs, ...burst });
  };

  it('rate-limiter-flexible#231: refuses a block that is too long to be kept, and keeps the longest', async () => {
    const limiter = make();
    expect(() => limiter.block(1e12)).toThrow(RangeError);
    expect(limiter.take().allowed).toBe(true);
    limiter.block(7 * 24 * HOUR);
    await clock.advance(7 * 24 * HOUR - 1);
    expect(limiter.take()).toMatchObject({ allowed: false, retryAfterMs: 1 });
    await clock.advance(1);
    expect(limiter.take().allowed).toBe(true);
  });

  it('rate-limiter-flexible#210: stays blocked although it is asked in the meantime', () => {
    const limiter = make();
    limiter.block(10_000);
    for (let second = 0; second < 10; second++) {
      const { allowed, retryAfterMs } = limiter.take();
      expect([allowed, retryAfterMs]).toEqual([false, 10_000 - second * 1_000]);
      clock.jump(1_000);
    }
    expect(limiter.take().allowed).toBe(true);
  });

  it('rate-limiter-flexible#238: has whole units and no negative times after the process has slept', () => {
    const limiter = make();
    for (let i = 0; i < 7; i++) limiter.take();
    clock.jump(1e9);
    expect(limiter.peek()).toMatchObject({ remaining: 5, resetMs: 0 });
    const { allowed, resetMs } = limiter.take();
    expect(allowed).toBe(true);
    expect(resetMs).toBeGreaterThan(0);
    // A window of ten segments forgets a unit with its segment.
    expect(resetMs).toBeLessThanOrEqual(name === 'slidingWindow' ? 1_100 : 1_000);
  });

  it('rate-limiter-flexible#254: has no more than its limit when more is given back than was taken', () => {
    const limiter = make();
    limiter.take();
    limiter.reward(10);
    expect(limiter.peek().remaining).toBe(5);
    expect(limiter.take({ cost: 5 }).allowed).toBe(true);
    expect(limiter.take().allowed).toBe(false);
  });

  it('rate-limiter-flexible#172: has 0 units left and not fewer, whatever it is charged', () => {
    const limiter = make();
    limiter.penalty(50);
    expect(limiter.peek().remaining).toBe(0);
    limiter.setLimit(1);
    expect(limiter.peek().remaining).toBe(0);
    expect(limiter.take().remaining).toBe(0);
  });

  it('rate-limiter-flexible#47: refuses limits and windows that mean nothing', () => {
    for (const options of [{ limit: -1 }, { windowMs: -1 }, { windowMs: 0 }]) {
      expect(() => kinds[name]({ clock, ...options })).toThrow(RangeError);
    }
  });

  it('rate-limiter-flexible#82: gives nothing back for a negative cost', async () => {
    const limiter = make();
    limiter.take();
    expect(() => limiter.tryAcquire({ cost: -1 })).toThrow(RangeError);
    await expect(limiter.acquire({ cost: -1 })).rejects.toThrow(RangeError);
    expect(limiter.peek().remaining).toBe(4);
  });

  it('rate-limiter-flexible#69: takes nothing for a call that it refuses', () => {
    const limiter = make();
    for (let i = 0; i < 20; i++) limiter.take({ cost: 4 });
    expect(limiter.peek().remaining).toBe(1);
    expect(limiter.take().allowed).toBe(true);
  });

  it('rate-limiter-flexible#66: lets a call wait until it may go ahead, without a loop of the caller', async () => {
    const limiter = make();
    const at: number[] = [];
    const calls = Array.from({ length: 12 }, () =>
      limiter.execute(() => at.push(clock.monotonic() - 1_000)),
    );
    await clock.advance(10_000);
    await Promise.all(calls);
    expect(at).toHaveLength(12);
    expect(at.filter((ms) => ms === 0)).toHaveLength(5);
    expect(at.at(-1)).toBeLessThanOrEqual(3_000);
  });

  it('bottleneck#77: does not end a wait before its time, however many wait', async () => {
    const limiter = make(1, 60_000);
    limiter.take();
    let ended = false;
    const last = limiter
      .execute(() => 'ran', { timeoutMs: 180_000 })
      .finally(() => {
        ended = true;
      });
    await clock.advance(59_999);
    expect(ended).toBe(false);
    await clock.advance(60_001);
    expect(await last).toBe('ran');
  });

  it('resilience4j#2336: refuses what would wait for too long, and runs none of it later', async () => {
    const limiter = kinds[name]({
      clock,
      limit: 2,
      windowMs: 1_000,
      maxWaitMs: 1_500,
      ...(name === 'tokenBucket' || name === 'gcra' ? { burst: 2 } : {}),
    });
    const begun = clock.monotonic();
    const ran: number[] = [];
    const calls = Array.from({ length: 50 }, () =>
      limiter.tryExecute(() => ran.push(clock.monotonic() - begun)),
    );
    await clock.advance(60_000);
    const ends = await Promise.all(calls);
    expect(ends.filter(({ ok }) => ok)).toHaveLength(ran.length);
    expect(ran.length).toBeLessThan(10);
    expect(Math.max(...ran)).toBeLessThanOrEqual(1_500);
    expect(limiter.stats().queued).toBe(0);
  });

  it('express-rate-limit#96: says how long is left, and not how long its window is', () => {
    const limiter = make(1, 60_000);
    limiter.take();
    clock.jump(45_000);
    const { retryAfterMs } = limiter.take();
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(name === 'slidingWindow' ? 21_000 : 15_000);
  });
});

describe('a rate', () => {
  it('rate-limiter-flexible#112: without bursts lets all of its units pass, evenly', async () => {
    const limiter = tokenBucket({ clock, limit: 10, windowMs: HOUR, burst: 1 });
    const at: number[] = [];
    for (let i = 0; i < 10; i++) void limiter.execute(() => at.push(clock.monotonic() - 1_000));
    await clock.advance(HOUR);
    expect(at).toEqual(Array.from({ length: 10 }, (_, i) => (i * HOUR) / 10));
  });

  it('resilience4j#822: of three in ten seconds lets three pass in each, and refuses who would wait for too long', async () => {
    const limiter = fixedWindow({ clock, limit: 3, windowMs: 10_000, maxWaitMs: 12_000 });
    const at: number[] = [];
    const calls = Array.from({ length: 9 }, () =>
      limiter.tryExecute(() => at.push(clock.monotonic() - 1_000)),
    );
    await settle();
    expect(limiter.stats()).toMatchObject({ queued: 3, rejected: 3 });
    await clock.advance(20_000);
    expect((await Promise.all(calls)).map(({ ok }) => ok)).toEqual([
      ...Array(6).fill(true),
      ...Array(3).fill(false),
    ]);
    expect(at).toEqual([0, 0, 0, 10_000, 10_000, 10_000]);
  });

  it('express-rate-limit#307: gives a unit back to the window that it was taken in, and to no other', () => {
    const limiter = fixedWindow({ clock, limit: 2, windowMs: 1_000 });
    const early = limiter.take().lease;
    clock.jump(1_000);
    limiter.take();
    limiter.take();
    void early?.settle?.(0);
    expect(limiter.take().allowed).toBe(false);
  });

  it('express-rate-limit#112: counts a refused request for nothing that it could get back', () => {
    const limiter = fixedWindow({ clock, limit: 1, windowMs: 1_000 });
    const first = limiter.take();
    const refused = limiter.take();
    expect(refused.lease).toBeUndefined();
    void first.lease?.settle?.(0);
    void first.lease?.settle?.(0);
    expect(limiter.take().allowed).toBe(true);
    expect(limiter.take().allowed).toBe(false);
  });
});

describe('keys', () => {
  it('bottleneck#66: are forgotten some time after their last use', () => {
    const limiter = keyed({
      template: tokenBucket({ clock, limit: 10, windowMs: 1_000 }),
      idleMs: 60_000,
    });
    for (let i = 0; i < 100; i++) limiter.take({ key: `job ${i}` });
    expect(limiter.stats().keys).toBe(100);
    clock.jump(60_000);
    expect(limiter.stats().keys).toBe(0);
  });

  it('flask-limiter#4: do not accumulate while others are used', () => {
    const limiter = keyed({
      template: fixedWindow({ clock, limit: 10, windowMs: 1_000 }),
      idleMs: 1_000,
    });
    let most = 0;
    for (let i = 0; i < 5_000; i++) {
      limiter.take({ key: `client ${i}` });
      clock.jump(10);
      most = Math.max(most, limiter.stats().keys);
    }
    expect(most).toBeLessThanOrEqual(102);
  });

  it('express-rate-limit#206: keep what they have used until their window is over, whatever else is done', () => {
    const limiter = keyed({ template: fixedWindow({ clock, limit: 3, windowMs: HOUR }) });
    for (let i = 0; i < 3; i++) limiter.take({ key: 'ann' });
    for (let minute = 1; minute < 60; minute++) {
      clock.jump(60_000);
      limiter.take({ key: `other ${minute}` });
      limiter.peek({ key: 'ann' });
      expect(limiter.take({ key: 'ann' }).allowed).toBe(false);
    }
    clock.jump(60_000);
    expect(limiter.take({ key: 'ann' }).allowed).toBe(true);
  });
});

describe('a limit in a store', () => {
  const make = (store: FaultyStore, limit: number) =>
    sharedRateLimit({ name: 'api', clock, store, limit, windowMs: 1_000, burst: limit, nodes: 1 });

  it('rate-limiter-flexible#337: asks the local limit when the store fails, and never when the store refuses', async () => {
    const store = new FaultyStore(new MemoryRateLimitStore(clock));
    const limiter = make(store, 2);
    for (const allowed of [true, true, false, false]) {
      expect(await limiter.take()).toMatchObject({ allowed });
    }
    store.fail();
    // The local limit is whole: nothing that the store refused was tried there.
    for (const allowed of [true, true, false]) {
      expect(await limiter.take()).toMatchObject({ allowed });
    }
  });
});

describe('permits', () => {
  it('failsafe#400: are not lost to a call that has given up waiting', async () => {
    const limiter = concurrency({ clock, limit: 2 });
    const held = [await limiter.acquire(), await limiter.acquire()];
    const gone = Array.from({ length: 8 }, () =>
      limiter.acquire({ maxWaitMs: 10 }).catch(() => 'gone'),
    );
    await clock.advance(10);
    expect(await Promise.all(gone)).toEqual(Array(8).fill('gone'));
    for (const lease of held) lease.release();
    expect(limiter.peek().remaining).toBe(2);
    expect(limiter.tryAcquire()).toBeDefined();
  });

  it('failsafe#400: are not lost to a call that is aborted in the moment in which it gets one', async () => {
    const limiter = concurrency({ clock, limit: 1 });
    const held = await limiter.acquire();
    const controller = new AbortController();
    const waits = limiter.acquire({ signal: controller.signal }).then(
      (lease) => lease.release(),
      () => undefined,
    );
    await settle();
    held.release();
    controller.abort('gone');
    await waits;
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('resilience4j#264: come back once, however often they are released', async () => {
    const limiter = concurrency({ clock, limit: 2 });
    const [first] = [await limiter.acquire(), await limiter.acquire()];
    first.release();
    first.release();
    first[Symbol.dispose]();
    expect(limiter.stats().inFlight).toBe(1);
    expect(limiter.peek().remaining).toBe(1);
  });

  it('p-queue#200: run each operation in the asynchronous context of its caller', async () => {
    const context = new AsyncLocalStorage<number>();
    const limiter = concurrency({ clock, limit: 2 });
    const seen = await Promise.all(
      Array.from({ length: 30 }, (_, id) =>
        context.run(id, () =>
          limiter.execute(async () => {
            await settle();
            return context.getStore();
          }),
        ),
      ),
    );
    expect(seen).toEqual(Array.from({ length: 30 }, (_, id) => id));
  });

  it('p-queue#239: leave no call pending for ever when the queue is given up', async () => {
    const limiter = concurrency({ clock, limit: 1 });
    const controller = new AbortController();
    const first = limiter.execute(() => clock.sleep(100));
    const rest = Array.from({ length: 5 }, () =>
      limiter.tryExecute(() => 'ran', { signal: controller.signal }),
    );
    await settle();
    controller.abort('cleared');
    for (const end of await Promise.all(rest)) expect(end).toEqual({ ok: false, error: 'cleared' });
    await clock.advance(100);
    await first;
    expect(limiter.stats()).toMatchObject({ inFlight: 0, queued: 0, aborted: 5 });
  });

  it('p-limit#27: reject calls that are taken out of the queue, and run the others', async () => {
    const limiter = concurrency({ clock, limit: 1 });
    const held = await limiter.acquire();
    const controllers = [0, 1, 2].map(() => new AbortController());
    const ran: number[] = [];
    const calls = controllers.map(({ signal }, i) =>
      limiter.tryExecute(() => ran.push(i), { signal }),
    );
    controllers[1]?.abort('cleared');
    held.release();
    expect((await Promise.all(calls)).map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(ran).toEqual([0, 2]);
  });
});

describe('several limits for one request', () => {
  it('langfuse#14280: take from all or from none, so that a full one costs nothing elsewhere', () => {
    const user = keyed({
      template: fixedWindow({ name: 'user', clock, limit: 30, windowMs: 60_000 }),
    });
    const endpoint = fixedWindow({ name: 'endpoint', clock, limit: 5, windowMs: 60_000 });
    const both = allOf({ clock, limits: [{ limiter: user }, { limiter: endpoint }] });
    for (let i = 0; i < 20; i++) both.take({ key: 'ann' });
    expect(endpoint.peek().remaining).toBe(0);
    expect(user.peek({ key: 'ann' }).remaining).toBe(25);
    expect(both.take({ key: 'bob' })).toMatchObject({ allowed: false, refusedBy: 'endpoint' });
    expect(user.peek({ key: 'bob' }).remaining).toBe(30);
  });
});
