import { circuitBreaker } from '@temper/breaker';
import { MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import type { Executor } from '@temper/core';
import { concurrency, keyed, tokenBucket } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { MemoryRateLimitStore, sharedConcurrency } from '@temper/ratelimit/shared';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, pipeline, timeout } from '../../src/index.ts';

// The time that a call waits for its turn at one of our own limits says nothing about its dependency: a
// circuit around must not open when such calls end.

type Make = (clock: ManualClock) => Executor;

/** Limits that one call uses up, behind which others wait. */
const LIMITS: Readonly<Record<string, Make>> = {
  concurrency: (clock) => concurrency({ limit: 1, clock }),
  keyed: (clock) => keyed({ limiter: () => concurrency({ limit: 1, clock }), clock }),
  adaptiveConcurrency: (clock) =>
    adaptiveConcurrency({ initialLimit: 1, minLimit: 1, maxLimit: 1, clock }),
  sharedConcurrency: (clock) =>
    sharedConcurrency({
      name: 's',
      limit: 1,
      maxWaitMs: 60_000,
      clock,
      store: new MemoryRateLimitStore(clock),
    }),
  tokenBucket: (clock) => tokenBucket({ limit: 1, windowMs: 3_600_000, clock }),
};

/** What ends a call that waits: options of the call, or a policy between the circuit and the limit. */
const ENDS: Readonly<Record<string, { timeoutMs?: number; between?: Make }>> = {
  'its deadline': { timeoutMs: 100 },
  'a timeout inside': { between: (clock) => timeout({ timeoutMs: 100, clock }) },
  'the timeout of an attempt': {
    between: (clock) => retry({ attemptTimeoutMs: 100, maxAttempts: 1, clock }),
  },
};

describe.each(Object.keys(LIMITS))('a call that waits for its turn at %s', (kind) => {
  it.each(Object.keys(ENDS))(
    'does not count against the dependency when %s ends it',
    async (end) => {
      const clock = new ManualClock();
      const { between, ...options } = ENDS[end] as (typeof ENDS)[string];
      const breaker = circuitBreaker({ clock, failureThreshold: 3 });
      const limit = (LIMITS[kind] as Make)(clock);
      void limit.execute(() => new Promise(() => {}), { key: 'x' });
      await settle();
      const policy = pipeline(
        { clock },
        breaker,
        ...(between === undefined ? [] : [between(clock)]),
        limit,
      );
      let called = 0;
      const asked = Array.from({ length: 10 }, () =>
        policy.execute(() => called++, { key: 'x', ...options }),
      );
      const ended = Promise.allSettled(asked);
      await clock.advance(200);
      expect((await ended).map(({ status }) => status)).toEqual(Array(10).fill('rejected'));
      expect(called).toBe(0);
      expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 10 });
      expect(breaker.state).toBe('closed');
    },
  );
});

/** Half-open circuits that a call waits at, and whose trial hangs. */
const CIRCUITS: Readonly<Record<string, (clock: ManualClock) => Executor>> = {
  'its turn at a half-open circuit': (clock) =>
    circuitBreaker({ clock, failureThreshold: 1, halfOpenMaxWaitMs: 60_000 }),
  'the lease of a shared circuit': (clock) => {
    const store = new MemoryBreakerStore(clock);
    store.takeTrial = () => new Promise(() => {});
    const shared = sharedCircuit({ store, timeoutMs: 60_000 });
    return circuitBreaker({ clock, failureThreshold: 1, halfOpenMaxCalls: 10, shared });
  },
};

