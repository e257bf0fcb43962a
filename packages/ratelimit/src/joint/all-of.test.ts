import { ManualClock, settle } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/index.ts';
import { fetchRateLimit } from '../http/index.ts';
import { allOf, concurrency, fixedWindow, gcra, keyed, settled, tokenBucket } from '../index.ts';
import { MemoryRateLimitStore, sharedRateLimit } from '../shared/index.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const SECOND = 1000;
const MINUTE = 60_000;
/** Users are named tenant/user. */
const tenantOf = (user = '') => user.split('/')[0];

function makeLimits() {
  const perUser = keyed({
    template: tokenBucket({ name: 'user', clock, limit: 2, windowMs: SECOND, burst: 2 }),
  });
  const perTenant = keyed({
    template: fixedWindow({ name: 'tenant', clock, limit: 5, windowMs: MINUTE }),
  });
  const everybody = gcra({ name: 'everybody', clock, limit: 6, windowMs: SECOND, burst: 6 });
  const api = allOf({
    name: 'api',
    clock,
    limits: [{ limiter: perUser }, { limiter: perTenant, key: tenantOf }, { limiter: everybody }],
  });
  const left = (user: string) => [
    perUser.peek({ key: user }).remaining,
    perTenant.peek({ key: tenantOf(user)! }).remaining,
    everybody.peek().remaining,
  ];
  return { perUser, perTenant, everybody, api, left };
}

describe('several limits asked as one', () => {
  it('takes from all of them', () => {
    const { api, left } = makeLimits();
    expect(api.take({ key: 'acme/ann' })).toMatchObject({ allowed: true, refusedBy: undefined });
    expect(left('acme/ann')).toEqual([1, 4, 5]);
  });

  it('takes of none when one refuses, whichever it is', () => {
    const { api, left, perUser, perTenant, everybody } = makeLimits();
    perUser.take({ key: 'acme/ann', cost: 2 });
    const refused = { allowed: false, lease: undefined };
    expect(api.take({ key: 'acme/ann' })).toMatchObject({ ...refused, refusedBy: 'user' });
    expect(left('acme/ann')).toEqual([0, 5, 6]);
    perTenant.take({ key: 'acme', cost: 5 });
    expect(api.take({ key: 'acme/bob' })).toMatchObject({ ...refused, refusedBy: 'tenant' });
    expect(left('acme/bob')).toEqual([2, 0, 6]);
    everybody.take({ cost: 6 });
    expect(api.take({ key: 'bolt/cid' })).toMatchObject({ ...refused, refusedBy: 'everybody' });
    expect(left('bolt/cid')).toEqual([2, 5, 0]);
  });

  it('names the limit that refuses for longest, with its state', async () => {
    const { api, perUser, perTenant } = makeLimits();
    perUser.take({ key: 'acme/ann', cost: 2 });
    perTenant.take({ key: 'acme', cost: 5 });
    clock.jump(100);
    const decision = api.take({ key: 'acme/ann' });
    expect(decision).toMatchObject({ refusedBy: 'tenant', retryAfterMs: MINUTE - 100, limit: 5 });
    await expect(api.execute(() => 1, { key: 'acme/ann', timeoutMs: 50 })).rejects.toMatchObject({
      policy: 'tenant',
      reason: 'deadline',
      retryAfterMs: MINUTE - 100,
    });
  });

  it('shows the state of the limit of which the smallest share is left', () => {
    const { api } = makeLimits();
    expect(api.take({ key: 'acme/ann' })).toMatchObject({ limit: 2, remaining: 1 });
    api.take({ key: 'acme/bob', cost: 2 });
    expect(api.peek({ key: 'acme/cid' })).toMatchObject({ limit: 5, remaining: 2 });
  });

  it('passes a call that no limit applies to', () => {
    const perUser = keyed({ template: tokenBucket({ clock, burst: 1 }) });
    const api = allOf({
      limits: [{ limiter: perUser, key: (key) => key?.slice(0, 1) || undefined }],
    });
    for (let i = 0; i < 3; i++) expect(api.take()).toMatchObject({ allowed: true });
    expect(api.tryAcquire({ key: 'ann' })).toBeDefined();
    expect(api.tryAcquire({ key: 'ann' })).toBeUndefined();
  });

  it('refuses a cost that one of them can never have, and takes nothing', async () => {
    const { api, left } = makeLimits();
    const never = { policy: 'user', reason: 'cost', retryAfterMs: Number.POSITIVE_INFINITY };
    expect(() => api.take({ key: 'acme/ann', cost: 3 })).toThrow(expect.objectContaining(never));
    await expect(api.acquire({ key: 'acme/ann', cost: 3 })).rejects.toMatchObject(never);
    expect(left('acme/ann')).toEqual([2, 5, 6]);
  });

  it('names the limiter whose keys are all in use', async () => {
    const perUser = keyed({
      limiter: () => concurrency({ clock, limit: 1 }),
      name: 'user',
      maxKeys: 1,
    });
    const everybody = tokenBucket({ name: 'everybody', clock, burst: 5 });
    const api = allOf({ clock, limits: [{ limiter: everybody }, { limiter: perUser }] });
    const lease = api.tryAcquire({ key: 'ann' });
    expect(api.take({ key: 'bob' })).toMatchObject({ allowed: false, refusedBy: 'user' });
    await expect(api.acquire({ key: 'bob' })).rejects.toMatchObject({ reason: 'keys' });
    expect(everybody.peek().remaining).toBe(4);
    lease?.release();
    expect(api.take({ key: 'bob' })).toMatchObject({ allowed: true });
    expect(perUser.stats()).toMatchObject({ rejected: 2 });
  });
});

