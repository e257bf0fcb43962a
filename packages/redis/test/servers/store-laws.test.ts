import { rateLimitStoreLaws, type StoreUnderTest } from '@temper/ratelimit/store-laws';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type RedisClient, redisStore } from '../../src/index.ts';
import { CLIENT_KINDS, type ClientKind } from '../clients.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';

const REAL_TIME = "local time = redis.call('TIME')\nlocal now = time[1] * 1000000 + time[2]";
const GIVEN_TIME = "local now = tonumber(redis.call('GET', 'the time'))";

/** Keys do not expire while a law runs by a time of its own: they are kept for hours. */
const settable = (source: string): string =>
  source
    .replace(REAL_TIME, GIVEN_TIME)
    .replaceAll(/redis\.call\('PEXPIRE'.*\)/g, '')
    .replaceAll(/, 'PX', .*\)\n/g, ')\n');

let server: RedisServer;
let ioredis: Redis;
let nodeRedis: ReturnType<typeof createClient>;
beforeAll(async () => {
  server = await RedisServer.start();
  ioredis = new Redis(server.port, '127.0.0.1');
  nodeRedis = createClient({ socket: { port: server.port, host: '127.0.0.1' } });
  nodeRedis.on('error', () => undefined);
  await nodeRedis.connect();
});
afterAll(async () => {
  ioredis.disconnect();
  nodeRedis.destroy();
  await server.stop();
});

/** A client that runs every script with the time that a law sets in place of the server's. */
function clientOf(kind: ClientKind): RedisClient {
  const unknown = (): Promise<never> => Promise.reject(new Error('NOSCRIPT'));
  if (kind === 'ioredis') {
    return {
      status: 'ready',
      evalsha: unknown,
      eval: (source: string, keys: number, ...rest: string[]) =>
        ioredis.eval(settable(source), keys, ...rest),
    };
  }
  return {
    isReady: true,
    evalSha: unknown,
    eval: (source: string, input: { keys: string[]; arguments: string[] }) =>
      nodeRedis.eval(settable(source), input),
  };
}

async function create(kind: ClientKind): Promise<StoreUnderTest> {
  let now = 1_800_000_000_000;
  const set = (): Promise<unknown> => ioredis.set('the time', String(now * 1000));
  const lose = async (): Promise<void> => {
    await ioredis.flushall();
    await set();
  };
  await lose();
  return {
    store: redisStore({ client: clientOf(kind), commandTimeoutMs: 10_000 }),
    pass: async (ms) => {
      now += ms;
      await set();
    },
    lose,
  };
}

describeWithRedis('the store on a Redis server', () => {
  describe.each(CLIENT_KINDS)('by %s', (kind) => {
    for (const { name, run } of rateLimitStoreLaws(() => create(kind))) it(name, run, 120_000);
  });
});
