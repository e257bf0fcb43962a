import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it } from 'vitest';
import { Keys } from './keys.ts';
import type { RedisStoreOptions } from './options.ts';
import { redisStore } from './redis-store.ts';

let clock: ManualClock;
let sent: unknown[][];
let answer: () => Promise<unknown>;
const client = {
  status: 'ready',
  evalsha: (...args: unknown[]) => {
    sent.push(args);
    return answer();
  },
  eval: () => Promise.reject(new Error('not expected')),
};

beforeEach(() => {
  clock = new ManualClock();
  sent = [];
  answer = async () => [1, 0, 0, '5'];
});

const make = (more: Partial<RedisStoreOptions> = {}) => redisStore({ client, clock, ...more });
const take = (store: ReturnType<typeof make>) =>
  store.take({
    limiter: 'api',
    key: 'ann',
    rule: { kind: 'token-bucket', limit: 10, windowMs: 1000, burst: 5 },
    calls: [{ cost: 1, maxWaitMs: Number.POSITIVE_INFINITY }],
  });

describe('redisStore', () => {
  it('rejects a command after commandTimeoutMs', async () => {
    answer = () => new Promise(() => undefined);
    const call = take(make()).catch((error: unknown) => error);
    await clock.advance(249);
    expect(clock.pending).toBeGreaterThan(0);
    await clock.advance(1);
    expect(await call).toMatchObject({
      code: 'OPERATION_TIMEOUT',
      policy: 'redis',
      timeoutMs: 250,
    });
  });

  it('sends no command after three failures in a row, then one per second, and all once that succeeds', async () => {
    const store = make();
    const failure = new Error('gone');
    answer = () => Promise.reject(failure);
    for (let i = 0; i < 3; i++) await expect(take(store)).rejects.toBe(failure);
    expect(store.state).toBe('open');
    for (let i = 0; i < 50; i++) {
      await expect(take(store)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN', policy: 'redis' });
    }
    expect(sent).toHaveLength(3);
    await clock.advance(1000);
    await expect(take(store)).rejects.toBe(failure);
    expect(sent).toHaveLength(4);
    await clock.advance(1000);
    answer = async () => [1, 0, 0, '5'];
    await expect(take(store)).resolves.toMatchObject({ remaining: 1 });
    expect(store.state).toBe('closed');
    expect(store.stats().calls).toMatchObject({ failure: 4, success: 1, rejected: 50 });
  });

  it('keeps no timer that keeps the process alive', async () => {
    await take(make());
    await settle();
    expect(clock.pendingRefed).toBe(0);
  });
});

describe('a command', () => {
  it('has one key, and every number with all its digits', async () => {
    await take(make({ prefix: 'mine' }));
    expect(sent[0]?.slice(1)).toEqual([
      1,
      'mine:rate:{3:api:3:ann}',
      ...['1', '10', '1000000', '5'],
      ...['1', '1000000000000000'],
    ]);
  });

  it('has different keys for limits of different names', () => {
    const keys = new Keys('p');
    const all = [
      keys.of('k', 'a', 'b'),
      keys.of('k', 'a:1', 'b'),
      keys.of('k', 'a', '1:b'),
      keys.of('k', 'ab'),
      keys.of('k', 'ab', ''),
      keys.of('k', '', 'ab'),
    ];
    expect(new Set(all).size).toBe(all.length);
    // Whatever braces a name has, the hash tag begins with a digit.
    for (const key of [...all, keys.of('k', '}', '{}')]) expect(key).toMatch(/^p:k:\{\d/);
  });
});

describe('invalid options', () => {
  it.each([
    [{ client: {} }, /client must be one of ioredis/],
    [{ name: '' }, /redisStore: name must be a non-empty string/],
    [{ prefix: 5 }, /prefix must be a string, got 5/],
    [{ commandTimeoutMs: 0 }, /commandTimeoutMs must be a finite number > 0, got 0/],
    [{ failureThreshold: 0 }, /failureThreshold must be an integer >= 1, got 0/],
    [{ openDurationMs: Number.NaN }, /openDurationMs must be a finite number > 0, got NaN/],
    [{ url: 'redis://x' }, /unknown option 'url'/],
    [{ name: null }, /name must be a non-empty string/],
    [{ clock: {} }, /clock.now must be a function/],
  ])('are refused: %o', (options, message) => {
    expect(() => make(options as never)).toThrow(message);
  });

  it('are refused: null', () => {
    expect(() => redisStore(null as never)).toThrow(/^redisStore: options must be an object/);
  });
});

describe('a client that does not behave', () => {
  it.each<[string, () => unknown]>([
    [
      'throws at once',
      () => {
        throw new Error('gone');
      },
    ],
    [
      'returns a thenable that rejects',
      // biome-ignore lint/suspicious/noThenProperty: clients have their own promises
      () => ({ then: (_: unknown, reject: (error: Error) => void) => reject(new Error('gone')) }),
    ],
    ['answers with a number', async () => 5],
  ])('makes the call reject when it %s', async (_, evalsha) => {
    const store = make({ client: { ...client, evalsha: evalsha as never } });
    await expect(take(store)).rejects.toThrow();
  });
});