describe('the lease of several limits', () => {
  it('corrects all of them', () => {
    const { api, left } = makeLimits();
    const lease = api.tryAcquire({ key: 'acme/ann', cost: 2 });
    lease?.settle?.(1);
    lease?.settle?.(0); // once only
    expect(left('acme/ann')).toEqual([1, 4, 5]);
    api.tryAcquire({ key: 'acme/ann' })?.settle?.(0);
    expect(left('acme/ann')).toEqual([1, 4, 5]);
  });

  it('charges requests and what they have used, each at its own cost', () => {
    const requests = tokenBucket({ name: 'requests', clock, burst: 10 });
    const tokens = tokenBucket({ name: 'tokens', clock, limit: 1000, burst: 1000 });
    const model = allOf({ limits: [{ limiter: requests, cost: () => 1 }, { limiter: tokens }] });
    const left = () => [requests.peek().remaining, tokens.peek().remaining];
    const lease = model.tryAcquire({ cost: 400 });
    expect(left()).toEqual([9, 600]);
    lease?.settle?.(150);
    expect(left()).toEqual([9, 850]);
    model.tryAcquire({ cost: 400 })?.settle?.(0);
    expect(left()).toEqual([9, 850]);
  });

  it('gives permits back, and keeps units', () => {
    const busy = concurrency({ name: 'busy', clock, limit: 1 });
    const rate = tokenBucket({ name: 'rate', clock, burst: 5 });
    const both = allOf({ limits: [{ limiter: busy }, { limiter: rate }] });
    const lease = both.tryAcquire();
    expect(both.take()).toMatchObject({ refusedBy: 'busy', retryAfterMs: undefined });
    lease?.release();
    lease?.release();
    expect(busy.stats().inFlight).toBe(0);
    expect(rate.peek().remaining).toBe(4);
  });

  it('is settled by settled()', async () => {
    const { api, left } = makeLimits();
    const failuresOnly = settled({ limiter: api, clock, cost: ({ ok }) => (ok ? 0 : 1) });
    await failuresOnly.execute(() => 'ok', { key: 'acme/ann' });
    expect(left('acme/ann')).toEqual([2, 5, 6]);
    await failuresOnly.tryExecute(() => Promise.reject(new Error('no')), { key: 'acme/ann' });
    expect(left('acme/ann')).toEqual([1, 4, 5]);
  });
});

