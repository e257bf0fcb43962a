import { show } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it } from 'vitest';
import { circuitBreaker } from '../circuit-breaker.ts';
import type { CircuitBreaker } from '../contract.ts';
import { StoreReplyError } from './errors.ts';
import { MemoryBreakerStore } from './memory-store.ts';
import { sharedCircuit } from './shared-circuit.ts';
import type { BreakerStore } from './store.ts';

type Method = keyof BreakerStore;
const METHODS: readonly Method[] = ['report', 'takeTrial', 'endTrial'];

const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(new Error('boom'));

let clock: ManualClock;
let asked: Record<Method, number>;
beforeEach(() => {
  clock = new ManualClock();
  asked = { report: 0, takeTrial: 0, endTrial: 0 };
});

/** A store that works, and whose replies to one method are others. */
function storeWith(method: Method, change: (reply: unknown) => unknown): BreakerStore {
  const store = new MemoryBreakerStore(clock);
  const replies = (each: Method) => (message: never) => {
    asked[each]++;
    const reply: Promise<unknown> = store[each](message);
    return each === method ? change(reply) : reply;
  };
  return Object.fromEntries(METHODS.map((each) => [each, replies(each)])) as never;
}

function node(store: BreakerStore, onStoreError?: (error: unknown) => void): CircuitBreaker {
  const shared = sharedCircuit({ store, node: 'a', minimumNodes: 1 });
  if (onStoreError !== undefined) shared.onStoreError(onStoreError);
  return circuitBreaker({ name: 'payments', clock, failureThreshold: 2, shared });
}

const call = (breaker: CircuitBreaker, operation: () => Promise<string>): Promise<unknown> =>
  clock.runUntil(breaker.tryExecute(operation));

/** An outage and the time after it, with calls all along. */
async function outage(breaker: CircuitBreaker): Promise<void> {
  await call(breaker, ok);
  await clock.advance(1000);
  for (let i = 0; i < 2; i++) await call(breaker, fail);
  await clock.advance(300);
  expect(breaker.state).toBe('open');
  for (let i = 0; i < 30; i++) {
    await clock.advance(5000);
    await call(breaker, ok);
  }
  await clock.advance(1000);
}

const then = (work: (resolve: (value: unknown) => void, reject: (e: unknown) => void) => void) => ({
  // biome-ignore lint/suspicious/noThenProperty: a thenable that misbehaves is the subject
  then: work,
});
const throwing = (): never => {
  throw new Error('hostile');
};

const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  [],
  [1, 'open', 5, 1, 1],
  'OK',
  '',
  0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  1e300,
  true,
  Symbol('reply'),
  {},
  new Error('returned'),
  () => undefined,
  Object.defineProperty({}, 'generation', { get: throwing }),
  Object.defineProperty({}, 'verdict', { get: throwing }),
];

const NUMBERS: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  1e300,
  '7',
  '',
  [7],

  {},
];

const FLEET_FIELDS: readonly (readonly [string, readonly unknown[]])[] = [
  ['generation', [...NUMBERS, 0.5]],
  ['state', [...NUMBERS, 'ajar', 'OPEN', 'isolated']],
  ['nodes', [...NUMBERS, 0.5]],
  ['openNodes', [...NUMBERS, 0.5]],
];

const fleetReplies = FLEET_FIELDS.flatMap(([field, values]) =>
  values.map((value) => ({ field, value })),
);

describe.each(METHODS)('a reply to %s()', (method) => {
  const malformed = [
    ...NONSENSE.map((reply, i) => ({
      what: `all of it, ${i}`,
      shown: typeof reply === 'object' ? typeof reply : show(reply),
      change: () => reply,
    })),
    ...fleetReplies.map(({ field, value }) => ({
      what: field,
      shown: show(value),
      change: async (reply: unknown) => {
        const real = (await reply) as { fleet: object };
        return method === 'takeTrial'
          ? { ...real, fleet: { ...real.fleet, [field]: value } }
          : { ...real, [field]: value };
      },
    })),
  ];

  it.each(malformed)('that is malformed ($what: $shown) is a failure of the store', async (row) => {
    const errors: unknown[] = [];
    const breaker = node(storeWith(method, row.change), (error) => errors.push(error));
    await outage(breaker);
    expect(breaker.stats()).toMatchObject({ state: 'closed', trials: { running: 0 } });
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) {
      expect(error).toBeInstanceOf(StoreReplyError);
      expect(error).toMatchObject({ code: 'STORE_REPLY_INVALID', method, policy: 'payments' });
    }
    expect(breaker.stats().shared?.storeErrors).toBe(errors.length);
    expect(asked.takeTrial).toBeLessThan(31);
    expect(clock.pending).toBe(0);
  });

  const misbehaving: readonly [string, () => unknown][] = [
    ['throws', throwing],
    ['rejects', () => Promise.reject(new Error('down'))],
    ['rejects with nothing', () => Promise.reject(undefined)],
    ['has a then that throws', () => then(throwing)],
    ['is a proxy that throws', () => new Proxy({}, { get: throwing })],
    [
      'rejects twice',
      () =>
        then((_, reject) => {
          reject(new Error('first'));
          reject(new Error('second'));
          throw new Error('third');
        }),
    ],
    ['never settles', () => new Promise(() => undefined)],
    [
      'is late, and rejects twice then',
      () =>
        then((_, reject) => {
          clock.schedule(() => {
            reject(new Error('late'));
            reject(new Error('later'));
          }, 400);
        }),
    ],
    ['is late and null', () => clock.sleep(400).then(() => null)],
  ];

  it.each(misbehaving)('that %s is a failure of the store', async (_how, reply) => {
    const errors: unknown[] = [];
    const store = storeWith(method, reply);
    const breaker = node(store, (error) => errors.push(error));
    await outage(breaker);
    await clock.advance(1000);
    expect(breaker.stats()).toMatchObject({ state: 'closed', trials: { running: 0 } });
    expect(errors.length).toBeGreaterThan(0);
    expect(clock.pending).toBe(0);
  });
});

