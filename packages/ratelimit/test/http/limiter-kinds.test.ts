import { afterEach, describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../../src/adaptive/index.ts';
import type { HttpLimiter, HttpRequest } from '../../src/http/index.ts';
import {
  concurrency,
  fixedWindow,
  gcra,
  keyed,
  slidingWindow,
  tokenBucket,
} from '../../src/index.ts';
import {
  MemoryRateLimitStore,
  sharedConcurrency,
  sharedRateLimit,
} from '../../src/shared/index.ts';
import { closeServers, frameworks } from './frameworks.ts';

afterEach(closeServers);

/** Four units per hour, or at the same time. */
const rate = { limit: 4, windowMs: 3_600_000 };
const bucket = { ...rate, burst: 4 };
const shared = () => ({ store: new MemoryRateLimitStore(), nodes: 1 });

const unkeyed: [string, () => HttpLimiter][] = [
  ['tokenBucket', () => tokenBucket(bucket)],
  ['gcra', () => gcra(bucket)],
  ['slidingWindow', () => slidingWindow(rate)],
  ['fixedWindow', () => fixedWindow(rate)],
  ['concurrency', () => concurrency({ limit: 4 })],
  ['adaptiveConcurrency', () => adaptiveConcurrency({ initialLimit: 4 })],
  [
    'sharedRateLimit without keys',
    () => sharedRateLimit({ name: 'shared', ...shared(), ...bucket }),
  ],
  [
    'sharedConcurrency without keys',
    () => sharedConcurrency({ name: 'shared', ...shared(), limit: 4 }),
  ],
];

const byKey: [string, () => HttpLimiter][] = [
  ['keyed with a template', () => keyed({ template: tokenBucket(bucket) })],
  ['keyed with concurrency', () => keyed({ limiter: () => concurrency({ limit: 4 }) })],
  [
    'sharedRateLimit token-bucket',
    () => sharedRateLimit({ name: 'shared', ...shared(), ...bucket }),
  ],
  [
    'sharedRateLimit sliding-window',
    () => sharedRateLimit({ name: 'shared', ...shared(), ...rate, algorithm: 'sliding-window' }),
  ],
  [
    'sharedRateLimit fixed-window',
    () => sharedRateLimit({ name: 'shared', ...shared(), ...rate, algorithm: 'fixed-window' }),
  ],
  ['sharedConcurrency', () => sharedConcurrency({ name: 'shared', ...shared(), limit: 4 })],
];

describe.each(frameworks)('%s', (_, start) => {
  /** Sends requests at the same time. @returns how many passed, per user */
  async function passed(
    limiter: HttpLimiter,
    users: readonly string[],
    key: ((request: HttpRequest) => string | undefined) | undefined,
  ): Promise<number[]> {
    const gate = Promise.withResolvers<string>();
    let begun = 0;
    let refused = 0;
    const limit = { name: 'a', limiter, cost: () => 2, ...(key === undefined ? {} : { key }) };
    const url = await start({ limits: [limit] }, () => {
      begun++;
      return gate.promise;
    });
    const requests = users.map(async (user) => {
      const { status } = await fetch(url, { headers: { 'x-user': user } });
      if (status !== 200) refused++;
      return { user, status };
    });
    await expect.poll(() => begun + refused, { timeout: 20_000 }).toBe(users.length);
    gate.resolve('done');
    const answers = await Promise.all(requests);
    return [...new Set(users)].map(
      (one) => answers.filter(({ user, status }) => user === one && status === 200).length,
    );
  }

  it.each(unkeyed)('lets two of six requests of cost 2 pass %s of 4 units', async (_name, make) => {
    const users = ['ann', 'bob', 'ann', 'bob', 'ann', 'bob'];
    const counts = await passed(make(), users, undefined);
    expect(counts[0]! + counts[1]!).toBe(2);
  });

  it.each(byKey)('lets two of six requests per key pass %s of 4 units', async (_name, make) => {
    const users = Array.from({ length: 12 }, (_each, i) => (i % 2 === 0 ? 'ann' : 'bob'));
    expect(await passed(make(), users, (request) => request.header('x-user'))).toEqual([2, 2]);
  });
});