describe('calls that wait for several limits', () => {
  it('hold nothing of any meanwhile', async () => {
    const { api, left, everybody } = makeLimits();
    await api.acquire({ key: 'acme/ann', cost: 2 });
    const waiting = api.acquire({ key: 'acme/ann', cost: 2 });
    await settle();
    expect(api.stats()).toMatchObject({ queued: 1, allowed: 1 });
    expect(left('acme/ann')).toEqual([0, 3, 4]);
    expect(everybody.take({ cost: 4 }).allowed).toBe(true);
    await clock.advance(SECOND);
    await waiting;
    expect(api.stats()).toMatchObject({ queued: 0, delayed: 1 });
  });

  it('do not keep others from a limit that they share', async () => {
    const { api } = makeLimits();
    await api.acquire({ key: 'acme/ann', cost: 2 });
    const waiting = api.acquire({ key: 'acme/ann' });
    await api.acquire({ key: 'bolt/bob' });
    await clock.advance(500);
    await waiting;
  });

  it('pass in order of arrival where they need the same limit', async () => {
    const { api } = makeLimits();
    const order: number[] = [];
    const calls = [1, 2, 3, 4].map(async (i) => {
      await api.acquire({ key: 'acme/ann' });
      order.push(i);
    });
    await settle();
    // A late call does not overtake those that wait.
    await clock.advance(500);
    expect(api.take({ key: 'acme/ann' })).toMatchObject({ allowed: false, refusedBy: 'user' });
    await clock.advance(500);
    await Promise.all(calls);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('do not wait in a circle', async () => {
    const a = concurrency({ name: 'a', clock, limit: 1 });
    const b = concurrency({ name: 'b', clock, limit: 1 });
    const ab = allOf({ clock, limits: [{ limiter: a }, { limiter: b }] });
    const ba = allOf({ clock, limits: [{ limiter: b }, { limiter: a }] });
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await settle();
      running--;
    };
    const calls = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? ab : ba).execute(work));
    await Promise.all(calls);
    expect(most).toBe(1);
    expect([a.stats().inFlight, b.stats().inFlight]).toEqual([0, 0]);
  });

  it('are not overtaken by later ones that need less', async () => {
    const { api, perUser } = makeLimits();
    perUser.take({ key: 'acme/ann' });
    const waiting = api.acquire({ key: 'acme/ann', cost: 2 });
    await settle();
    expect(perUser.peek({ key: 'acme/ann' }).remaining).toBe(1);
    expect(api.take({ key: 'acme/ann' })).toMatchObject({ refusedBy: 'user' });
    const later = api.acquire({ key: 'acme/ann' });
    await clock.advance(500);
    await waiting;
    await clock.advance(500);
    await later;
  });

  /** Two limits that have a unit each every 100 ms, at different times, and calls that use one of them each. */
  async function makeFlood() {
    const rule = { clock, limit: 10, windowMs: SECOND, burst: 1 };
    const a = keyed({ template: tokenBucket({ name: 'a', ...rule }) });
    const b = keyed({ template: tokenBucket({ name: 'b', ...rule }) });
    const both = allOf({
      clock,
      limits: [
        { limiter: a, key: (key) => (key === 'b' ? undefined : 'x') },
        { limiter: b, key: (key) => (key === 'a' ? undefined : 'x') },
      ],
    });
    const controller = new AbortController();
    const { signal } = controller;
    const flood = async (key: string) => {
      while (!signal.aborted) await both.acquire({ key, signal }).catch(() => undefined);
    };
    const floods = [flood('a'), flood('a')];
    await clock.advance(50);
    floods.push(flood('b'), flood('b'));
    await clock.advance(SECOND);
    const stop = () => {
      controller.abort();
      return Promise.all(floods);
    };
    return { a, b, both, stop };
  }

  it('get all their limits while others use each of them', async () => {
    const { both, stop } = await makeFlood();
    let done = false;
    const call = both.acquire({ key: 'both' }).then(() => {
      done = true;
    });
    // Two calls of each kind came before it.
    await clock.advance(400);
    expect(done).toBe(true);
    await stop();
    await call;
  });

  it('leave a limit to others when another one is emptied for long', async () => {
    const { a, b, both, stop } = await makeFlood();
    await stop();
    b.take({ key: 'x' });
    const call = both.acquire({ key: 'both' });
    await clock.advance(99);
    // It has waited for one and then for the other: both are kept for it.
    a.take({ key: 'x' });
    await clock.advance(1);
    expect(both.take({ key: 'b' })).toMatchObject({ allowed: false });
    b.block(MINUTE, { key: 'x' });
    await clock.advance(200);
    expect(both.take({ key: 'a' })).toMatchObject({ allowed: true });
    await clock.advance(MINUTE);
    await call;
  });

  it('are woken by what is given back, and by a change of a limit', async () => {
    const { api, perUser, perTenant } = makeLimits();
    perTenant.take({ key: 'acme', cost: 5 });
    const first = api.acquire({ key: 'acme/ann' });
    await settle();
    perTenant.reward(1, { key: 'acme' });
    await first;
    const lease = perUser.tryAcquire({ key: 'acme/ann' });
    const second = api.acquire({ key: 'acme/ann' });
    perTenant.reset({ key: 'acme' });
    await settle();
    expect(api.stats().queued).toBe(1);
    void lease?.settle?.(0);
    await second;
  });

  it('follow a plan that changes meanwhile', async () => {
    const plans = new Map([['ann', { limit: 1, burst: 1 }]]);
    const perUser = keyed({
      template: tokenBucket({ name: 'user', clock, limit: 1, windowMs: MINUTE, burst: 1 }),
      plan: (key) => plans.get(key),
    });
    const busy = concurrency({ clock, limit: 5 });
    const api = allOf({ clock, limits: [{ limiter: perUser }, { limiter: busy }] });
    api.tryAcquire({ key: 'ann' })?.release();
    const waiting = api.acquire({ key: 'ann' });
    await settle();
    plans.set('ann', { limit: 100, burst: 10 });
    perUser.peek({ key: 'ann' });
    await waiting;
  });

  it('end at their deadline, with the signal, and when the queue is full', async () => {
    const busy = concurrency({ name: 'busy', clock, limit: 1 });
    const rate = tokenBucket({ name: 'rate', clock, burst: 5 });
    const both = allOf({ clock, maxQueue: 2, limits: [{ limiter: rate }, { limiter: busy }] });
    const lease = both.tryAcquire();
    const controller = new AbortController();
    const aborted = both.acquire({ signal: controller.signal });
    const late = both.acquire({ maxWaitMs: 100 });
    const expired = expect(late).rejects.toMatchObject({ policy: 'busy', reason: 'deadline' });
    await expect(both.acquire()).rejects.toMatchObject({ policy: 'busy', reason: 'queue-full' });
    controller.abort('gone');
    await expect(aborted).rejects.toBe('gone');
    await clock.advance(100);
    await expired;
    expect(rate.peek().remaining).toBe(4);
    expect(both.stats()).toEqual({ allowed: 1, delayed: 0, rejected: 2, aborted: 1, queued: 0 });
    expect(busy.stats()).toMatchObject({ allowed: 1, rejected: 2 });
    expect(rate.stats()).toMatchObject({ allowed: 1, rejected: 0 });
    lease?.release();
    expect(clock).toHaveProperty('pending', 0);
  });

  it('stand behind those that wait at one of the limiters', async () => {
    const busy = concurrency({ name: 'busy', clock, limit: 1 });
    const rate = tokenBucket({ name: 'rate', clock, burst: 5 });
    const both = allOf({ clock, limits: [{ limiter: rate }, { limiter: busy }] });
    const held = await busy.acquire();
    const order: string[] = [];
    const alone = busy.acquire().then((lease) => {
      order.push('alone');
      lease.release();
    });
    const together = both.acquire().then(() => order.push('together'));
    held.release();
    await Promise.all([alone, together]);
    expect(order).toEqual(['alone', 'together']);
  });

  it('are refused when they would wait for permits that they hold', async () => {
    const busy = concurrency({ name: 'busy', clock, limit: 1 });
    const rate = tokenBucket({ name: 'rate', clock, burst: 5 });
    const both = allOf({ clock, limits: [{ limiter: rate }, { limiter: busy }] });
    const inner = both.execute((parent) => both.execute(() => 1, { parent }));
    await expect(inner).rejects.toMatchObject({ policy: 'busy', reason: 'calls-itself' });
    const alone = both.execute((parent) => busy.execute(() => 1, { parent }));
    await expect(alone).rejects.toMatchObject({ policy: 'busy', reason: 'calls-itself' });
    const around = busy.execute((parent) => both.execute(() => 1, { parent }));
    await expect(around).rejects.toMatchObject({ policy: 'busy', reason: 'calls-itself' });
    expect(busy.stats().inFlight).toBe(0);
    expect(rate.peek().remaining).toBe(3);
  });

  it.each(['both', 'busy'] as const)(
    'that are parts of calls that hold permits pass a call of higher cost that waits at %s',
    async (which) => {
      const busy = concurrency({ name: 'busy', clock, limit: 3 });
      const other = concurrency({ name: 'other', clock, limit: 5 });
      const both = allOf({ clock, limits: [{ limiter: busy }, { limiter: other }] });
      const held = both.execute(async (parent) => {
        await clock.sleep(10);
        return both.execute(() => 'part', { parent });
      });
      const large = { both, busy }[which].execute(() => 'large', { cost: 3 });
      await clock.advance(10);
      expect(await Promise.race([held, clock.sleep(1_000), clock.advance(1_000)])).toBe('part');
      expect(await large).toBe('large');
      expect([busy.stats().inFlight, other.stats().inFlight]).toEqual([0, 0]);
    },
  );
});

