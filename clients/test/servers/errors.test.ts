import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe } from 'vitest';
import { closedPort } from '../case.ts';
import { pgCases } from '../cases/pg.ts';
import { prismaCases } from '../cases/prisma.ts';
import { type RedisPorts, redisCases } from '../cases/redis.ts';
import { itJudges } from '../judge.ts';
import { isInstalled, startPostgres, startRedis } from './processes.ts';

describe.runIf(isInstalled('PostgreSQL'))('errors of PostgreSQL', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  itJudges(prismaCases(() => server));
  itJudges(pgCases(() => ({ port: server.port, shutDown: () => server.process.kill('SIGTERM') })));
});

describe.runIf(isInstalled('redis-server'))('errors of Redis', () => {
  const started: Awaited<ReturnType<typeof startRedis>>[] = [];
  const open: Redis[] = [];
  let ports: RedisPorts;

  async function start(
    settings: Readonly<Record<string, string>> = {},
    folder?: string,
  ): Promise<number> {
    const server = await startRedis(settings, folder);
    started.push(server);
    return server.port;
  }
  /** A client that stays connected until the end. */
  function connected(port: number): Redis {
    const redis = new Redis({ host: '127.0.0.1', port, retryStrategy: () => null });
    redis.on('error', () => undefined);
    open.push(redis);
    return redis;
  }

  beforeAll(async () => {
    const gone = `127.0.0.1 ${await closedPort()}`.split(' ');
    const plain = await start();
    const admin = connected(plain);
    await admin.set('text', 'a');
    const crowded = await start({ maxclients: '1' });
    await connected(crowded).ping();
    const replica = await start();
    await connected(replica).replicaof(gone[0] as string, gone[1] as string);
    const stale = await start({ 'replica-serve-stale-data': 'no' });
    await connected(stale).replicaof(gone[0] as string, gone[1] as string);
    const full = await start({ 'maxmemory-policy': 'noeviction' });
    const filler = connected(full);
    await filler.config('SET', 'maxmemory', '1');
    await filler.config('SET', 'requirepass', 'secret');
    const [slotless, moved, owner] = await Promise.all([
      start({ 'cluster-enabled': 'yes' }),
      start({ 'cluster-enabled': 'yes' }),
      start({ 'cluster-enabled': 'yes' }),
    ]);
    await connected(owner).call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const node = connected(moved);
    await node.cluster('MEET', '127.0.0.1', owner);
    while (!String(await node.cluster('INFO')).includes('cluster_state:ok')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const folder = mkdtempSync(join(tmpdir(), 'temper-redis-'));
    const before = await startRedis({}, folder);
    const writer = new Redis(before.port, '127.0.0.1');
    await writer.mset(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, 'v'])));
    await writer.save();
    writer.disconnect();
    before.process.kill('SIGKILL');
    const loading = await start(
      { 'key-load-delay': '20000', 'loading-process-events-interval-bytes': '1024' },
      folder,
    );
    ports = { plain, crowded, replica, stale, full, slotless, moved, loading };
  });
  afterAll(async () => {
    for (const redis of open) redis.disconnect();
    for (const server of started) await server.stop();
  });

  itJudges(redisCases(() => ports));
});
