import { readFileSync } from 'node:fs';
import * as breaker from '@temper/breaker';
import * as breakerShared from '@temper/breaker/shared';
import * as ratelimitShared from '@temper/ratelimit/shared';
import * as ioredis from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as redis from '../../src/index.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
  process.env.REDIS_URL = `redis://127.0.0.1:${server.port}`;
});
afterAll(() => server.stop());

describeWithRedis('the README', () => {
  it('has an example that runs', async () => {
    const example = /## Example\n\n```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const body = example.replace(
      /import (\{.*\}) from '(?:@temper\/)?([\w/]+)';/g,
      "const $1 = modules['$2'];",
    );
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (modules: object) => Promise<unknown>;
    const end = 'client.disconnect(); return { paid, built, errors: api.stats().storeErrors };';
    const run = new AsyncFunction('modules', `${body}; ${end}`);
    expect(
      await run({
        breaker,
        'breaker/shared': breakerShared,
        'ratelimit/shared': ratelimitShared,
        redis,
        ioredis,
      }),
    ).toEqual({
      paid: 'paid',
      built: 'built',
      errors: 0,
    });
  });
});
