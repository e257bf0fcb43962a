import {
  MemoryRateLimitStore,
  type SharedAllOfLimiter,
  type StoreRule,
  sharedAllOf,
  sharedConcurrency,
  sharedRateLimit,
} from '@temper/ratelimit/shared';
import { ManualClock } from '@temper/testkit/clock';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisStore, redisStore } from '../../src/index.ts';
import { CLIENT_KINDS, connectTo } from '../clients.ts';
import { connectToCluster, RedisCluster } from '../redis-cluster.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';

const HOUR = 3_600_000;

/** How many scripts a server has run. */
async function scriptsRun(servers: readonly Redis[]): Promise<number> {
  let calls = 0;
  for (const redis of servers) {
    const stats = await redis.info('commandstats');
    for (const [, count] of stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)) {
      calls += Number(count);
    }
  }
  return calls;
}

/** The limits of an API: per user, for all, and how many run. */
function limitsIn(store: RedisStore, name: string, more: object = {}) {
  const common = { store, nodes: 1, windowMs: HOUR, onStoreFailure: 'closed' as const, ...more };
  const user = sharedRateLimit({ ...common, name: `${name}-user`, limit: 10, burst: 10 });
  const all = sharedRateLimit({
    ...{ ...common, name: `${name}-all`, limit: 25 },
    algorithm: 'sliding-window',
  });
  const { windowMs: _, ...rest } = common;
  const running = sharedConcurrency({ ...rest, name: `${name}-running`, limit: 20 });
  const limits = [
    { limiter: user },
    { limiter: all, key: () => '' },
    { limiter: running, key: () => '' },
  ];
  const api = sharedAllOf({ name, limits });
  const left = async (key: string): Promise<readonly number[]> => [
    (await user.peek({ key })).remaining,
    (await all.peek()).remaining,
    (await running.peek()).remaining,
  ];
  return { user, all, running, api, left };
}

/** Takes by many callers at once, from several processes that answer for themselves. */
async function storm(groups: readonly SharedAllOfLimiter[], keys: readonly string[]) {
  const asked = groups.flatMap((api) =>
    keys.flatMap((key) =>
      Array.from({ length: 12 }, async () => ({ key, ...(await api.take({ key })) })),
    ),
  );
  const answers = await Promise.all(asked);
  return answers.filter(({ allowed }) => allowed);
}

