import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { redisStore } from './redis-store.ts';

const rule = { kind: 'token-bucket', limit: 10, windowMs: 1000, burst: 5 } as const;
const key = { limiter: 'api', key: 'ann' } as const;

type Store = ReturnType<typeof redisStore>;

/** Every request that reads a reply, and a reply that is right. */
const requests: [string, (store: Store) => Promise<unknown>, unknown][] = [
  ['take', (s) => s.take({ ...key, rule, calls: [{ cost: 1, maxWaitMs: 0 }] }), [1, 0, 0, '5']],
  ['giveBack', (s) => s.giveBack({ ...key, rule, cost: 1, receipt: '5' }), [1]],
  ['change', (s) => s.change({ ...key, rule, change: { kind: 'reset' } }), [1]],
  [
    'takePermits',
    (s) => s.takePermits({ ...key, calls: [{ lease: 'a', cost: 1 }], limit: 1, leaseMs: 1000 }),
    [1, 1, 5],
  ],
  ['renewPermits', (s) => s.renewPermits({ ...key, leases: ['a'], leaseMs: 1000 }), ['a']],
  ['announce', (s) => s.announce({ limiter: 'api', node: 'a', ttlMs: 1000 }), 1],
  [
    'report',
    (s) =>
      s.report({
        circuit: 'c',
        node: 'a',
        open: false,
        generation: 0,
        openMs: 0,
        ttlMs: 1000,
        quorum: 0.5,
        minimumNodes: 1,
      }),
    [0, 'closed', 0, 1, 0],
  ],
  [
    'takeTrial',
    (s) => s.takeTrial({ circuit: 'c', node: 'a', leaseMs: 1000 }),
    ['leased', '7', 0, 1, 'half-open', 0, 1, 1],
  ],
  [
    'endTrial',
    (s) =>
      s.endTrial({
        circuit: 'c',
        node: 'a',
        lease: '7',
        verdict: 'success',
        openMs: 0,
        successThreshold: 1,
      }),
    [0, 'closed', 0, 1, 0],
  ],
];

const storeWith = (reply: unknown): Store =>
  redisStore({
    client: { status: 'ready', evalsha: async () => reply, eval: async () => reply },
    clock: new ManualClock(),
  });

describe.each(requests)('the reply to %s', (name, ask, right) => {
  it('is read when it is right, and with integers as text, as some clients return them', async () => {
    await expect(ask(storeWith(right))).resolves.not.toThrow();
    if (!Array.isArray(right) || name === 'renewPermits') return;
    const asText = right.map((value) => (typeof value === 'number' ? String(value) : value));
    expect(await ask(storeWith(asText))).toEqual(await ask(storeWith(right)));
  });

  it.each([
    undefined,
    null,
    'OK',
    {},
    true,
    [[]],
    [null],
    [{}],
    [undefined, undefined],
    [Number.NaN],
  ])('is refused when it is %j', async (reply) => {
    await expect(ask(storeWith(reply))).rejects.toThrow(TypeError);
  });

  it('is refused when one value is missing or of another kind: null is not 0', async () => {
    if (!Array.isArray(right)) return;
    if (name !== 'renewPermits') await expect(ask(storeWith([]))).rejects.toThrow(TypeError);
    for (const i of right.keys()) {
      for (const value of [null, undefined, [], {}, Number.NaN, Number.POSITIVE_INFINITY]) {
        const reply = right.with(i, value);
        await expect(ask(storeWith(reply)), `${i}: ${String(value)}`).rejects.toThrow(TypeError);
      }
    }
  });
});

describe('a state of another version', () => {
  it('is not used, and says why', async () => {
    const [, take] = requests[0]!;
    await expect(take(storeWith([-1]))).rejects.toThrow(/written by another version of Temper/);
  });
});