describe.each(Object.keys(CIRCUITS))('a call that waits for %s', (kind) => {
  it.each(Object.keys(ENDS))('does not count for a circuit around when %s ends it', async (end) => {
    const clock = new ManualClock();
    const { between, ...options } = ENDS[end] as (typeof ENDS)[string];
    const inner = (CIRCUITS[kind] as Make)(clock);
    await inner.execute(() => Promise.reject(new Error('down'))).catch(() => {});
    await clock.advance(60_000);
    void inner.execute(() => new Promise(() => {}));
    const outer = circuitBreaker({ name: 'outer', clock, failureThreshold: 3 });
    const parts = between === undefined ? [inner] : [between(clock), inner];
    const policy = pipeline({ clock }, outer, ...parts);
    let called = 0;
    const asked = [1, 2, 3].map(() => policy.tryExecute(() => called++, options));
    await clock.advance(200);
    expect((await Promise.all(asked)).map(({ ok }) => ok)).toEqual([false, false, false]);
    expect(called).toBe(0);
    expect(outer.stats().calls).toMatchObject({ failure: 0, ignored: 3 });
  });
});

describe('a shared run of a cache that waits for capacity', () => {
  const setUp = (end: string) => {
    const clock = new ManualClock();
    const { between, ...options } = ENDS[end] as (typeof ENDS)[string];
    const breaker = circuitBreaker({ clock, failureThreshold: 3 });
    const bulkhead = concurrency({ limit: 1, clock });
    const policy = pipeline(
      { clock },
      breaker,
      ...(between === undefined ? [] : [between(clock)]),
      cached({ clock, singleFlight: true }),
      bulkhead,
    );
    const lease = bulkhead.tryAcquire();
    const ask = (operation: () => unknown) =>
      Promise.all([1, 2, 3].map(() => policy.tryExecute(operation, { key: 'x', ...options })));
    return { clock, breaker, lease, ask };
  };

  it.each(Object.keys(ENDS))('does not count when %s ends its callers', async (end) => {
    const { clock, breaker, ask } = setUp(end);
    const asked = ask(() => 1);
    await clock.advance(200);
    expect((await asked).map(({ ok }) => ok)).toEqual([false, false, false]);
    expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 3 });
  });

  it.each(Object.keys(ENDS))('counts when it had its turn and hangs: %s', async (end) => {
    const { clock, breaker, lease, ask } = setUp(end);
    const asked = ask(() => new Promise(() => {}));
    await clock.advance(50);
    lease?.release();
    await clock.advance(50);
    await asked;
    expect(breaker.stats().calls).toMatchObject({ failure: 3, ignored: 0 });
  });
});

it('counts what an attempt after a wait finds out', async () => {
  const clock = new ManualClock();
  const breaker = circuitBreaker({ clock, failureThreshold: 3 });
  const bulkhead = concurrency({ limit: 1, clock });
  const again = retry({ attemptTimeoutMs: 100, maxAttempts: 2, jitter: 'none', clock });
  const policy = pipeline({ clock }, breaker, again, bulkhead);
  const down = Object.assign(new Error('down'), { code: 'ECONNRESET' });
  for (let i = 0; i < 3; i++) {
    const held = bulkhead.tryAcquire();
    const asked = policy.tryExecute(() => Promise.reject(down));
    await clock.advance(100); // the first attempt has only waited
    held?.release();
    await clock.advance(10_000);
    expect(await asked).toEqual({ ok: false, error: down });
  }
  expect(breaker.stats().calls.failure).toBe(3);
  expect(breaker.state).toBe('open');
});

it('counts an operation that hangs after it had its turn', async () => {
  const clock = new ManualClock();
  const breaker = circuitBreaker({ clock, failureThreshold: 3 });
  const bulkhead = concurrency({ limit: 3, clock });
  const policy = pipeline({ clock }, breaker, timeout({ timeoutMs: 100, clock }), bulkhead);
  const held = [1, 2, 3].map(() => bulkhead.tryAcquire());
  const asked = [1, 2, 3].map(() => policy.tryExecute(() => new Promise(() => {})));
  await clock.advance(50);
  for (const lease of held) lease?.release();
  await clock.advance(50);
  await Promise.all(asked);
  expect(breaker.stats().calls.failure).toBe(3);
});

