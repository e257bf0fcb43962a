import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryRateLimitStore } from './memory-store.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';
import type { RateLimitStore } from './store.ts';

type Method = Exclude<keyof RateLimitStore, 'takeAll'>;
const METHODS: readonly Method[] = [
  'take',
  'giveBack',
  'change',
  'takePermits',
  'renewPermits',
  'returnPermits',
  'announce',
];

const HOUR = 3_600_000;
const TIMEOUT_MS = 200;
const LATE_MS = 500;
const LIMIT = 10;

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

/** What a method of a store does in place of answering: it may carry the request out and may not. */
type Behaviour = (carryOut: () => Promise<unknown>) => unknown;

const thenable = (then: (...ends: ((value?: unknown) => void)[]) => void): unknown => ({ then });

/** No answer in time. */
const UNANSWERED: Readonly<Record<string, Behaviour>> = {
  'never answers': () => new Promise(() => undefined),
  'carries out and never answers': (carryOut) => {
    void carryOut();
    return new Promise(() => undefined);
  },
  'carries out and answers late': async (carryOut) => {
    const answer = await carryOut();
    await clock.sleep(LATE_MS);
    return answer;
  },
  'carries out late': async (carryOut) => {
    await clock.sleep(LATE_MS);
    return carryOut();
  },
  'rejects late': async () => {
    await clock.sleep(LATE_MS);
    throw new Error('late');
  },
  'answers nonsense late': async () => {
    await clock.sleep(LATE_MS);
    return 'OK';
  },
  'is a thenable that never calls back': () => thenable(() => undefined),
  'is a thenable that calls back late, twice': (carryOut) =>
    thenable((resolve) => {
      void carryOut().then(async (answer) => {
        await clock.sleep(LATE_MS);
        resolve!(answer);
        resolve!('again');
      });
    }),
  'fulfils with a pending promise': () =>
    thenable((resolve) => resolve!(new Promise(() => undefined))),
};

/** A failure at once. */
const FAILED: Readonly<Record<string, Behaviour>> = {
  throws: () => {
    throw new Error('at once');
  },
  'is a thenable that throws': () =>
    thenable(() => {
      throw new Error('then');
    }),
  'has a getter for then that throws': () =>
    Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('getter');
      },
    }),
  'rejects twice': () =>
    thenable((_, reject) => {
      reject!(new Error('once'));
      reject!(new Error('twice'));
    }),
  'rejects and then fulfils': (carryOut) =>
    thenable((resolve, reject) => {
      reject!(new Error('first'));
      void carryOut().then(resolve);
    }),
};

/** An answer, and more. */
const ANSWERED: Readonly<Record<string, Behaviour>> = {
  'answers twice': (carryOut) =>
    thenable((resolve) => {
      void carryOut().then((answer) => {
        resolve!(answer);
        resolve!('again');
      });
    }),
  'answers and rejects': (carryOut) =>
    thenable((resolve, reject) => {
      void carryOut().then((answer) => {
        resolve!(answer);
        reject!(new Error('afterwards'));
      });
    }),
  'answers and throws': (carryOut) =>
    thenable((resolve) => {
      resolve!(carryOut());
      throw new Error('afterwards');
    }),
  'answers just in time': async (carryOut) => {
    const answer = await carryOut();
    await clock.sleep(TIMEOUT_MS - 1);
    return answer;
  },
};

/** A store one of whose methods behaves like this, while told to. */
function storeThat(method: Method, behaviour: Behaviour) {
  const memory = new MemoryRateLimitStore(clock);
  const state = { behaves: true };
  const store = new Proxy(memory, {
    get: (_, name: Method) => (request: never) => {
      const carryOut = async (): Promise<unknown> => memory[name](request);
      return name === method && state.behaves ? behaviour(carryOut) : carryOut();
    },
  });
  return { memory, store, state };
}

const RATES = [
  ['token-bucket', 'exact'],
  ['sliding-window', 'exact'],
  ['fixed-window', 'exact'],
  ['token-bucket', 'leased'],
] as const;

