import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { redisStore } from './redis-store.ts';
import { shardOf, slotOf } from './shards.ts';

describe('slotOf', () => {
  // The values of CLUSTER KEYSLOT; the first is the check value of the specification.
  it.each([
    ['123456789', 0x31c3],
    ['foo', 12_182],
    ['{foo}bar', 12_182],
    ['p:{foo}{bar}', 12_182],
    ['', 0],
  ])('of %j is %i', (key, slot) => {
    expect(slotOf(key)).toBe(slot % 16_384);
  });

  it('is that of the whole key when the tag is empty or open', () => {
    expect(slotOf('{}foo')).not.toBe(slotOf('foo'));
    expect(slotOf('a{foo')).not.toBe(slotOf('foo'));
  });
});

const slots = (of: (slot: number) => unknown): unknown[] =>
  Array.from({ length: 16_384 }, (_, slot) => of(slot));

describe('shardOf', () => {
  it('is the address of the master as either client tells it, and empty when it is unknown', () => {
    const ioredis = { slots: slots((slot) => [`h:${slot}`, 'replica:1']) };
    const redis = { slots: slots((slot) => ({ master: { address: `h:${slot}` }, replicas: [] })) };
    expect(shardOf(ioredis, 'foo')).toBe('h:12182');
    expect(shardOf(redis, 'foo')).toBe('h:12182');
    for (const client of [{}, { slots: [] }, { slots: 5 }, { slots: slots(() => undefined) }]) {
      expect(shardOf(client, 'foo')).toBe('');
    }
  });
});

describe('a store on a cluster', () => {
  const rule = { kind: 'token-bucket', limit: 10, windowMs: 1000, burst: 5 } as const;
  const take = (store: ReturnType<typeof redisStore>, key: string) =>
    store.take({ limiter: 'api', key, rule, calls: [] });

  function cluster() {
    const dead = new Set<string>();
    const names = ['a', 'b', 'c'];
    const masterOf = (slot: number): string => names[slot % 3]!;
    const client = {
      status: 'ready',
      slots: slots((slot) => [masterOf(slot)]),
      evalsha: async (_sha: string, _keys: number, ...[key = '']: string[]) => {
        if (dead.has(masterOf(slotOf(key)))) throw new Error('connection lost');
        return [1, 0];
      },
      eval: () => Promise.reject(new Error('not expected')),
    };
    return { client, dead, masterOf };
  }

  it('keeps the calls for healthy masters apart from those for a dead one', async () => {
    const clock = new ManualClock();
    const { client, dead, masterOf } = cluster();
    const store = redisStore({ client, clock });
    dead.add('b');
    const outcomes = { healthy: 0, failed: 0, open: 0 };
    for (let i = 0; i < 300; i++) {
      const key = `user-${i}`;
      const own = masterOf(slotOf(`temper:rate:{3:api:${key.length}:${key}}`));
      const result = await take(store, key).catch((error: { code?: string }) => error);
      if ('answers' in result) outcomes.healthy++;
      else if (result.code === 'CIRCUIT_OPEN') outcomes.open++;
      else outcomes.failed++;
      expect('answers' in result).toBe(own !== 'b');
    }
    expect(outcomes.failed).toBe(3);
    expect(outcomes.healthy).toBeGreaterThan(150);
    expect(outcomes.open).toBeGreaterThan(50);
    expect(store.state).toBe('open');
    expect(store.shards()).toMatchObject({
      a: { state: 'closed' },
      b: { state: 'open' },
      c: { state: 'closed' },
    });
    const { calls } = store.stats();
    expect(calls).toMatchObject({ success: outcomes.healthy, failure: 3, rejected: outcomes.open });
    dead.clear();
    await clock.advance(1000);
    for (let i = 0; i < 300; i++) await take(store, `user-${i}`);
    expect(store.state).toBe('closed');
    store[Symbol.dispose]();
  });

  it('keeps no more circuit breakers than a cluster has masters at a time', async () => {
    const { client } = cluster();
    const moving = { ...client, slots: [] as unknown[] };
    const store = redisStore({ client: moving, clock: new ManualClock() });
    for (let i = 0; i < 200; i++) {
      moving.slots = slots(() => [`10.0.0.${i}:6379`]);
      await take(store, 'ann');
    }
    expect(Object.keys(store.shards()).length).toBeLessThanOrEqual(64);
    expect(store.stats().calls.success).toBeLessThanOrEqual(200);
  });
});