describe('a call that goes on after a wait inside it has ended', () => {
  const setUp = () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 3 });
    const bulkhead = concurrency({ limit: 1, clock });
    bulkhead.tryAcquire();
    const optional = pipeline({ clock }, timeout({ timeoutMs: 100, clock }), bulkhead);
    return { clock, breaker, optional };
  };

  it('counts when its dependency fails', async () => {
    const { clock, breaker, optional } = setUp();
    const down = Object.assign(new Error('down'), { code: 'ECONNRESET' });
    for (let i = 0; i < 3; i++) {
      const asked = breaker.tryExecute(async (parent) => {
        await optional.tryExecute(() => 1, { parent });
        await clock.sleep(10);
        throw down;
      });
      await clock.advance(100);
      await clock.advance(10);
      expect(await asked).toEqual({ ok: false, error: down });
    }
    expect(breaker.stats().calls).toMatchObject({ failure: 3, ignored: 0 });
    expect(breaker.state).toBe('open');
  });

  it('counts when its dependency does not answer in time', async () => {
    const { clock, breaker, optional } = setUp();
    for (let i = 0; i < 3; i++) {
      const asked = breaker.tryExecute(
        async (parent) => {
          await optional.tryExecute(() => 1, { parent });
          await clock.sleep(10_000, parent.signal);
        },
        { timeoutMs: 200 },
      );
      await clock.advance(100);
      await clock.advance(100);
      expect(await asked).toMatchObject({ ok: false, error: { code: 'DEADLINE_EXCEEDED' } });
    }
    expect(breaker.stats().calls).toMatchObject({ failure: 3, ignored: 0 });
  });

  it('does not count when it fails with what the wait ended with, or because of it', async () => {
    const { clock, breaker, optional } = setUp();
    const wraps = [(e: unknown) => e, (cause: unknown) => new Error('no stock', { cause })];
    for (const wrap of wraps) {
      const asked = breaker.tryExecute(async (parent) => {
        const outcome = await optional.tryExecute(() => 1, { parent });
        await clock.sleep(10);
        throw outcome.ok ? outcome : wrap(outcome.error);
      });
      await clock.advance(100);
      await clock.advance(10);
      expect((await asked).ok).toBe(false);
    }
    expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 2 });
  });
});

