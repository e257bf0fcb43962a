import { isTemperError } from '@temper/core';
import {
  type SharedRateLimiter,
  type SharedRateLimitOptions,
  sharedConcurrency,
  sharedRateLimit,
} from '@temper/ratelimit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RedisStore, redisStore } from '../../src/index.ts';
import { CLIENT_KINDS, type ClientKind, type Connection, connectTo } from '../clients.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';
import { mostWithin } from './fleet.ts';

const LIMIT = 100;
const BURST = 10;
const OPEN_MS = 200;
const TIMEOUT_MS = 150;
/** How late the machine that runs the tests may be. */
const SLACK_MS = 400;

let server: RedisServer;
let connection: Connection;
/** For commands to the server that have nothing to do with limits. */
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

/** Callers that never rest, each with a deadline, until they are told to stop. */
function storm(limiter: SharedRateLimiter, deadlineMs: number) {
  const calls: Call[] = [];
  let going = true;
  const caller = async (): Promise<void> => {
    while (going) {
      const began = performance.now();
      const outcome = await limiter.acquire({ deadlineMs }).then(
        () => 'ok',
        (error: unknown) => (isTemperError(error) ? error.code : String(error)),
      );
      calls.push({ began, ended: performance.now(), outcome });
      // Whoever is refused at once comes back after a moment, as a client would.
      if (outcome !== 'ok') await pause(20);
    }
  };
  const callers = Array.from({ length: 30 }, caller);
  return {
    calls,
    stop: async (): Promise<void> => {
      going = false;
      await Promise.all(callers);
    },
  };
}

const kindsOf = (calls: readonly Call[]): string[] =>
  [...new Set(calls.map(({ outcome }) => outcome))].sort();

function expectInTime(calls: readonly Call[], deadlineMs: number): void {
  const longest = Math.max(...calls.map(({ began, ended }) => ended - began));
  expect(longest).toBeLessThan(deadlineMs + SLACK_MS);
}

/** Waits until the store is asked again and answers. */
async function recovered(limiter: SharedRateLimiter): Promise<void> {
  await expect
    .poll(
      async () => {
        await limiter.tryAcquire('probe');
        return limiter.stats().storeAvailable && store.state === 'closed';
      },
      { timeout: 10_000, interval: 20 },
    )
    .toBe(true);
}

describeWithRedis('a Redis that fails', () => {
  for (const kind of CLIENT_KINDS) suite(kind);
});