/** Uses everything that shared limiters do. Every call ends. */
async function use(store: RateLimitStore, onStoreFailure: 'local' | 'closed') {
  const options = { limit: LIMIT, timeoutMs: TIMEOUT_MS, expectedNodes: 1 };
  const common = { store, clock, onStoreFailure, ...options };
  const rates = RATES.map(([algorithm, mode]) => {
    const name = `${algorithm} ${mode}`;
    return sharedRateLimit({ ...common, name, algorithm, mode, windowMs: HOUR });
  });
  const permits = sharedConcurrency({ ...common, name: 'permits', leaseMs: 600 });
  const ended: string[] = [];
  const began: string[] = [];
  const since = clock.monotonic();
  let longestMs = 0;
  const ask = (what: string, answer: Promise<unknown>): Promise<unknown> => {
    began.push(what);
    const end = (): void => {
      ended.push(what);
      longestMs = Math.max(longestMs, clock.monotonic() - since);
    };
    answer.then(end, end);
    return answer.catch(() => undefined);
  };
  const leases: ({ release(): void } | undefined)[] = [];
  for (const limiter of [...rates, permits]) {
    const { name } = limiter;
    void ask(`${name} take`, limiter.take({ key: 'k' })).then((answer) => {
      leases.push((answer as { lease?: { release(): void } } | undefined)?.lease);
    });
    void ask(`${name} acquire`, limiter.acquire({ key: 'k', maxWaitMs: 10 })).then((lease) => {
      leases.push(lease as { release(): void } | undefined);
    });
    const aborted = AbortSignal.abort('gone');
    void ask(`${name} aborted`, limiter.acquire({ key: 'k', signal: aborted }));
    const run = limiter.execute(() => clock.sleep(10), { key: 'k' });
    void ask(`${name} execute`, run);
    void ask(`${name} peek`, limiter.peek({ key: 'k' }));
  }
  for (const limiter of rates) {
    void ask(`${limiter.name} penalty`, limiter.penalty(1, { key: 'k' }));
    const settled = limiter.take({ key: 'k' }).then(({ lease }) => lease?.settle?.(0));
    void ask(`${limiter.name} settle`, settled);
  }
  return {
    limiters: [...rates, permits],
    rates,
    leases,
    began,
    ended,
    longestMs: () => longestMs,
  };
}

describe.each(METHODS)('a store whose %s', (method) => {
  const bad = [...Object.entries(UNANSWERED), ...Object.entries(FAILED)];

  it.each(bad)('%s hangs no call and keeps no unit', async (_, behaviour) => {
    for (const onStoreFailure of ['local', 'closed'] as const) {
      const { memory, store, state } = storeThat(method, behaviour);
      const used = await use(store, onStoreFailure);
      for (let i = 0; i < 30; i++) await clock.advance(50);
      expect(used.ended.toSorted()).toEqual(used.began.toSorted());
      // A take and the settlement of its lease, each of which asks once.
      expect(used.longestMs()).toBeLessThanOrEqual(2 * TIMEOUT_MS + 10);
      state.behaves = false;
      for (const lease of used.leases) lease?.release();
      for (let i = 0; i < 60; i++) await clock.advance(50);
      for (const limiter of used.limiters) expect(limiter.stats().queued).toBe(0);
      expect(used.limiters.at(-1)!.stats()).toMatchObject({ inFlight: 0 });
      const { inUse } = await memory.takePermits({
        ...{ limiter: 'permits', key: 'k', calls: [], limit: LIMIT, leaseMs: 600 },
      });
      expect(inUse).toBe(0);
      await settle();
      expect(clock.pending).toBe(0);
    }
  });

  it.each(Object.entries(ANSWERED))('%s has answered', async (_, behaviour) => {
    const { store } = storeThat(method, behaviour);
    const used = await use(store, 'closed');
    for (let i = 0; i < 30; i++) await clock.advance(50);
    expect(used.ended.toSorted()).toEqual(used.began.toSorted());
    for (const limiter of used.limiters) expect(limiter.stats()).toMatchObject({ storeErrors: 0 });
    for (const lease of used.leases) lease?.release();
  });
});

describe('what a store grants too late', () => {
  const late = ['carries out and answers late', 'carries out late'] as const;

  it.each(late)('is given back, units: %s', async (how) => {
    for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
      const { memory, store } = storeThat('take', UNANSWERED[how]!);
      const name = 'late';
      const common = { name, store, clock, algorithm, limit: LIMIT, windowMs: HOUR, nodes: 1 };
      const limiter = sharedRateLimit({ ...common, timeoutMs: TIMEOUT_MS });
      const answers = [
        limiter.take({ cost: 3 }),
        limiter.acquire({ cost: 2 }),
        limiter.execute(() => 1, { cost: 4 }),
      ];
      await clock.advance(TIMEOUT_MS);
      await Promise.all(answers);
      expect(limiter.stats()).toMatchObject({ storeErrors: 3, fallbacks: { local: 3 } });
      await clock.advance(LATE_MS);
      await settle();
      const rule =
        algorithm === 'token-bucket'
          ? { kind: algorithm, limit: LIMIT, windowMs: HOUR, burst: LIMIT }
          : algorithm === 'sliding-window'
            ? { kind: algorithm, limit: LIMIT, windowMs: HOUR, segments: 10 }
            : { kind: algorithm, limit: LIMIT, windowMs: HOUR };
      const { remaining } = await memory.take({ limiter: name, key: '', rule, calls: [] });
      expect([algorithm, remaining]).toEqual([algorithm, LIMIT]);
    }
  });

  it.each(late)('is given back, permits: %s', async (how) => {
    const { memory, store } = storeThat('takePermits', UNANSWERED[how]!);
    const limiter = sharedConcurrency({
      ...{ name: 'late', store, clock, limit: LIMIT, nodes: 1, timeoutMs: TIMEOUT_MS },
    });
    const answers = [limiter.take({ cost: 3 }), limiter.acquire({ cost: 2 })];
    await clock.advance(TIMEOUT_MS);
    await Promise.all(answers);
    await clock.advance(LATE_MS);
    await settle();
    const request = { limiter: 'late', key: '', calls: [], limit: LIMIT, leaseMs: 30_000 };
    expect(await memory.takePermits(request)).toMatchObject({ inUse: 0 });
  });

  it('is not taken from a lease that is held: permits registered again', async () => {
    const { memory, store, state } = storeThat('takePermits', UNANSWERED['carries out late']!);
    state.behaves = false;
    const leaseMs = 900;
    const options = { name: 'held', store, clock, limit: 1, leaseMs, nodes: 1 };
    const limiter = sharedConcurrency({ ...options, timeoutMs: TIMEOUT_MS });
    const lease = await limiter.acquire();
    // The store loses everything, and registers the lease again later than it is waited for.
    await clock.advance(100);
    const lost = { limiter: 'held', key: '', leaseMs };
    const { granted } = await memory.takePermits({ ...lost, calls: [], limit: 1 });
    expect(granted).toBe(0);
    const ids: string[] = [];
    const returning = memory.renewPermits.bind(memory);
    memory.renewPermits = async (request) => {
      ids.push(...request.leases);
      return returning(request);
    };
    await clock.advance(250);
    await memory.returnPermits({ ...lost, leases: ids });
    state.behaves = true;
    await clock.advance(300 + LATE_MS);
    await settle();
    const { inUse } = await memory.takePermits({ ...lost, calls: [], limit: 1 });
    expect(inUse).toBe(1);
    lease.release();
    await settle();
    expect((await memory.takePermits({ ...lost, calls: [], limit: 1 })).inUse).toBe(0);
  });
});