describe('calls that are parts of one call at the same time', () => {
  const down = Object.assign(new Error('down'), { code: 'ECONNRESET' });
  const setUp = (kind: string) => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 100 });
    const limit = (LIMITS[kind] as Make)(clock);
    void limit.execute(() => new Promise(() => {}), { key: 'x' });
    const dependency = timeout({ timeoutMs: 60_000, clock });
    return { clock, breaker, limit, dependency };
  };

  /** What the part does that does not wait, and what that tells of the dependency. */
  const OTHERS: Readonly<
    Record<string, { run: (clock: ManualClock) => Promise<unknown>; counts: 'failure' | 'ignored' }>
  > = {
    'fails slowly': {
      run: async (clock) => {
        await clock.sleep(50);
        throw down;
      },
      counts: 'failure',
    },
    'fails with an error around that of the part': {
      run: async (clock) => {
        await clock.sleep(50);
        throw new Error('no prices', { cause: down });
      },
      counts: 'failure',
    },
    hangs: { run: () => new Promise(() => {}), counts: 'failure' },
    'has ended': { run: async () => 'done', counts: 'ignored' },
  };

  // A rate limit knows how long its wait would be, and refuses at once.
  const waitedAt = Object.keys(LIMITS).filter((kind) => kind !== 'tokenBucket');
  describe.each(waitedAt)('one waits at %s', (kind) => {
    it.each(Object.keys(OTHERS))('and the other %s', async (other) => {
      const { clock, breaker, limit, dependency } = setUp(kind);
      const { run, counts } = OTHERS[other] as (typeof OTHERS)[string];
      for (const waitsFirst of [true, false]) {
        const asked = breaker.tryExecute(
          (parent) => {
            const wait = () => limit.execute(() => 1, { parent, key: 'x' });
            const work = () => dependency.execute(() => run(clock), { parent });
            return Promise.all(waitsFirst ? [wait(), work()] : [work(), wait()]);
          },
          { timeoutMs: 100 },
        );
        await clock.advance(100);
        expect((await asked).ok).toBe(false);
      }
      expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 0, [counts]: 2 });
    });

    it('and so does the other', async () => {
      const { clock, breaker, limit } = setUp(kind);
      const asked = breaker.tryExecute(
        (parent) => Promise.all([1, 2].map(() => limit.execute(() => 1, { parent, key: 'x' }))),
        { timeoutMs: 100 },
      );
      await clock.advance(100);
      expect((await asked).ok).toBe(false);
      expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 1 });
    });

    it('inside a part of its own, and the other hangs', async () => {
      const { clock, breaker, limit, dependency } = setUp(kind);
      const asked = breaker.tryExecute(
        (parent) =>
          Promise.all([
            dependency.execute((part) => limit.execute(() => 1, { parent: part, key: 'x' }), {
              parent,
            }),
            dependency.execute(() => new Promise(() => {}), { parent }),
          ]),
        { timeoutMs: 100 },
      );
      await clock.advance(100);
      expect((await asked).ok).toBe(false);
      expect(breaker.stats().calls).toMatchObject({ failure: 1, ignored: 0 });
    });
  });

  it('are ignored when both wait and one is ended by a timeout of its own', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 100 });
    const bulk = concurrency({ limit: 1, clock });
    bulk.tryAcquire();
    const short = pipeline({ clock }, timeout({ clock, timeoutMs: 20 }), bulk);
    const asked = breaker.tryExecute(
      (parent) =>
        Promise.all([short.execute(() => 1, { parent }), bulk.execute(() => 1, { parent })]),
      { timeoutMs: 100 },
    );
    await clock.advance(100);
    expect((await asked).ok).toBe(false);
    expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 1 });
  });

  it('tell nothing of a failure that the operation has handled before it waits', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 100 });
    const bulk = concurrency({ limit: 1, clock });
    bulk.tryAcquire();
    const t = timeout({ clock, timeoutMs: 500 });
    const asked = breaker.tryExecute(
      async (parent) => {
        await t.tryExecute(() => Promise.reject(down), { parent });
        return bulk.execute(() => 1, { parent });
      },
      { timeoutMs: 100 },
    );
    await clock.advance(100);
    await asked;
    expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 1 });
  });

  it('are recognised by errors that are no objects', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 100, shouldHandle: () => true });
    const bulk = concurrency({ limit: 1, clock });
    bulk.tryAcquire();
    const t = timeout({ clock, timeoutMs: 500 });
    for (const e of ['x', undefined, null, NaN, 0, Symbol.for('a')]) {
      const asked = breaker.tryExecute(
        (parent) =>
          Promise.all([
            t.execute(() => Promise.reject(e), { parent }),
            bulk.execute(() => 1, { parent }),
          ]),
        { timeoutMs: 100 },
      );
      await clock.advance(100);
      expect(await asked).toEqual({ ok: false, error: e });
    }
    expect(breaker.stats().calls).toMatchObject({ failure: 6, ignored: 0 });
  });

  it('wait in a shared run of a cache, while another one works or not', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, failureThreshold: 100 });
    const bulk = concurrency({ limit: 1, clock });
    bulk.tryAcquire();
    const c = pipeline({ clock }, cached({ clock, key: () => 'x', singleFlight: true }), bulk);
    for (const works of [true, false]) {
      const asked = breaker.tryExecute(
        (parent) =>
          Promise.all([
            c.execute(() => 1, { parent }),
            works
              ? timeout({ clock, timeoutMs: 1000 }).execute(() => new Promise(() => {}), { parent })
              : c.execute(() => 1, { parent }),
          ]),
        { timeoutMs: 100 },
      );
      await clock.advance(100);
      await asked;
    }
    expect(breaker.stats().calls).toMatchObject({ failure: 1, ignored: 1 });
  });
});