describe('a grant', () => {
  it.each([
    ...NUMBERS.map((retryAfterMs) => ({ verdict: 'refused', retryAfterMs })),
    ...[undefined, null, '', 7, Number.NaN, {}, 'x'.repeat(1001)].map((lease) => ({
      verdict: 'leased',
      lease,
    })),
    ...[...NUMBERS, 'granted', 'LEASED'].map((verdict) => ({ verdict })),
  ])('that is malformed is a failure of the store: %o', async (change) => {
    const errors: unknown[] = [];
    const store = storeWith('takeTrial', async (reply) => ({
      ...((await reply) as object),
      ...change,
    }));
    const breaker = node(store, (error) => errors.push(error));
    await outage(breaker);
    expect(breaker.state).toBe('closed');
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).toBeInstanceOf(StoreReplyError);
    expect(asked.takeTrial).toBeLessThan(31);
  });

  it.each([0, 1e-9, 0.5, 1e15])(
    'that refuses for %j ms is asked for again at most once per millisecond and reportIntervalMs',
    async (retryAfterMs) => {
      const store = storeWith('takeTrial', async (reply) => ({
        ...((await reply) as object),
        verdict: 'refused',
        retryAfterMs,
      }));
      const breaker = node(store);
      for (let i = 0; i < 2; i++) await call(breaker, fail);
      await clock.advance(60_000);
      for (let i = 0; i < 50; i++) expect(await call(breaker, ok)).toMatchObject({ ok: false });
      expect(asked.takeTrial).toBe(1);
      await clock.advance(1000);
      await call(breaker, ok);
      expect(asked.takeTrial).toBe(2);
    },
  );
});

describe('the state of the fleet', () => {
  const fleet = { state: 'open', remainingMs: 100, nodes: 3, openNodes: 3 } as const;

  it.each([1e15, Number.MAX_SAFE_INTEGER])(
    'is followed again after a reply with generation %j',
    async (generation) => {
      let reply: object = { ...fleet, generation };
      const store = storeWith('report', async () => reply);
      const breaker = node(store);
      await call(breaker, ok);
      await settle();
      expect(breaker.state).toBe('open');
      reply = { ...fleet, state: 'closed', remainingMs: 0, generation: 2, openNodes: 0 };
      await clock.advance(1000);
      await call(breaker, ok);
      await settle();
      expect(breaker.state).toBe('closed');
      reply = { ...fleet, generation: 3 };
      await clock.advance(1000);
      await call(breaker, ok);
      await settle();
      expect(breaker.state).toBe('open');
    },
  );

  it('opens a circuit for at most maxOpenDurationMs', async () => {
    const store = storeWith('report', async () => ({ ...fleet, generation: 1, remainingMs: 1e15 }));
    const breaker = node(store);
    await call(breaker, ok);
    await settle();
    expect(breaker.stats()).toMatchObject({ state: 'open', retryAfterMs: 600_000 });
  });

  it('has no open time left unless it is open', async () => {
    const state = { ...fleet, generation: 1, state: 'half-open', remainingMs: 5000 };
    const breaker = node(storeWith('report', async () => state));
    await call(breaker, ok);
    await settle();
    expect(breaker.state).toBe('half-open');
  });
});

describe('onStoreError of a shared circuit', () => {
  it('can be added and removed later, and tells the failures of every breaker', async () => {
    const heard: unknown[][] = [[], []];
    const shared = sharedCircuit({ store: storeWith('report', () => null), node: 'a' });
    const [first, second] = ['one', 'two'].map((name) => circuitBreaker({ name, clock, shared }));
    const leave = shared.onStoreError((error) => heard[0]?.push(error));
    shared.onStoreError((error) => heard[1]?.push(error));
    await first?.execute(ok);
    await settle();
    leave[Symbol.dispose]();
    await second?.execute(ok);
    await settle();
    expect(heard.map((errors) => errors.map((e) => (e as StoreReplyError).policy))).toEqual([
      ['one'],
      ['one', 'two'],
    ]);
  });
});
