import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { fairQueue, settled } from '../../index.ts';
import { MemoryRateLimitStore } from '../memory-store.ts';
import { sharedConcurrency } from '../shared-concurrency.ts';
import { sharedRateLimit } from '../shared-rate-limit.ts';
import type { JointRequest, JointResult, RateLimitStore, StoreRule } from '../store.ts';
import { sharedAllOf } from './shared-all-of.ts';

let clock: ManualClock;
let memory: MemoryRateLimitStore;
let requests: string[];
beforeEach(() => {
  clock = new ManualClock();
  memory = new MemoryRateLimitStore(clock);
  requests = [];
});

const HOUR = 3_600_000;
/** Users are named tenant/user. */
const tenantOf = (user = '') => user.split('/')[0];

type Method = keyof RateLimitStore;
/** The store in memory, whose requests are noted, and some of whose methods are others. */
function storeWith(other: Partial<Record<Method, unknown>> = {}): RateLimitStore {
  return new Proxy(memory, {
    get: (_, name: Method) => {
      if (name in other && other[name] === undefined) return undefined;
      return (request: never) => {
        requests.push(name);
        const method = (other[name] ?? memory[name].bind(memory)) as (request: never) => unknown;
        return method(request);
      };
    },
  });
}

const KINDS: Readonly<Record<string, () => RateLimitStore>> = {
  'that asks them in one step': () => storeWith(),
  'without that method': () => storeWith({ takeAll: undefined }),
  'that cannot ask these in one step': () => storeWith({ takeAll: async () => undefined }),
};

function makeLimits(store: RateLimitStore, more: object = {}) {
  const common = { store, clock, nodes: 1, windowMs: HOUR, ...more };
  const perUser = sharedRateLimit({ ...common, name: 'user', limit: 2, burst: 2 });
  const perTenant = sharedRateLimit({
    ...{ ...common, name: 'tenant', limit: 5 },
    algorithm: 'fixed-window',
  });
  const running = sharedConcurrency({ store, clock, nodes: 1, name: 'running', limit: 3 });
  const limits = [
    { limiter: perUser },
    { limiter: perTenant, key: tenantOf },
    { limiter: running, key: () => '' },
  ];
  const api = sharedAllOf({ name: 'api', clock, limits });
  const left = async (user: string) => [
    (await perUser.peek({ key: user })).remaining,
    (await perTenant.peek({ key: tenantOf(user)! })).remaining,
    (await running.peek()).remaining,
  ];
  return { perUser, perTenant, running, api, left };
}

function newAbort() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort('gone') };
}