describe('what several limits report', () => {
  let telemetry: InMemoryTelemetry;
  beforeEach(() => {
    telemetry = new InMemoryTelemetry();
  });
  afterEach(() => telemetry.close());

  it('counts a refusal at the limit that refuses, and at no other', async () => {
    const first = tokenBucket({ name: 'joint-first', clock, burst: 5 });
    const second = tokenBucket({ name: 'joint-second', clock, burst: 1 });
    const both = allOf({
      name: 'joint',
      clock,
      limits: [{ limiter: first }, { limiter: second }],
    });
    const heard = vi.fn();
    both.onReject(heard);
    second.onReject(heard);
    both.take();
    both.take();
    await both.tryExecute(() => 1, { timeoutMs: 5 });
    const value = (policy: string, outcome: string, reason?: string) =>
      telemetry.value('temper.ratelimit.requests', {
        'temper.policy.name': policy,
        'temper.outcome': outcome,
        ...(reason === undefined ? {} : { 'temper.ratelimit.reason': reason }),
      });
    for (const policy of ['joint', 'joint-first', 'joint-second']) {
      expect(await value(policy, 'allowed')).toBe(1);
    }
    for (const policy of ['joint', 'joint-second']) {
      expect(await value(policy, 'rejected', 'limit')).toBe(1);
      expect(await value(policy, 'rejected', 'deadline')).toBe(1);
    }
    expect(first.stats()).toMatchObject({ allowed: 1, rejected: 0 });
    // The rejection of `execute`, by the group and by the limiter; `take` has no listeners.
    expect(heard.mock.calls.map(([{ policy }]) => policy)).toEqual([
      'joint-second',
      'joint-second',
    ]);
  });
});

