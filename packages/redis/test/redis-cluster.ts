import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { expect, vi } from 'vitest';
import type { RedisClient } from '../src/index.ts';
import type { ClientKind } from './clients.ts';
import { freePort, RedisServer } from './redis-server.ts';

const SLOTS = 16_384;

/** Three masters that share the slots, without replicas. */
export class RedisCluster {
  readonly servers: readonly RedisServer[];
  /** A connection to each master, in their order. */
  readonly direct: readonly Redis[];

  private constructor(servers: readonly RedisServer[]) {
    this.servers = servers;
    this.direct = servers.map(({ port }) => {
      const redis = new Redis(port, '127.0.0.1', { retryStrategy: () => 100 });
      // Without a listener, the client logs that a master was killed.
      redis.on('error', () => undefined);
      return redis;
    });
  }

  get ports(): number[] {
    return this.servers.map(({ port }) => port);
  }

  /** Starts the masters. @param settings - of each server */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<RedisCluster> {
    const servers: RedisServer[] = [];
    const buses: string[] = [];
    for (let i = 0; i < 3; i++) {
      const bus = String(await freePort());
      buses.push(bus);
      servers.push(
        await RedisServer.start({
          'cluster-enabled': 'yes',
          'cluster-config-file': 'nodes.conf',
          'cluster-port': bus,
          ...settings,
        }),
      );
    }
    const cluster = new RedisCluster(servers);
    await cluster.#join(buses);
    return cluster;
  }

  async #join(buses: readonly string[]): Promise<void> {
    for (const [i, redis] of this.direct.entries()) {
      const from = Math.ceil((SLOTS * i) / 3);
      const to = Math.ceil((SLOTS * (i + 1)) / 3) - 1;
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    }
    for (const [i, port] of this.ports.entries()) {
      if (i > 0) {
        await this.direct[0]!.call('CLUSTER', 'MEET', '127.0.0.1', String(port), buses[i]!);
      }
    }
    const ready = async (): Promise<void> => {
      for (const redis of this.direct) {
        expect(String(await redis.call('CLUSTER', 'INFO'))).toContain('cluster_state:ok');
      }
    };
    await vi.waitFor(ready, { timeout: 20_000, interval: 100 });
  }

  async stop(): Promise<void> {
    for (const redis of this.direct) redis.disconnect();
    for (const server of this.servers) await server.stop();
  }
}

/** Connects one of the two packages to a cluster. */
export async function connectToCluster(
  kind: ClientKind,
  ports: readonly number[],
): Promise<{ client: RedisClient; close(): unknown }> {
  if (kind === 'ioredis') {
    const client = new Cluster(ports.map((port) => ({ host: '127.0.0.1', port })));
    client.on('error', () => undefined);
    return { client, close: () => client.disconnect() };
  }
  const rootNodes = ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
  const client = createCluster({ rootNodes });
  client.on('error', () => undefined);
  await client.connect();
  return { client: client as unknown as RedisClient, close: () => client.destroy() };
}