it.each(['take', 'takePermits'] as const)(
  'lets a call go that is aborted meanwhile, and gives back what it is granted: %s',
  async (method) => {
    const { memory, store } = storeThat(method, UNANSWERED['carries out and answers late']!);
    const options = { name: 'gone', store, clock, limit: LIMIT, nodes: 1, timeoutMs: HOUR };
    const limiter =
      method === 'take'
        ? sharedRateLimit({ ...options, windowMs: HOUR, algorithm: 'fixed-window' })
        : sharedConcurrency(options);
    const controller = new AbortController();
    const { signal } = controller;
    const ends = [limiter.take({ signal }), limiter.acquire({ signal })].map((call) =>
      expect(call).rejects.toBe('gone'),
    );
    await clock.advance(1);
    controller.abort('gone');
    await Promise.all(ends);
    expect(limiter.stats()).toMatchObject({ aborted: 2, queued: 0 });
    await clock.advance(LATE_MS);
    await settle();
    const key = { limiter: 'gone', key: '', calls: [] };
    const rule = { kind: 'fixed-window', limit: LIMIT, windowMs: HOUR } as const;
    expect(await memory.take({ ...key, rule })).toMatchObject({ remaining: LIMIT });
    const permits = { ...key, limit: LIMIT, leaseMs: 1000 };
    expect(await memory.takePermits(permits)).toMatchObject({ inUse: 0 });
  },
);

describe('the time of a store that does not answer', () => {
  const hanging = () => storeThat('take', UNANSWERED['never answers']!).store;

  it('is not taken from the wait for a turn', async () => {
    const limiter = sharedRateLimit({
      ...{ name: 'own', store: hanging(), clock, limit: 10, windowMs: 1000, burst: 1, nodes: 1 },
      ...{ timeoutMs: 5000, maxWaitMs: 150 },
    });
    const first = limiter.acquire();
    await clock.advance(5000);
    await first;
    const second = limiter.acquire({ maxWaitMs: 120 });
    const third = limiter.acquire();
    const fourth = expect(limiter.acquire()).rejects.toMatchObject({ reason: 'deadline' });
    await clock.advance(5000);
    await second;
    // The third and the fourth would have to wait for 100 and 200 ms in this process.
    await fourth;
    await clock.advance(100);
    await expect(third).resolves.toBeDefined();
  });

  it('is part of the timeout of a call', async () => {
    const limiter = sharedRateLimit({ name: 'own', store: hanging(), clock, timeoutMs: 5000 });
    const call = expect(limiter.execute(() => 1, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    await clock.advance(50);
    await call;
    await clock.advance(5000);
    expect(clock.pending).toBe(0);
  });

  it('is one request for calls that leased units bring', async () => {
    const limiter = sharedRateLimit({
      ...{ name: 'own', store: hanging(), clock, mode: 'leased', timeoutMs: 100 },
      onStoreFailure: 'closed',
    });
    const calls = Array.from({ length: 5 }, () => limiter.take().catch(({ cause }) => cause));
    await clock.advance(100);
    for (const cause of await Promise.all(calls)) {
      expect(cause).toMatchObject({ code: 'OPERATION_TIMEOUT', timeoutMs: 100 });
    }
  });
});

it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses timeoutMs of %s', (timeoutMs) => {
  const store = new MemoryRateLimitStore(clock);
  const options = { name: 'x', store, timeoutMs };
  expect(() => sharedRateLimit(options)).toThrow(RangeError);
  expect(() => sharedConcurrency(options)).toThrow(RangeError);
});