describe.each(Object.entries(KINDS))('several shared limits in a store %s', (_, create) => {
  it('are taken from all at once, or none is', async () => {
    const { api, left, perUser, perTenant, running } = makeLimits(create());
    const first = await api.take({ key: 'acme/ann' });
    expect(first).toMatchObject({ allowed: true, refusedBy: undefined, remaining: 1, limit: 2 });
    expect(await left('acme/ann')).toEqual([1, 4, 2]);
    await perUser.take({ key: 'acme/ann' });
    const refused = { allowed: false, lease: undefined };
    expect(await api.take({ key: 'acme/ann' })).toMatchObject({ ...refused, refusedBy: 'user' });
    expect(await left('acme/ann')).toEqual([0, 4, 2]);
    await perTenant.take({ key: 'acme', cost: 4 });
    expect(await api.take({ key: 'acme/bob' })).toMatchObject({ ...refused, refusedBy: 'tenant' });
    expect(await left('acme/bob')).toEqual([2, 0, 2]);
    const { lease } = await running.take({ cost: 2 });
    expect(await api.take({ key: 'bolt/cid' })).toMatchObject({ ...refused, refusedBy: 'running' });
    expect(await left('bolt/cid')).toEqual([2, 5, 0]);
    lease?.release();
    first.lease?.release();
    await settle();
    expect(await left('bolt/cid')).toEqual([2, 5, 3]);
    expect(perUser.stats()).toMatchObject({ allowed: 2, rejected: 1 });
    expect(perTenant.stats()).toMatchObject({ allowed: 2, rejected: 1 });
    expect(api.stats()).toMatchObject({ allowed: 1, rejected: 3 });
  });

  it('are corrected by what the call has cost, and given back by settle(0)', async () => {
    const store = create();
    const common = { store, clock, nodes: 1, windowMs: HOUR, limit: 100, burst: 100 };
    const calls = sharedRateLimit({ ...common, name: 'calls' });
    const tokens = sharedRateLimit({ ...common, name: 'tokens' });
    const api = sharedAllOf({
      clock,
      limits: [{ limiter: calls, cost: () => 1 }, { limiter: tokens }],
    });
    const left = async () => [(await calls.peek()).remaining, (await tokens.peek()).remaining];
    const { lease } = await api.take({ cost: 10 });
    expect(await left()).toEqual([99, 90]);
    await lease?.settle?.(25);
    expect(await left()).toEqual([99, 75]);
    await lease?.settle?.(1);
    expect(await left()).toEqual([99, 75]);
    const second = await api.acquire({ cost: 10 });
    await second.settle?.(0);
    expect(await left()).toEqual([99, 75]);
    await settled({ limiter: api, cost: () => 3 }).execute(() => 1);
    await settle();
    expect(await left()).toEqual([98, 72]);
  });

  it('follow rules that change, each its own', async () => {
    const store = create();
    let most = 3;
    const plan = () => ({ limit: most, burst: most });
    const common = { store, clock, nodes: 1, windowMs: HOUR };
    const changing = sharedRateLimit({ ...common, name: 'changing', plan });
    const fixed = sharedRateLimit({ ...common, name: 'fixed', limit: 100, burst: 100 });
    const api = sharedAllOf({ clock, limits: [{ limiter: changing }, { limiter: fixed }] });
    const passed = async () => {
      let count = 0;
      while ((await api.take({ key: 'k' })).allowed) count++;
      return count;
    };
    expect(await passed()).toBe(3);
    most = 7;
    expect(await passed()).toBe(4);
    most = 2;
    expect(await passed()).toBe(0);
    await expect(api.take({ key: 'k', cost: 3 })).rejects.toMatchObject({
      policy: 'changing',
      reason: 'cost',
    });
    expect((await fixed.peek({ key: 'k' })).remaining).toBe(93);
  });

  it('let a call wait that holds nothing, and pass it when all have units', async () => {
    const { api, left, running, perUser } = makeLimits(create());
    const { lease } = await running.take({ cost: 3 });
    const waiting = api.acquire({ key: 'acme/ann' });
    await clock.advance(500);
    expect(api.stats()).toMatchObject({ queued: 1 });
    expect(await left('acme/ann')).toEqual([2, 5, 0]);
    lease?.release();
    await clock.advance(60);
    (await waiting).release();
    expect(await left('acme/ann')).toEqual([1, 4, 3]);
    expect(perUser.stats()).toMatchObject({ delayed: 1 });
    expect(api.stats()).toMatchObject({ delayed: 1, queued: 0 });
    await settle();
    expect(clock.pending).toBe(0);
  });

  it('run operations, and give permits back', async () => {
    const { api, left } = makeLimits(create());
    expect(await api.execute(() => 'done', { key: 'acme/ann' })).toBe('done');
    await settle();
    expect(await left('acme/ann')).toEqual([1, 4, 3]);
  });
});

