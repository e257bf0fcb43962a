import { ManualClock } from '@temper/testkit/clock';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import { redisStore } from '../../src/redis-store.ts';

const RULE = { kind: 'token-bucket', limit: 10, windowMs: 1000, burst: 5 } as const;
const never = (): Promise<never> => new Promise(() => undefined);

function against(answer: () => Promise<unknown>) {
  const clock = new ManualClock();
  let sent = 0;
  const evalsha = (): Promise<unknown> => {
    sent++;
    return answer();
  };
  const store = redisStore({ client: { status: 'ready', evalsha, eval: evalsha }, clock });
  const take = () =>
    store.take({ limiter: 'api', key: 'ann', rule: RULE, calls: [{ cost: 1, maxWaitMs: 0 }] });
  return { clock, store, take, sent: () => sent };
}

describe('a Redis that never answers', () => {
  it('makes a call wait for its timeout', async () => {
    const { clock, take } = against(never);
    const begin = clock.monotonic();
    const call = take();
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'OPERATION_TIMEOUT' });
    expect(clock.monotonic() - begin).toBe(boundOf('redis.silent'));
  });

  it('is asked by all calls for 250 ms, and then about once a second', async () => {
    const { clock, take, sent } = against(never);
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 1000; i++) {
      calls.push(take().catch((error: { code: string }) => error.code));
      await clock.advance(10);
    }
    await clock.advance(1000);
    expect(new Set(await Promise.all(calls))).toEqual(
      new Set(['OPERATION_TIMEOUT', 'CIRCUIT_OPEN']),
    );
    expect(sent()).toBe(boundOf('redis.outage'));
  });
});

describe('a Redis that answers nonsense', () => {
  let nested: unknown = [];
  for (let i = 0; i < 100_000; i++) nested = [nested];
  const hostile: readonly (readonly [string, unknown])[] = [
    ['a list of a million values', Array(1_000_000).fill('x')],
    ['a text of 10 MB', 'x'.repeat(10_000_000)],
    ['lists in lists', nested],
    ['a list of long texts', Array(8).fill('9'.repeat(1_000_000))],
    ['bytes', new Uint8Array(1_000_000)],
    ['a map', new Map([[1, 2]])],
    ['an error as a value', new Error('x'.repeat(1_000_000))],
    [
      'an object with a hostile getter',
      new Proxy(
        {},
        {
          get: (_, name) => {
            if (name === 'then') return undefined;
            throw new Error('no');
          },
        },
      ),
    ],
    ['numbers beyond every bound', [1e308, 1e308, 1e308, Number.MAX_VALUE]],
  ];

  it.each(hostile)('is refused with a short message: %s', async (_, reply) => {
    const { take } = against(async () => reply);
    const outcome = await take().then(
      (value) => value,
      (error: Error) => error,
    );
    if (outcome instanceof Error) {
      expect(outcome.message.length).toBeLessThanOrEqual(boundOf('redis.reply'));
    } else {
      // Numbers of the right shape are an answer: the limiter holds them to what its rule can mean.
      expect(JSON.stringify(outcome).length).toBeLessThanOrEqual(boundOf('redis.reply'));
    }
  });
});
