import { isTemperError } from '@temper/core';
import {
  type SharedConcurrencyLimiter,
  type SharedRateLimiter,
  type SharedRateLimitOptions,
  sharedConcurrency,
  sharedRateLimit,
} from '@temper/ratelimit/shared';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RedisStore, redisStore } from '../../src/index.ts';
import { CLIENT_KINDS, type ClientKind, type Connection, connectTo } from '../clients.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';
import { mostWithin } from './fleet.ts';
import { Stalls } from './stalls.ts';

const LIMIT = 100;
const BURST = 10;
const OPEN_MS = 200;
const TIMEOUT_MS = 150;
/** How late timers and a store that is not there may make an answer, on a machine that does not stall. */
const SLACK_MS = 400;

let server: RedisServer;
let connection: Connection;
/** For commands to the server that no limit sends. */
let operator: Connection;
let store: RedisStore;

async function setUp(kind: ClientKind): Promise<void> {
  server = await RedisServer.start();
  [connection, operator] = [
    await connectTo(kind, server.port),
    await connectTo('ioredis', server.port),
  ];
  store = redisStore({
    client: connection.client,
    commandTimeoutMs: TIMEOUT_MS,
    openDurationMs: OPEN_MS,
  });
}

afterEach(async () => {
  await connection.close();
  await operator.close();
  await server.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const limiterOf = (more: Partial<SharedRateLimitOptions> = {}): SharedRateLimiter =>
  sharedRateLimit({
    name: 'outage',
    store,
    limit: LIMIT,
    windowMs: 1000,
    burst: BURST,
    nodes: 1,
    ...more,
  });

interface Call {
  readonly began: number;
  readonly ended: number;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
}

/** Starts callers that acquire all the time, each call with a longest wait, until `stop`. */
function storm(limiter: SharedRateLimiter, maxWaitMs: number) {
  const stalls = new Stalls();
  const calls: Call[] = [];
  let going = true;
  const caller = async (): Promise<void> => {
    while (going) {
      const began = performance.now();
      const outcome = await limiter.acquire({ maxWaitMs }).then(
        () => 'ok',
        (error: unknown) => (isTemperError(error) ? error.code : String(error)),
      );
      calls.push({ began, ended: performance.now(), outcome });
      // A refused caller retries after a moment, as a client would.
      if (outcome !== 'ok') await pause(20);
    }
  };
  const callers = Array.from({ length: 30 }, caller);
  return {
    calls,
    /** @returns how late anything can be: as late as this process was, and some more */
    stop: async (): Promise<number> => {
      going = false;
      await Promise.all(callers);
      using watch = stalls;
      return SLACK_MS + watch.worstMs;
    },
  };
}

const kindsOf = (calls: readonly Call[]): string[] =>
  [...new Set(calls.map(({ outcome }) => outcome))].sort();

function expectInTime(calls: readonly Call[], maxWaitMs: number, slackMs: number): void {
  const longest = Math.max(...calls.map(({ began, ended }) => ended - began));
  expect(longest).toBeLessThan(maxWaitMs + slackMs);
}

/** What a limit says that needs its store. A slow machine's first answer is a command that took too long. */
async function whyUnavailable(): Promise<string> {
  const error = await limiterOf({ onStoreFailure: 'closed' })
    .acquire()
    .catch((e: unknown) => e);
  return isTemperError(error, 'STORE_UNAVAILABLE') ? error.message : String(error);
}

/** Waits until the store answers again. */
async function recovered(limiter: SharedRateLimiter): Promise<void> {
  await expect
    .poll(
      async () => {
        await limiter.tryAcquire({ key: 'probe' });
        return limiter.stats().storeAvailable && store.state === 'closed';
      },
      { timeout: 10_000, interval: 20 },
    )
    .toBe(true);
}

describeWithRedis('a Redis server that fails', () => {
  for (const kind of CLIENT_KINDS) suite(kind);
});

function suite(kind: ClientKind): void {
  beforeEach(() => setUp(kind));

  it(`by SIGKILL and recovers: local limits hold, no call hangs, each error is of the right kind (${kind})`, async () => {
    const limiter = limiterOf();
    const maxWaitMs = 300;
    const { calls, stop } = storm(limiter, maxWaitMs);
    await pause(1500);
    expect(limiter.stats().storeErrors).toBe(0);
    await server.kill();
    const killed = performance.now();
    await pause(2500);
    expect(limiter.stats()).toMatchObject({ storeAvailable: false });
    expect(limiter.stats().fallbacks.local).toBeGreaterThan(100);
    const restarting = performance.now();
    await server.up();
    await expect.poll(() => limiter.stats().storeAvailable, { timeout: 10_000 }).toBe(true);
    await pause(1000);
    const slackMs = await stop();

    expectInTime(calls, maxWaitMs, slackMs);
    // With a local share, no call fails because of the store.
    expect(kindsOf(calls)).toEqual(['RATE_LIMIT_EXCEEDED', 'ok']);
    const granted = calls.filter(({ outcome }) => outcome === 'ok').map(({ ended }) => ended);
    const during = granted.filter((at) => at > killed && at < restarting);
    // The local share starts with a burst of its own, and keeps to the limit.
    expect(during.length).toBeGreaterThan(LIMIT);
    expect(mostWithin(during, 1000)).toBeLessThanOrEqual(
      LIMIT + 2 * BURST + (LIMIT * slackMs) / 1000,
    );
    expect(during.length).toBeLessThanOrEqual(
      2 * BURST + (LIMIT * (restarting - killed + slackMs)) / 1000,
    );
  });

  it(`by SIGKILL, in mode closed: every error is STORE_UNAVAILABLE, none is a refusal (${kind})`, async () => {
    const limiter = limiterOf({ name: 'closed', onStoreFailure: 'closed', limit: 1e6, burst: 1e6 });
    const { calls, stop } = storm(limiter, 1000);
    await pause(300);
    await server.kill();
    await pause(1000);
    await server.up();
    await expect.poll(() => limiter.stats().storeAvailable, { timeout: 10_000 }).toBe(true);
    expectInTime(calls, 1000, await stop());
    expect(kindsOf(calls)).toEqual(['STORE_UNAVAILABLE', 'ok']);
    expect(limiter.stats()).toMatchObject({ rejected: 0 });
    expect(limiter.stats().unavailable).toBeGreaterThan(10);
  });

  it(`by becoming read-only, and is promoted again (${kind})`, async () => {
    const limiter = limiterOf();
    await limiter.acquire();
    await operator.command('REPLICAOF', '127.0.0.1', '1');
    await expect.poll(whyUnavailable).toContain('READONLY');
    expect(await limiter.tryAcquire()).toBeDefined();
    expect(limiter.stats()).toMatchObject({ storeAvailable: false });
    await operator.command('REPLICAOF', 'NO', 'ONE');
    await recovered(limiter);
  });

  it(`for lack of memory, and gets more (${kind})`, async () => {
    const limiter = limiterOf();
    await operator.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect.poll(whyUnavailable).toContain('OOM');
    expect(await limiter.tryAcquire()).toBeDefined();
    await operator.command('CONFIG', 'SET', 'maxmemory', '0');
    await recovered(limiter);
  });

  it(`by losing its data: limits start anew and scripts are sent again, without an error (${kind})`, async () => {
    const limiter = limiterOf({ limit: 1, burst: 3, windowMs: 60_000 });
    expect(await limiter.take({ cost: 3 })).toMatchObject({ allowed: true, remaining: 0 });
    expect(await limiter.tryAcquire()).toBeUndefined();
    await operator.command('FLUSHALL');
    await operator.command('SCRIPT', 'FLUSH');
    expect(await limiter.tryAcquire()).toBeDefined();
    expect(limiter.stats()).toMatchObject({ storeErrors: 0, storeAvailable: true });
  });

  it.each([
    ['DEBUG', 'SLEEP', '1.5'],
    ['CLIENT', 'PAUSE', '1500', 'ALL'],
  ])(
    `by becoming slow (%s %s): calls are decided in time without it (${kind})`,
    async (...command) => {
      const limiter = limiterOf();
      await limiter.acquire();
      const pausing = operator.command(...command);
      await pause(50);
      const { calls, stop } = storm(limiter, 400);
      await pause(1000);
      const slackMs = await stop();
      await pausing;
      expectInTime(calls, 400, slackMs);
      for (const code of kindsOf(calls)) expect(['RATE_LIMIT_EXCEEDED', 'ok']).toContain(code);
      expect(calls.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(LIMIT / 2);
      expect(store.stats().calls.rejected).toBeGreaterThan(10);
      await recovered(limiter);
    },
  );

  it(`while permits are in use: the local share holds, and the permits come back (${kind})`, async () => {
    const permits = sharedConcurrency({
      name: 'reports',
      store,
      limit: 4,
      nodes: 2,
      leaseMs: 600,
    });
    const lease = await permits.acquire();
    await server.kill();
    await expect
      .poll(async () => {
        (await permits.tryAcquire({ key: 'probe' }))?.release();
        return permits.stats().storeAvailable;
      })
      .toBe(false);
    const local = [await permits.tryAcquire(), await permits.tryAcquire()];
    expect(local.every((one) => one !== undefined)).toBe(true);
    expect(await permits.tryAcquire()).toBeUndefined();
    for (const one of [...local, lease]) one?.release();
    await server.up();
    await expect
      .poll(
        async () => {
          const one = await permits.tryAcquire();
          one?.release();
          return permits.stats().storeAvailable;
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    const all = await Promise.all([1, 2, 3, 4].map(() => permits.acquire({ maxWaitMs: 5000 })));
    expect(await permits.tryAcquire()).toBeUndefined();
    for (const one of all) one.release();
  });

  it(`that forgets its leases: permits that are free are registered again, and operations whose permits others have are told (${kind})`, async () => {
    const reports = (): SharedConcurrencyLimiter =>
      sharedConcurrency({ name: 'flushed', store, limit: 3, nodes: 1, leaseMs: 3000 });
    const [mine, theirs] = [reports(), reports()];
    const signals: AbortSignal[] = [];
    const run = () =>
      mine
        .execute(
          ({ signal }) =>
            new Promise<never>((_, reject) => {
              signals.push(signal);
              signal.addEventListener('abort', () => reject(signal.reason));
            }),
        )
        .catch((error: unknown) => error);
    const calls: Promise<unknown>[] = [];
    for (let begun = 1; begun <= 3; begun++) {
      calls.push(run());
      await expect.poll(() => signals.length).toBe(begun);
    }
    await operator.command('FLUSHALL');
    const other = await theirs.tryAcquire();
    expect(other).toBeDefined();
    const told = await Promise.race(calls);
    expect(isTemperError(told, 'LEASE_LOST')).toBe(true);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, true]);
    expect(mine.stats().inFlight).toBe(2);
    // The other two hold their permits again: nobody gets a fourth.
    expect(await theirs.tryAcquire()).toBeUndefined();
    expect(store.state).toBe('closed');
    other?.release();
  });
}