describe('a group of shared limits', () => {
  it('asks the store once per call', async () => {
    const { api } = makeLimits(storeWith());
    await api.take({ key: 'acme/ann' });
    await api.acquire({ key: 'acme/ann' });
    expect(requests).toEqual(['takeAll', 'takeAll']);
  });

  it('asks in fair order where callers share one of the limits', async () => {
    const store = storeWith();
    const shared = sharedRateLimit({
      ...{ name: 'fair', store, clock, nodes: 1, limit: 20, windowMs: 1000, burst: 1 },
      queue: fairQueue(),
    });
    const large = sharedRateLimit({
      name: 'large',
      store,
      clock,
      nodes: 1,
      limit: 1e6,
      burst: 1e6,
    });
    const passed: Record<string, number> = { greedy: 0, modest: 0 };
    const fleet = Array.from({ length: 4 }, () =>
      sharedAllOf({ clock, limits: [{ limiter: shared }, { limiter: large, key: () => '' }] }),
    );
    const ask = async (api: ReturnType<typeof sharedAllOf>, key: string): Promise<void> => {
      for (;;) {
        await api.acquire({ key });
        passed[key]!++;
      }
    };
    // Three processes of one caller, one of the other.
    for (const [i, api] of fleet.entries()) void ask(api, i < 3 ? 'greedy' : 'modest');
    for (let i = 0; i < 1000; i++) await clock.advance(10);
    expect(passed.greedy! + passed.modest!).toBeGreaterThan(150);
    expect(passed.modest! / passed.greedy!).toBeGreaterThan(0.5);
  });

  it('asks leased limits of their budgets, and gives back in order', async () => {
    const store = storeWith();
    const common = { store, clock, nodes: 1, windowMs: HOUR, limit: 100, burst: 100 };
    const busy = sharedRateLimit({ ...common, name: 'busy', mode: 'leased' });
    const rare = sharedRateLimit({ ...common, name: 'rare', limit: 2, burst: 2, mode: 'leased' });
    const api = sharedAllOf({ clock, limits: [{ limiter: busy }, { limiter: rare }] });
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push((await api.take()).allowed);
    expect(answers).toEqual([true, true, false, false, false]);
    expect(requests).not.toContain('takeAll');
    // What was taken for refused calls is back in the budget, and with it in the store.
    await clock.advance(1000);
    expect((await busy.peek()).remaining).toBe(98);
  });

  it('takes from different stores in order, and gives back', async () => {
    const other = new MemoryRateLimitStore(clock);
    const common = { clock, nodes: 1, windowMs: HOUR };
    const here = sharedRateLimit({ ...common, name: 'a', store: memory, limit: 5, burst: 5 });
    const there = sharedRateLimit({ ...common, name: 'a', store: other, limit: 1, burst: 1 });
    const api = sharedAllOf({ clock, limits: [{ limiter: here }, { limiter: there }] });
    expect(await api.take()).toMatchObject({ allowed: true });
    expect(await api.take()).toMatchObject({ allowed: false, refusedBy: 'a', limit: 1 });
    await settle();
    expect((await here.peek()).remaining).toBe(4);
  });

  it('passes a call that no limit applies to', async () => {
    const limiter = sharedRateLimit({ name: 'a', store: memory, clock, limit: 1, burst: 1 });
    const key = (given?: string) => given;
    const api = sharedAllOf({ clock, limits: [{ limiter, key }] });
    for (let i = 0; i < 3; i++) expect(await api.take()).toMatchObject({ allowed: true });
    expect(await api.peek()).toMatchObject({ resetMs: 0 });
    expect(await api.tryAcquire({ key: 'ann' })).toBeDefined();
    expect(await api.tryAcquire({ key: 'ann' })).toBeUndefined();
    expect(await api.peek({ key: 'ann' })).toMatchObject({ remaining: 0, limit: 1 });
  });

  it('lets nobody wait for a limit of which only another key is used up', async () => {
    const { api, perUser } = makeLimits(storeWith());
    await perUser.take({ key: 'acme/ann', cost: 2 });
    void api.acquire({ key: 'acme/ann' });
    await settle();
    expect(await api.take({ key: 'acme/bob' })).toMatchObject({ allowed: true });
    expect(await api.take({ key: 'acme/ann' })).toMatchObject({
      allowed: false,
      retryAfterMs: undefined,
      refusedBy: 'user',
    });
  });

  it('comes after calls that wait at one of the limiters by itself, in any process', async () => {
    const store = storeWith();
    const common = { store, clock, nodes: 1, limit: 10, windowMs: 1000, burst: 1 };
    const make = (name: string) => sharedRateLimit({ ...common, name });
    const [here, there, other] = [make('a'), make('a'), make('b')];
    const api = sharedAllOf({ clock, limits: [{ limiter: here }, { limiter: other }] });
    await here.acquire();
    const order: string[] = [];
    const alone = [1, 2, 3].map(() => there.acquire().then(() => order.push('alone')));
    await settle();
    const joint = api.acquire().then(() => order.push('joint'));
    await clock.advance(1000);
    await Promise.all([...alone, joint]);
    expect(order).toEqual(['alone', 'alone', 'alone', 'joint']);
  });

  it('serves a call that needs two limits between calls that need one of them', async () => {
    const store = storeWith();
    const common = { store, clock, nodes: 1, limit: 10, windowMs: 1000, burst: 1 };
    const a = sharedRateLimit({ ...common, name: 'a' });
    const b = sharedRateLimit({ ...common, name: 'b' });
    const key = (name: string) => (given?: string) => (given?.includes(name) ? '' : undefined);
    const api = sharedAllOf({
      clock,
      limits: [
        { limiter: a, key: key('a') },
        { limiter: b, key: key('b') },
      ],
    });
    const passed: Record<string, number> = { a: 0, b: 0, ab: 0 };
    const ask = async (name: string): Promise<void> => {
      for (;;) {
        await api.acquire({ key: name });
        passed[name]!++;
      }
    };
    for (const name of ['a', 'b', 'a', 'b', 'ab']) void ask(name);
    for (let i = 0; i < 1000; i++) await clock.advance(10);
    expect(passed.ab).toBeGreaterThan(10);
    expect(passed.a! + passed.b! + 2 * passed.ab!).toBeGreaterThan(150);
  });

  it('refuses at once a call whose turn cannot come in time, or that finds no place', async () => {
    const { perUser, perTenant } = makeLimits(storeWith());
    const heard: unknown[] = [];
    const api = sharedAllOf({
      ...{ name: 'api', clock, maxQueue: 1, onReject: (error: unknown) => void heard.push(error) },
      limits: [{ limiter: perUser }, { limiter: perTenant, key: tenantOf }],
    });
    const told: unknown[] = [];
    perTenant.onReject((error) => told.push(error));
    await perTenant.take({ key: 'acme', cost: 5 });
    const late = { policy: 'tenant', reason: 'deadline', retryAfterMs: HOUR };
    await expect(api.acquire({ key: 'acme/ann', maxWaitMs: 50 })).rejects.toMatchObject(late);
    await expect(api.execute(() => 1, { key: 'acme/ann', timeoutMs: 50 })).rejects.toMatchObject(
      late,
    );
    expect(heard).toEqual(told);
    expect(told).toHaveLength(2);
    void api.acquire({ key: 'acme/ann' });
    await settle();
    await expect(api.acquire({ key: 'acme/bob' })).rejects.toMatchObject({
      policy: 'tenant',
      reason: 'queue-full',
    });
    expect(api.stats()).toMatchObject({ rejected: 3, queued: 1 });
  });

  it('gives back what a call is granted that has left meanwhile, at every moment', async () => {
    const granted: string[] = [];
    for (let moment = 0; moment <= 100; moment += 5) {
      memory = new MemoryRateLimitStore(clock);
      // A request takes 20 ms, and is carried out after ten.
      const takeAll = async (request: JointRequest): Promise<JointResult> => {
        await clock.sleep(10);
        const answer = await memory.takeAll(request);
        await clock.sleep(10);
        return answer;
      };
      const { api, left, running } = makeLimits(storeWith({ takeAll }));
      const held = await running.take({ cost: 2 });
      const { signal, abort } = newAbort();
      const calls = {
        take: api.take({ key: 'acme/ann', signal }).then(({ lease }) => lease),
        acquire: api.acquire({ key: 'acme/bob', signal }),
        execute: api.execute(() => clock.sleep(1), { key: 'acme/cid', signal }),
      };
      const ends = Object.entries(calls).map(async ([name, call]) => {
        const lease = await call.catch(() => undefined);
        if (typeof lease !== 'object') return;
        granted.push(`${name} ${moment}`);
        await lease.settle?.(0);
        lease.release();
      });
      // One of them finds a permit at once, the others wait for these.
      clock.schedule(() => held.lease?.release(), 25);
      await clock.advance(moment);
      abort();
      await clock.advance(100);
      await Promise.all(ends);
      expect([moment, (await left('acme/cid'))[2]]).toEqual([moment, 3]);
      expect([moment, (await left('acme/ann'))[0]]).toEqual([moment, 2]);
      expect([moment, (await left('acme/bob'))[0]]).toEqual([moment, 2]);
      expect(api.stats()).toMatchObject({ queued: 0 });
    }
    expect(granted).not.toContain('take 15');
    expect(granted).toContain('take 25');
    expect(granted).not.toContain('acquire 85');
    expect(granted).toContain('acquire 95');
  });

  it('tells an operation when its permits are lost', async () => {
    const { api } = makeLimits(storeWith());
    const lease = await api.acquire({ key: 'acme/ann' });
    expect(lease.signal?.aborted).toBe(false);
    let seen: unknown;
    const call = api
      .execute(
        ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        { key: 'acme/bob' },
      )
      .catch((error: unknown) => {
        seen = error;
      });
    await settle();
    // The store forgets all leases, and others have them.
    const gone = { limiter: 'running', key: '', leaseMs: 30_000 };
    memory.renewPermits = async ({ leases }) => leases;
    memory.takePermits = async () => ({ granted: 0, inUse: 3, expiryMs: gone.leaseMs });
    await clock.advance(11_000);
    await call;
    expect(seen).toMatchObject({ code: 'LEASE_LOST' });
    expect(lease.signal?.reason).toMatchObject({ code: 'LEASE_LOST' });
  });

  it.each([
    ['a limiter of this process', { limits: [{ limiter: { take: () => 1 } }] }],
    ['no limits', { limits: [] }],
    ['an unknown option', { limits: [], queue: fairQueue() }],
  ])('refuses %s', (_, options) => {
    expect(() => sharedAllOf(options as never)).toThrow(TypeError);
  });

  it('refuses two limiters that are one limit', () => {
    const make = (name: string) => sharedRateLimit({ name, store: memory, clock });
    const twice = [{ limiter: make('a') }, { limiter: make('b') }, { limiter: make('a') }];
    expect(() => sharedAllOf({ limits: twice })).toThrow(/'a' is the same limit as limits\[0\]/);
    const permits = sharedConcurrency({ name: 'a', store: memory, clock });
    expect(() =>
      sharedAllOf({ limits: [{ limiter: make('a') }, { limiter: permits }] }),
    ).not.toThrow();
  });
});