function suite(kind: ClientKind): void {
  beforeEach(() => setUp(kind));

  it(`by SIGKILL, and comes back: limits hold locally, nobody hangs, no error is of the wrong kind (${kind})`, async () => {
    const limiter = limiterOf();
    const deadlineMs = 300;
    const { calls, stop } = storm(limiter, deadlineMs);
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
    await stop();

    expectInTime(calls, deadlineMs);
    // Refused is refused; with a share of its own to go by, the process never says that the store is away.
    expect(kindsOf(calls).filter((code) => code !== 'DEADLINE_EXCEEDED')).toEqual([
      'RATE_LIMIT_EXCEEDED',
      'ok',
    ]);
    const granted = calls.filter(({ outcome }) => outcome === 'ok').map(({ ended }) => ended);
    const during = granted.filter((at) => at > killed && at < restarting);
    // It starts afresh with a burst of its own, and keeps to its limit.
    expect(during.length).toBeGreaterThan(LIMIT);
    expect(mostWithin(during, 1000)).toBeLessThanOrEqual(
      LIMIT + 2 * BURST + (LIMIT * SLACK_MS) / 1000,
    );
    expect(during.length).toBeLessThanOrEqual(
      2 * BURST + (LIMIT * (restarting - killed + SLACK_MS)) / 1000,
    );
  }, 60_000);

  it(`by SIGKILL, closed: the errors say that the store is away, and are never refusals (${kind})`, async () => {
    const limiter = limiterOf({ name: 'closed', onStoreFailure: 'closed', limit: 1e6, burst: 1e6 });
    const { calls, stop } = storm(limiter, 1000);
    await pause(300);
    await server.kill();
    await pause(1000);
    await server.up();
    await expect.poll(() => limiter.stats().storeAvailable, { timeout: 10_000 }).toBe(true);
    await stop();
    expectInTime(calls, 1000);
    expect(kindsOf(calls)).toEqual(['STORE_UNAVAILABLE', 'ok']);
    expect(limiter.stats()).toMatchObject({ rejected: 0 });
    expect(limiter.stats().unavailable).toBeGreaterThan(10);
  }, 60_000);

  it(`by being read-only, and is promoted again (${kind})`, async () => {
    const limiter = limiterOf();
    await limiter.acquire();
    await operator.command('REPLICAOF', '127.0.0.1', '1');
    const away = await limiterOf({ onStoreFailure: 'closed' })
      .acquire()
      .catch((e: unknown) => e);
    expect(away).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((away as Error).message).toContain('READONLY');
    expect(await limiter.tryAcquire()).toBe(true);
    expect(limiter.stats()).toMatchObject({ storeAvailable: false });
    await operator.command('REPLICAOF', 'NO', 'ONE');
    await recovered(limiter);
  }, 30_000);

  it(`for lack of memory, and gets some (${kind})`, async () => {
    const limiter = limiterOf();
    await operator.command('CONFIG', 'SET', 'maxmemory', '1');
    const away = await limiterOf({ onStoreFailure: 'closed' })
      .acquire()
      .catch((e: unknown) => e);
    expect(away).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((away as Error).message).toContain('OOM');
    expect(await limiter.tryAcquire()).toBe(true);
    await operator.command('CONFIG', 'SET', 'maxmemory', '0');
    await recovered(limiter);
  }, 30_000);

  it(`by forgetting everything: limits start afresh, scripts are sent again, nobody notices (${kind})`, async () => {
    const limiter = limiterOf({ limit: 1, burst: 3, windowMs: 60_000 });
    expect(await limiter.check('', 3)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await limiter.tryAcquire()).toBe(false);
    await operator.command('FLUSHALL');
    await operator.command('SCRIPT', 'FLUSH');
    expect(await limiter.tryAcquire()).toBe(true);
    expect(limiter.stats()).toMatchObject({ storeErrors: 0, storeAvailable: true });
  }, 30_000);

  it.each([
    ['DEBUG', 'SLEEP', '1.5'],
    ['CLIENT', 'PAUSE', '1500', 'ALL'],
  ])(
    `by being slow (%s %s): calls are decided without it, in time (${kind})`,
    async (...command) => {
      const limiter = limiterOf();
      await limiter.acquire();
      const asleep = operator.command(...command);
      await pause(50);
      const { calls, stop } = storm(limiter, 400);
      await pause(1000);
      await stop();
      await asleep;
      expectInTime(calls, 400);
      for (const code of kindsOf(calls)) expect(['RATE_LIMIT_EXCEEDED', 'ok']).toContain(code);
      expect(calls.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(LIMIT / 2);
      expect(store.stats().calls.rejected).toBeGreaterThan(10);
      await recovered(limiter);
    },
    30_000,
  );

  it(`while permits are out: each process keeps to its share, and what was out comes back (${kind})`, async () => {
    const bulkhead = sharedConcurrency({
      name: 'reports',
      store,
      limit: 4,
      nodes: 2,
      leaseMs: 600,
    });
    const lease = await bulkhead.acquire();
    await server.kill();
    await expect
      .poll(async () => {
        (await bulkhead.tryAcquire('probe'))?.release();
        return bulkhead.stats().storeAvailable;
      })
      .toBe(false);
    const local = [await bulkhead.tryAcquire(), await bulkhead.tryAcquire()];
    expect(local.every((one) => one !== undefined)).toBe(true);
    expect(await bulkhead.tryAcquire()).toBeUndefined();
    for (const one of [...local, lease]) one?.release();
    await server.up();
    await expect
      .poll(
        async () => {
          const one = await bulkhead.tryAcquire();
          one?.release();
          return bulkhead.stats().storeAvailable;
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    const all = await Promise.all([1, 2, 3, 4].map(() => bulkhead.acquire({ deadlineMs: 5000 })));
    expect(await bulkhead.tryAcquire()).toBeUndefined();
    for (const one of all) one.release();
  }, 30_000);
}
