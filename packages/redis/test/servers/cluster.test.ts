import { circuitBreaker } from '@temper/breaker';
import { sharedCircuit } from '@temper/breaker/shared';
import { sharedConcurrency, sharedRateLimit } from '@temper/ratelimit/shared';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type RedisClient, redisStore } from '../../src/index.ts';
import { describeWithRedis, freePort, RedisServer } from '../redis-server.ts';

const SLOTS = 16_384;
const servers: RedisServer[] = [];
let direct: Redis[] = [];

/** Starts three masters that share the slots. */
async function formCluster(): Promise<void> {
  const buses = new Map<number, string>();
  for (let i = 0; i < 3; i++) {
    const bus = String(await freePort());
    const server = await RedisServer.start({
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-port': bus,
    });
    servers.push(server);
    buses.set(server.port, bus);
  }
  direct = servers.map(({ port }) => new Redis(port, '127.0.0.1'));
  for (const [i, redis] of direct.entries()) {
    const from = Math.ceil((SLOTS * i) / 3);
    const to = Math.ceil((SLOTS * (i + 1)) / 3) - 1;
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
  }
  for (const { port } of servers.slice(1)) {
    const bus = buses.get(port)!;
    await direct[0]!.call('CLUSTER', 'MEET', '127.0.0.1', String(port), bus);
  }
  const ready = async (): Promise<void> => {
    for (const redis of direct) {
      expect(String(await redis.call('CLUSTER', 'INFO'))).toContain('cluster_state:ok');
    }
  };
  await vi.waitFor(ready, { timeout: 20_000, interval: 100 });
}

describeWithRedis('a cluster of three nodes', () => {
  beforeAll(formCluster, 60_000);
  afterAll(async () => {
    for (const redis of direct) redis.disconnect();
    for (const server of servers) await server.stop();
  });

  const clients: [string, () => Promise<{ client: RedisClient; close: () => unknown }>][] = [
    [
      'ioredis',
      async () => {
        const client = new Cluster(servers.map(({ port }) => ({ host: '127.0.0.1', port })));
        return { client, close: () => client.disconnect() };
      },
    ],
    [
      'redis',
      async () => {
        const rootNodes = servers.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` }));
        const client = createCluster({ rootNodes });
        await client.connect();
        return { client: client as unknown as RedisClient, close: () => client.destroy() };
      },
    ],
  ];

  it.each(clients)(
    'keeps each limit on one node, and spreads the limits over the nodes: %s',
    async (name, connect) => {
      for (const redis of direct) await redis.flushall();
      const { client, close } = await connect();
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
        const sizes = await Promise.all(direct.map((redis) => redis.dbsize()));
        expect(Math.min(...sizes)).toBeGreaterThan(5);
      } finally {
        await close();
      }
    },
  );
});