describeWithRedis('several limits on a Redis server', () => {
  let server: RedisServer;
  let direct: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    direct = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    direct.disconnect();
    await server.stop();
  });

  it.each(CLIENT_KINDS)('are one script per decision, exact among processes: %s', async (kind) => {
    const connections = await Promise.all([1, 2].map(() => connectTo(kind, server.port)));
    try {
      const fleet = connections.map(({ client }) =>
        limitsIn(redisStore({ client, commandTimeoutMs: 5000 }), kind),
      );
      const [first] = fleet;
      await first!.api.take({ key: 'warm' });
      const before = await scriptsRun([direct]);
      await first!.api.take({ key: 'warm' });
      expect((await scriptsRun([direct])) - before).toBe(1);
      const granted = await storm(
        fleet.map(({ api }) => api),
        ['ann', 'bob', 'cid'],
      );
      // 20 may run, of which two do already.
      expect(granted).toHaveLength(18);
      for (const key of ['ann', 'bob', 'cid']) {
        const mine = granted.filter((each) => each.key === key);
        expect(mine.length).toBeLessThanOrEqual(10);
        expect(await first!.left(key)).toEqual([10 - mine.length, 5, 0]);
      }
      // What is given back is back in all of them.
      await Promise.all(granted.map(({ lease }) => lease?.settle?.(0)));
      for (const { lease } of granted) lease?.release();
      await expect.poll(() => first!.left('ann')).toEqual([10, 23, 18]);
    } finally {
      for (const connection of connections) await connection.close();
    }
  });

  it.each(CLIENT_KINDS)('let calls of several processes wait for all of them: %s', async (kind) => {
    const connections = await Promise.all([1, 2].map(() => connectTo(kind, server.port)));
    try {
      let running = 0;
      let most = 0;
      const name = `wait-${kind}`;
      const groups = connections.map(({ client }) => {
        const store = redisStore({ client, commandTimeoutMs: 5000 });
        const common = { store, nodes: 1, onStoreFailure: 'closed' as const };
        const rate = sharedRateLimit({ ...common, name, limit: 100, windowMs: 1000, burst: 5 });
        const permits = sharedConcurrency({ ...common, name, limit: 3, pollIntervalMs: 5 });
        return sharedAllOf({ name, limits: [{ limiter: rate }, { limiter: permits }] });
      });
      const began = performance.now();
      const calls = groups.flatMap((api) =>
        Array.from({ length: 20 }, () =>
          api.execute(async () => {
            running++;
            most = Math.max(most, running);
            await new Promise((resolve) => setTimeout(resolve, 5));
            running--;
          }),
        ),
      );
      await Promise.all(calls);
      expect(most).toBeLessThanOrEqual(3);
      // 40 calls of which 5 are a burst, at 100 per second.
      expect(performance.now() - began).toBeGreaterThanOrEqual(340);
    } finally {
      for (const connection of connections) await connection.close();
    }
  });

  it.each(CLIENT_KINDS)(
    'are decided by this process while the server is away: %s',
    async (kind) => {
      const own = await RedisServer.start();
      const { client, close } = await connectTo(kind, own.port);
      try {
        const store = redisStore({ client, commandTimeoutMs: 200, openDurationMs: 100 });
        const local = limitsIn(store, 'local', { onStoreFailure: 'local' });
        const closed = limitsIn(store, 'closed');
        expect((await local.api.take({ key: 'ann' })).allowed).toBe(true);
        await own.kill();
        const answers = await Promise.all(
          Array.from({ length: 15 }, () => local.api.take({ key: 'bob' })),
        );
        expect(answers.filter(({ allowed }) => allowed)).toHaveLength(10);
        await expect(closed.api.take({ key: 'ann' })).rejects.toMatchObject({
          code: 'STORE_UNAVAILABLE',
        });
        await own.up();
        await expect
          .poll(
            () =>
              closed.api.take({ key: 'ann' }).then(
                ({ allowed }) => allowed,
                () => false,
              ),
            {
              timeout: 10_000,
            },
          )
          .toBe(true);
      } finally {
        await close();
        await own.stop();
      }
    },
  );
});

describeWithRedis('several limits on a cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster.stop());

  it.each(CLIENT_KINDS)(
    'are one script with a hash tag, and otherwise taken in order and given back: %s',
    async (kind) => {
      const { client, close } = await connectToCluster(kind, cluster.ports);
      try {
        for (const hashTag of ['api', undefined]) {
          const tagged = hashTag === undefined ? {} : { hashTag };
          const store = redisStore({ client, commandTimeoutMs: 5000, ...tagged });
          const { api, left, all } = limitsIn(store, `${kind}-${hashTag ?? 'spread'}`);
          await api.take({ key: 'warm' });
          const before = await scriptsRun(cluster.direct);
          const { lease } = await api.take({ key: 'ann' });
          const scripts = (await scriptsRun(cluster.direct)) - before;
          expect(scripts).toBe(hashTag === undefined ? 3 : 1);
          expect(await left('ann')).toEqual([9, 23, 18]);
          await lease?.settle?.(0);
          lease?.release();
          await expect.poll(() => left('ann')).toEqual([10, 24, 19]);
          await all.take({ cost: 24 });
          const refused = { allowed: false, refusedBy: all.name };
          expect(await api.take({ key: 'ann' })).toMatchObject(refused);
          await expect.poll(() => left('ann')).toEqual([10, 0, 19]);
        }
        const sizes = await Promise.all(cluster.direct.map((redis) => redis.dbsize()));
        expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(1);
      } finally {
        await close();
      }
    },
  );

  it('are taken in order when the client does not know of the cluster, as behind a proxy', async () => {
    const sent: number[] = [];
    const client = {
      status: 'ready',
      evalsha: async (_sha: string, keys: number) => {
        sent.push(keys);
        if (keys > 2) throw new Error("CROSSSLOT Keys in request don't hash to the same slot");
        throw new Error('NOSCRIPT');
      },
      eval: async () => {
        throw new Error('one by one');
      },
    };
    const store = redisStore({ client, failureThreshold: 100 });
    const { api } = limitsIn(store, 'proxy');
    for (let i = 0; i < 2; i++) {
      await expect(api.take({ key: 'ann' })).rejects.toMatchObject({
        cause: { message: 'one by one' },
      });
    }
    // The second time, it is known.
    expect(sent.filter((keys) => keys === 3)).toHaveLength(1);
    expect(store.stats()).toMatchObject({ calls: { failure: 2 } });
  });
});