describe('several limits behind the middleware', () => {
  it('announce the tightest, and take nothing for a refused request', async () => {
    const { api, left } = makeLimits();
    const limit = fetchRateLimit({
      limits: [{ name: 'api', limiter: api, key: () => 'acme/ann' }],
    });
    const request = new Request('https://api.example/');
    const answer = () => limit(request, () => new Response('ok'));
    const first = await answer();
    expect([first.status, first.headers.get('ratelimit')]).toEqual([200, '"api";r=1;t=1']);
    await answer();
    expect((await answer()).status).toBe(429);
    expect(left('acme/ann')).toEqual([0, 3, 4]);
  });
});

describe('options of several limits', () => {
  const rate = () => tokenBucket({ clock });
  it.each([
    ['no limits', () => ({})],
    ['an empty list', () => ({ limits: [] })],
    ['what is no limiter', () => ({ limits: [{ limiter: { tryAcquire: () => undefined } }] })],
    ['an adaptive limit', () => ({ limits: [{ limiter: adaptiveConcurrency({ clock }) }] })],
    [
      'a limit that processes share',
      () => {
        const store = new MemoryRateLimitStore(clock);
        return { limits: [{ limiter: sharedRateLimit({ name: 'shared', clock, store }) }] };
      },
    ],
    [
      'one key of a keyed limiter',
      () => ({ limits: [{ limiter: keyed({ template: rate() }).for('a') }] }),
    ],
    ['a key for a limiter without keys', () => ({ limits: [{ limiter: rate(), key: () => 'a' }] })],
    [
      'one limiter twice',
      () => {
        const limiter = rate();
        return { limits: [{ limiter }, { limiter }] };
      },
    ],
    ['an unknown option', () => ({ limits: [{ limiter: rate(), units: 1 }] })],
  ])('refuse %s', (_, options) => {
    expect(() => allOf(options() as never)).toThrow(TypeError);
  });

  it('hold what the functions return to their ranges', () => {
    const perUser = keyed({ template: rate() });
    const bad = (limit: object) => allOf({ limits: [{ limiter: perUser, ...limit }] } as never);
    expect(() => bad({ cost: () => 0 }).take({ key: 'a' })).toThrow(RangeError);
    expect(() => bad({ key: () => 7 }).take({ key: 'a' })).toThrow(TypeError);
    expect(() => bad({}).take()).toThrow(TypeError);
    const byHand = bad({ cost: (cost: number) => cost - 1 }).tryAcquire({ key: 'a', cost: 2 });
    expect(() => byHand?.settle?.(0.5)).toThrow(RangeError);
    byHand?.settle?.(0);
    expect(perUser.peek({ key: 'a' })).toMatchObject({ remaining: 10 });
  });
});
