import { circuitBreaker } from '@temper/breaker';
import { sharedCircuit } from '@temper/breaker/shared';
import { sharedConcurrency, sharedRateLimit } from '@temper/ratelimit/shared';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisStore } from '../../src/index.ts';
import { shardOf } from '../../src/shards.ts';
import { CLIENT_KINDS } from '../clients.ts';
import { connectToCluster, RedisCluster } from '../redis-cluster.ts';
import { describeWithRedis } from '../redis-server.ts';

let cluster: RedisCluster;

describeWithRedis('a cluster of three nodes', () => {
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster.stop());

  it.each(CLIENT_KINDS)(
    'keeps each limit on one node, and spreads the limits over the nodes: %s',
    async (name) => {
      for (const redis of cluster.direct) await redis.flushall();
      const { client, close } = await connectToCluster(name, cluster.ports);
      try {
        const store = redisStore({ client, commandTimeoutMs: 5000 });
        const common = { store, onStoreFailure: 'closed' as const, limit: 3, windowMs: 3_600_000 };
        for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
          const limiter = sharedRateLimit({ ...common, name: `${name}-${algorithm}`, algorithm });
          for (let key = 0; key < 20; key++) {
            const answers = [];
            for (let i = 0; i < 4; i++) {
              const { allowed } = await limiter.take({ key: `}{user-${key}` });
              answers.push(allowed);
            }
            expect(answers).toEqual([true, true, true, false]);
          }
        }
        const permits = sharedConcurrency({ store, onStoreFailure: 'closed', name, limit: 1 });
        const lease = await permits.acquire({ key: 'x' });
        expect(await permits.tryAcquire({ key: 'x' })).toBeUndefined();
        lease.release();
        await circuitBreaker({ name, shared: sharedCircuit({ store }) }).execute(() => 1);
        const sizes = await Promise.all(cluster.direct.map((redis) => redis.dbsize()));
        expect(Math.min(...sizes)).toBeGreaterThan(5);
      } finally {
        await close();
      }
    },
  );

  it.each(CLIENT_KINDS)(
    'serves the keys of the other masters while one is dead: %s',
    async (name) => {
      const { client, close } = await connectToCluster(name, cluster.ports);
      const store = redisStore({ client, commandTimeoutMs: 400, openDurationMs: 10_000 });
      const limiter = sharedRateLimit({ name: `dead-${name}`, store, onStoreFailure: 'closed' });
      const ask = (key: string): Promise<boolean> =>
        limiter.take({ key }).then(
          ({ allowed }) => allowed,
          () => false,
        );
      const keys = Array.from({ length: 60 }, (_, i) => `user-${i}`);
      try {
        for (const key of keys) expect(await ask(key)).toBe(true);
        const dead = `127.0.0.1:${cluster.servers[2]!.port}`;
        const of = (key: string): string =>
          shardOf(
            client,
            `temper:rate:{${limiter.name.length}:${limiter.name}:${key.length}:${key}}`,
          );
        const healthy = keys.filter((key) => of(key) !== dead);
        expect(healthy.length).toBeGreaterThan(20);
        expect(healthy.length).toBeLessThan(60);
        // Paused, so that it can be continued for the next client.
        cluster.servers[2]!.pause();
        let wrong = 0;
        for (const key of keys) if ((await ask(key)) !== healthy.includes(key)) wrong++;
        expect(wrong).toBe(0);
        expect(store.shards()[dead]).toMatchObject({ state: 'open' });
        expect(store.shards()[dead]!.calls.rejected).toBeGreaterThan(5);
      } finally {
        cluster.servers[2]!.resume();
        await close();
      }
    },
  );
});