const REAL_TIME = "local time = redis.call('TIME')\nlocal now = time[1] * 1000000 + time[2]";
const GIVEN_TIME = "local now = tonumber(redis.call('GET', 'the time'))";

describeWithRedis('the joint script, compared with the reference', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('takes the same, with callers and without, whatever rules', async () => {
    const client = {
      status: 'ready',
      evalsha: () => Promise.reject(new Error('NOSCRIPT')),
      eval: (source: string, keys: number, ...rest: string[]): Promise<unknown> =>
        redis.eval(source.replace(REAL_TIME, GIVEN_TIME), keys, ...rest),
    };
    const rule = fc
      .record({
        kind: fc.constantFrom('token-bucket', 'sliding-window', 'fixed-window'),
        limit: fc.integer({ min: 1, max: 8 }),
        hours: fc.integer({ min: 1, max: 10 }),
        burst: fc.integer({ min: 1, max: 8 }),
      })
      .map(({ kind, limit, hours, burst }): StoreRule => {
        const windowMs = hours * HOUR;
        if (kind === 'sliding-window') return { kind, limit, windowMs, segments: 3 };
        return kind === 'fixed-window'
          ? { kind, limit, windowMs }
          : { kind: 'token-bucket', limit, windowMs, burst };
      });
    const step = fc.record({
      passMs: fc.constantFrom(0, 0, 1000, HOUR / 2),
      alone: fc.option(fc.nat(1)),
      costs: fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 1, max: 3 }))),
      maxWaitMs: fc.constantFrom(0, HOUR),
      callers: fc.tuple(fc.constantFrom(undefined, 'a', 'b'), fc.constantFrom('a', 'b', 'c')),
      rule: fc.option(rule, { freq: 6 }),
    });
    const near = (found: number, expected: number): void =>
      expect(Math.abs(found - expected)).toBeLessThan(0.01);
    await fc.assert(
      fc.asyncProperty(rule, rule, fc.array(step, { maxLength: 25 }), async (one, two, steps) => {
        await redis.flushall();
        let now = 500_000 * HOUR;
        const manual = new ManualClock();
        const memory = new MemoryRateLimitStore({ ...manual, monotonic: () => now });
        const store = redisStore({ client, commandTimeoutMs: 10_000 });
        const rules = [one, two];
        for (const [i, each] of steps.entries()) {
          now += each.passMs;
          await redis.set('the time', String(now * 1000));
          if (each.rule !== null) rules[i % 2] = each.rule;
          const rates = rules.map((of, n) => {
            const caller = each.callers[n];
            const cost = Math.min(each.costs[n]!, 'burst' in of ? of.burst : of.limit);
            const who = caller === undefined ? {} : { caller, weight: n + 1 };
            const call = { cost, maxWaitMs: each.maxWaitMs, ...who };
            // Of one limit, all calls name their caller, or none.
            return { limiter: `${n}${caller === undefined}`, key: 'k', rule: of, calls: [call] };
          });
          if (each.alone !== null) {
            const request = { ...rates[each.alone]! };
            expect((await store.take(request)).remaining).toBe(
              (await memory.take(request)).remaining,
            );
            continue;
          }
          const permit = { lease: `${i}`, cost: each.costs[2]! };
          const permits = [
            { limiter: 'p', key: 'k', limit: 7, leaseMs: 2 * HOUR, calls: [permit] },
          ];
          const expected = await memory.takeAll({ rates, permits });
          const found = (await store.takeAll({ rates, permits }))!;
          expect(found.taken).toBe(expected.taken);
          for (const [n, result] of found.rates.entries()) {
            const other = expected.rates[n]!;
            expect(result.remaining).toBe(other.remaining);
            near(result.resetMs, other.resetMs);
            const [answer] = result.answers;
            const [wanted] = other.answers;
            expect(answer!.taken).toBe(wanted!.taken);
            if (!answer!.taken && !wanted!.taken) {
              near(answer!.retryAfterMs, wanted!.retryAfterMs);
            }
          }
          expect(found.permits[0]!.granted).toBe(expected.permits[0]!.granted);
          expect(found.permits[0]!.inUse).toBe(expected.permits[0]!.inUse);
        }
      }),
      { numRuns: 500 },
    );
  });
});