describe('a group of shared limits whose store is away', () => {
  const away = { takeAll: async () => Promise.reject(new Error('away')) };
  const limit = (name: string, onStoreFailure: 'local' | 'open' | 'closed', most: number) => {
    const failing = { take: away.takeAll, ...away };
    const store = storeWith(failing);
    return { name, onStoreFailure, store, most };
  };
  const group = (...modes: readonly ReturnType<typeof limit>[]) => {
    const { store } = modes[0]!;
    const limiters = modes.map(({ name, onStoreFailure, most }) =>
      sharedRateLimit({
        ...{ name, store, onStoreFailure, clock, nodes: 1, windowMs: HOUR },
        ...{ limit: most, burst: most },
      }),
    );
    const limits = limiters.map((limiter) => ({ limiter }));
    return { limiters, api: sharedAllOf({ name: 'api', clock, limits }) };
  };

  it('takes from the limits of this process, from all or none', async () => {
    const { api, limiters } = group(limit('a', 'local', 5), limit('b', 'local', 2));
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push((await api.take()).allowed);
    expect(answers).toEqual([true, true, false, false]);
    expect(await api.take()).toMatchObject({ refusedBy: 'b' });
    // None of `a` was taken for the refused calls.
    for (let i = 0; i < 3; i++) expect((await limiters[0]!.take()).allowed).toBe(true);
    expect((await limiters[0]!.take()).allowed).toBe(false);
    expect(limiters[1]!.stats()).toMatchObject({ storeErrors: 5, fallbacks: { local: 5 } });
  });

  it('lets pass what is open, and refuses what is closed', async () => {
    const open = group(limit('a', 'open', 1), limit('b', 'local', 2));
    for (const allowed of [true, true, false]) {
      expect(await open.api.take()).toMatchObject({ allowed });
    }
    const closed = group(limit('a', 'local', 1), limit('b', 'closed', 2));
    const unavailable = { code: 'STORE_UNAVAILABLE', policy: 'b' };
    await expect(closed.api.take()).rejects.toMatchObject(unavailable);
    await expect(closed.api.acquire()).rejects.toMatchObject(unavailable);
    await expect(closed.api.execute(() => 1)).rejects.toMatchObject(unavailable);
    expect(closed.api.stats()).toMatchObject({ unavailable: 3 });
    expect((await closed.limiters[0]!.take()).allowed).toBe(true);
  });

  it('waits for units of this process, and asks the store again', async () => {
    const store = storeWith({ ...away, take: away.takeAll });
    const common = { store, clock, nodes: 1, limit: 10, windowMs: 1000, burst: 1 };
    const limits = ['a', 'b'].map((name) => ({ limiter: sharedRateLimit({ ...common, name }) }));
    const api = sharedAllOf({ clock, limits });
    await api.acquire();
    const second = api.acquire();
    await clock.advance(100);
    expect((await second).cost).toBe(1);
    expect(requests.filter((name) => name === 'takeAll')).toHaveLength(3);
  });

  it('gives back what one store has granted when the other is away and closed', async () => {
    const common = { clock, nodes: 1, windowMs: HOUR, limit: 5, burst: 5 };
    const here = sharedRateLimit({ ...common, name: 'here', store: memory });
    const there = sharedRateLimit({
      ...{ ...common, name: 'there', store: storeWith({ take: away.takeAll }) },
      onStoreFailure: 'closed',
    });
    const api = sharedAllOf({ clock, limits: [{ limiter: here }, { limiter: there }] });
    await expect(api.take()).rejects.toMatchObject({ policy: 'there' });
    await settle();
    expect((await here.peek()).remaining).toBe(5);
  });

  it.each(['answers late', 'carries out late', 'never answers'])(
    'that %s hangs no call and keeps nothing',
    async (how) => {
      const takeAll = async (request: JointRequest): Promise<JointResult> => {
        if (how === 'never answers') return new Promise(() => undefined);
        if (how === 'carries out late') await clock.sleep(1500);
        const answer = await memory.takeAll(request);
        if (how === 'answers late') await clock.sleep(1500);
        return answer;
      };
      const { api, left } = makeLimits(storeWith({ takeAll }));
      const calls = [api.take({ key: 'acme/ann' }), api.acquire({ key: 'acme/bob' })];
      await clock.advance(1000);
      for (const call of calls) {
        const answer = await call;
        expect(answer).toBeDefined();
        // A lease of permits of this process.
        ('lease' in answer ? answer.lease : answer)?.release();
      }
      await clock.advance(1000);
      await settle();
      expect(await left('acme/ann')).toEqual([2, 5, 3]);
    },
  );

  it('returns permits at once that a failed request may have taken', async () => {
    const takeAll = async (request: JointRequest): Promise<JointResult> => {
      await memory.takeAll(request);
      throw new Error('The connection is lost.');
    };
    const { api, running } = makeLimits(storeWith({ takeAll }));
    const { lease } = await api.take({ key: 'acme/ann' });
    await settle();
    expect((await running.peek()).remaining).toBe(3);
    lease?.release();
  });

  const rate = (answer: object) => ({ answers: [answer], remaining: 1, resetMs: 0 });
  const yes = rate({ taken: true, waitMs: 0, receipt: 'r' });
  const no = rate({ taken: false, retryAfterMs: 5 });
  const fits = rate({ taken: false, retryAfterMs: 0 });
  const permits = { granted: 1, inUse: 1, expiryMs: 1 };
  it.each<unknown>([
    null,
    'OK',
    {},
    { taken: true },
    { taken: 'true', rates: [yes, yes], permits: [permits] },
    { taken: true, rates: [yes], permits: [permits] },
    { taken: true, rates: [yes, no], permits: [permits] },
    { taken: true, rates: [yes, yes], permits: [{ ...permits, granted: 0 }] },
    { taken: false, rates: [yes, no], permits: [{ ...permits, granted: 0 }] },
    { taken: false, rates: [no, no], permits: [permits] },
    { taken: false, rates: [fits, fits], permits: [{ ...permits, granted: 0 }] },
    { taken: true, rates: [yes, yes], permits: [{ ...permits, inUse: Number.NaN }] },
    {
      taken: true,
      rates: [yes, rate({ taken: true, waitMs: 900, receipt: 'r' })],
      permits: [permits],
    },
  ])('takes nonsense for a failure: %j', async (reply) => {
    const { api, perUser } = makeLimits(storeWith({ takeAll: async () => reply }));
    expect(await api.take({ key: 'acme/ann' })).toMatchObject({ allowed: true });
    expect(perUser.stats()).toMatchObject({ storeErrors: 1, fallbacks: { local: 1 } });
    const waiting = api.acquire({ key: 'acme/ann', maxWaitMs: 100 });
    await clock.advance(200);
    await waiting;
    expect(requests.length).toBeLessThan(20);
  });
});

it('takes of a rule that is not its own what both allow, as alone', async () => {
  const rule: StoreRule = { kind: 'fixed-window', limit: 3, windowMs: HOUR };
  const store = storeWith();
  const common = { store, clock, nodes: 1, windowMs: HOUR, algorithm: 'fixed-window' } as const;
  const a = sharedRateLimit({ ...common, name: 'a', limit: 10 });
  const b = sharedRateLimit({ ...common, name: 'b', limit: 10 });
  const api = sharedAllOf({ clock, limits: [{ limiter: a }, { limiter: b }] });
  // A release with a lower limit uses the key too.
  const call = { cost: 1, maxWaitMs: 0 };
  await memory.take({ limiter: 'a', key: '', rule, calls: [call, call, call] });
  let passed = 0;
  while ((await api.take()).allowed) passed++;
  expect(passed).toBe(7);
  expect((await b.peek()).remaining).toBe(3);
});
