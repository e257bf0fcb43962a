import { type CallContext, isTemperError, type Operation } from '@temper/core';
import { type Call, isNeutral, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryRateLimitStore } from './memory-store.ts';
import type { SharedConcurrencyOptions, SharedRateLimitOptions } from './options.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';
import type { RateLimitStore } from './store.ts';

let clock: ManualClock;
let store: MemoryRateLimitStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryRateLimitStore(clock);
});

/** A store that answers after a round trip. */
function remote(tripMs: number): { store: RateLimitStore; requests: string[] } {
  const requests: string[] = [];
  const slow = new Proxy(store, {
    get: (_, name: keyof RateLimitStore) => async (request: never) => {
      requests.push(name);
      await clock.sleep(tripMs / 2);
      const answer = await store[name](request);
      await clock.sleep(tripMs / 2);
      return answer;
    },
  });
  return { store: slow, requests };
}

const rate = (more: Partial<SharedRateLimitOptions> = {}) =>
  sharedRateLimit({ name: 'api', store, clock, nodes: 1, limit: 10, windowMs: 1000, ...more });
const permits = (more: Partial<SharedConcurrencyOptions> = {}) =>
  sharedConcurrency({ name: 'permits', store, clock, nodes: 1, ...more });

describe('a round trip to the store', () => {
  const algorithms = ['token-bucket', 'sliding-window', 'fixed-window'] as const;

  it.each(algorithms)('is no wait for a turn: %s with maxWaitMs 0', async (algorithm) => {
    const limiter = rate({ algorithm, store: remote(2).store, limit: 30, maxWaitMs: 0 });
    const burst = algorithm === 'token-bucket' ? 10 : 20;
    const calls = Promise.allSettled(Array.from({ length: burst }, () => limiter.acquire()));
    await clock.advance(20);
    const settled = await calls;
    expect(settled.filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  it('is one for many permits, which their callers get at once', async () => {
    const { store: slow, requests } = remote(5);
    const limiter = permits({ store: slow, limit: 100 });
    const begun: number[] = [];
    const start = clock.monotonic();
    for (let i = 0; i < 100; i++) {
      void limiter.acquire().then(() => begun.push(clock.monotonic() - start));
    }
    await clock.advance(1000);
    expect(begun).toHaveLength(100);
    expect(Math.max(...begun)).toBeLessThanOrEqual(10);
    expect(requests.filter((name) => name === 'takePermits').length).toBeLessThanOrEqual(2);
  });

  it('lets nobody exceed the limit: leases are renewed from the grant on', async () => {
    const slow = remote(400).store;
    const fleet = [1, 2, 3, 4].map(() => permits({ store: slow, limit: 40, leaseMs: 1500 }));
    let running = 0;
    let most = 0;
    const work = async (limiter: ReturnType<typeof permits>): Promise<void> => {
      await limiter.execute(async () => {
        running++;
        most = Math.max(most, running);
        await clock.sleep(5000);
        running--;
      });
    };
    const all = fleet.flatMap((limiter) => Array.from({ length: 64 }, () => work(limiter)));
    await clock.advance(100_000);
    await Promise.all(all);
    expect(most).toBe(40);
  });
});

describe('callers that leave', () => {
  it.each(['forwards', 'backwards'])(
    'by one signal, %s, leave nobody refused',
    async (direction) => {
      const limiter = rate({ burst: 1 });
      const controllers = Array.from({ length: 100 }, () => new AbortController());
      const gone = controllers.map(({ signal }) => limiter.acquire({ signal }).catch(() => 0));
      await settle();
      if (direction === 'backwards') controllers.reverse();
      for (const controller of controllers) controller.abort();
      await Promise.all(gone);
      await settle();
      expect(limiter.stats().queued).toBe(0);
      const answer = await limiter.take();
      // One call has got through; the other units are back.
      expect(answer.retryAfterMs).toBeLessThanOrEqual(100);
      expect(clock.pending).toBe(0);
    },
  );

  it('by the death of their process delay the others by a second and no more', async () => {
    const dead = rate({ burst: 1 });
    for (let i = 0; i < 300; i++) void dead.acquire().catch(() => undefined);
    await settle();
    const { retryAfterMs } = await rate({ burst: 1 }).take();
    expect(retryAfterMs).toBeLessThanOrEqual(1100);
  });

  it('before they entered are not queued', async () => {
    const limiter = rate({ algorithm: 'fixed-window', limit: 1 });
    await limiter.acquire();
    const gone = limiter.acquire({ signal: AbortSignal.abort('gone') });
    await expect(gone).rejects.toBe('gone');
    expect(limiter.stats().queued).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('in the middle of a long queue leave it in order, and at most maxQueue wait', async () => {
    const limiter = rate({ burst: 1, maxQueue: 50 });
    const order: number[] = [];
    const controllers = Array.from({ length: 60 }, () => new AbortController());
    const ends = controllers.map(({ signal }, i) =>
      limiter.acquire({ signal }).then(
        () => order.push(i),
        (error: unknown) => error,
      ),
    );
    await settle();
    expect(limiter.stats()).toMatchObject({ queued: 50, rejected: 9 });
    for (let i = 20; i < 40; i++) controllers[i]!.abort();
    await clock.advance(60_000);
    await Promise.all(ends);
    const expected = Array.from({ length: 51 }, (_, i) => i).filter((i) => i < 20 || i >= 40);
    expect(order).toEqual(expected);
    expect(limiter.stats().queued).toBe(0);
  });
});

describe('a deadline behind a long queue', () => {
  it('is refused at once when the turn would come after it, and kept otherwise', async () => {
    const limiter = rate({ burst: 1 });
    const all = Array.from({ length: 101 }, () => limiter.acquire());
    await settle();
    const hasty = limiter.acquire({ maxWaitMs: 10_000 }).catch((error: unknown) => error);
    await settle();
    expect(await hasty).toMatchObject({ reason: 'deadline' });
    const patient = limiter.acquire({ maxWaitMs: 10_200 });
    await clock.advance(10_200);
    await expect(patient).resolves.toBeDefined();
    await Promise.all(all);
  });

  it('passes for a call whose turn is taken by others', async () => {
    const limiter = rate({ burst: 1, limit: 1, windowMs: 3000 });
    await limiter.acquire();
    const waiting = limiter.acquire({ maxWaitMs: 4000 }).catch((error: unknown) => error);
    await settle();
    // Other processes take every unit before this one asks again.
    await rate({ burst: 1, limit: 1, windowMs: 3000 }).penalty(1);
    await clock.advance(1900);
    const rule = { kind: 'token-bucket', limit: 1, windowMs: 3000, burst: 1 } as const;
    await store.change({
      limiter: 'api',
      key: '',
      rule,
      change: { kind: 'block', durationMs: 9000 },
    });
    await clock.advance(2200);
    expect(await waiting).toMatchObject({ reason: 'deadline' });
    expect(limiter.stats().queued).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

/** A policy that asks of each error whether it tells something about the dependency. */
class Verdicts extends PolicyBase {
  readonly neutral: boolean[] = [];

  override describe(): PolicyDescription {
    return { kind: 'other' };
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    try {
      return await operation(call);
    } catch (error) {
      this.neutral.push(isNeutral({ ok: false, error }, call));
      throw error;
    }
  }

  stats(): object {
    return {};
  }

  [Symbol.dispose](): void {}
}

describe('a lost lease', () => {
  const lose = (limiter: string, key = ''): Promise<void> =>
    // The store forgets all leases, as after a flush.
    store.returnPermits({ limiter, key, leases: leaseIds });
  let leaseIds: string[] = [];
  const watched = (): RateLimitStore =>
    new Proxy(store, {
      get: (_, name: keyof RateLimitStore) => (request: never) => {
        if (name === 'takePermits') {
          const { calls } = request as { calls: readonly { lease: string }[] };
          leaseIds.push(...calls.map(({ lease }) => lease));
        }
        return store[name](request);
      },
    });
  beforeEach(() => {
    leaseIds = [];
  });

  it('is registered again at once when its permits are free', async () => {
    const limiter = permits({ store: watched(), limit: 2, leaseMs: 900 });
    const lease = await limiter.acquire({ cost: 2 });
    await lose('permits');
    await clock.advance(300);
    expect(await permits({ limit: 2 }).tryAcquire()).toBeUndefined();
    expect(lease.signal?.aborted).toBe(false);
    lease.release();
    await settle();
    expect(await permits({ limit: 2 }).tryAcquire({ cost: 2 })).toBeDefined();
  });

  it('tells its holder when others have its permits', async () => {
    const limiter = permits({ store: watched(), limit: 2, leaseMs: 900 });
    const [first, second] = [await limiter.acquire(), await limiter.acquire()];
    const { signal } = first;
    await lose('permits');
    const other = await permits({ limit: 2 }).acquire();
    await clock.advance(300);
    // The older lease is registered again; there is no permit for the younger one.
    expect(signal?.aborted).toBe(false);
    expect(second.signal?.aborted).toBe(true);
    expect(second.signal?.reason).toMatchObject({ code: 'LEASE_LOST', policy: 'permits' });
    for (const lease of [first, second, other]) lease.release();
    await settle();
    expect(limiter.stats().inFlight).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it.each([
    { plan: 5, costs: [1, 4], lost: 0, why: 'more than the limiter allows' },
    { plan: 1, costs: [1, 1], lost: 1, why: 'less, since the plan has changed' },
  ])('is registered again under the plan of its key: $why', async ({ plan, costs, lost }) => {
    let limit = 5;
    const limiter = permits({
      store: watched(),
      limit: 2,
      leaseMs: 900,
      plan: (key) => (key === 'ann' ? { limit } : undefined),
    });
    const leases: Awaited<ReturnType<typeof limiter.acquire>>[] = [];
    for (const cost of costs) leases.push(await limiter.acquire({ key: 'ann', cost }));
    const signals = leases.map(({ signal }) => signal);
    limit = plan;
    await lose('permits', 'ann');
    await clock.advance(300);
    expect(signals.filter((signal) => signal?.aborted)).toHaveLength(lost);
    expect(await limiter.peek({ key: 'ann' })).toMatchObject({ limit: plan, remaining: 0 });
    for (const lease of leases) lease.release();
    await settle();
    expect(clock.pending).toBe(0);
  });

  /** Two operations hold both permits; a flush, and another process takes one before the renewal. */
  async function loseYounger(operation: (call: CallContext) => Promise<string>) {
    const limiter = permits({ store: watched(), limit: 2, leaseMs: 900 });
    const signals: AbortSignal[] = [];
    const verdicts = new Verdicts('around', clock);
    const start = (): Promise<unknown> =>
      verdicts
        .execute((outer) =>
          limiter.execute(
            (call) => {
              signals.push(call.signal);
              return operation(call);
            },
            { parent: outer },
          ),
        )
        .catch((error: unknown) => error);
    const older = start();
    await settle();
    const younger = start();
    await settle();
    await lose('permits');
    const other = await permits({ limit: 2 }).acquire();
    await clock.advance(300);
    return { limiter, neutral: verdicts.neutral, signals, older, younger, other };
  }

  it('aborts the signal of an operation in execute when others have its permits', async () => {
    const { limiter, neutral, signals, older, younger, other } = await loseYounger(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
    expect(isTemperError(await younger, 'LEASE_LOST')).toBe(true);
    // What our store has lost says nothing about the dependency.
    expect(neutral).toEqual([true]);
    expect(limiter.stats().inFlight).toBe(1);
    expect(await Promise.race([older, 'runs'])).toBe('runs');
    other.release();
  });

  it('leaves the result of an operation that ignores its signal as it is', async () => {
    const end = Promise.withResolvers<string>();
    const { limiter, older, younger, other } = await loseYounger(() => end.promise);
    end.resolve('done');
    expect(await Promise.all([older, younger])).toEqual(['done', 'done']);
    other.release();
    await settle();
    expect(limiter.stats().inFlight).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('leaves an error of its own as it is, which may be what a client makes of the abort', async () => {
    const end = Promise.withResolvers<string>();
    const { neutral, older, younger, other } = await loseYounger(() => end.promise);
    end.reject(new Error('connection reset'));
    expect(await younger).toMatchObject({ message: 'connection reset' });
    expect(await older).toMatchObject({ message: 'connection reset' });
    // Only what the operation that kept its permits failed with counts against the dependency.
    expect(neutral).toEqual([false, true]);
    other.release();
  });
});
