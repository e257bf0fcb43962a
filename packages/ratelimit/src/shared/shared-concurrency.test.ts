import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { StoreUnavailableError } from './errors.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import type { SharedConcurrencyOptions } from './options.ts';
import { sharedConcurrency } from './shared-concurrency.ts';

let clock: ManualClock;
let store: FaultyStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new FaultyStore(new MemoryRateLimitStore(clock));
});

const make = (more: Partial<SharedConcurrencyOptions> = {}) =>
  sharedConcurrency({ name: 'reports', store, clock, limit: 2, ...more });

describe('sharedConcurrency', () => {
  it('has one limit for all processes', async () => {
    const [a, b] = [make(), make()];
    const first = await a.tryAcquire();
    const second = await b.acquire();
    expect(await a.tryAcquire()).toBeUndefined();
    expect(await b.take()).toMatchObject({ allowed: false, limit: 2, remaining: 0 });
    expect(a.stats()).toMatchObject({ inFlight: 1, allowed: 1, rejected: 1 });
    first?.release();
    first?.release();
    await settle();
    expect(await b.tryAcquire()).toBeDefined();
    second.release();
    expect(b.stats().inFlight).toBe(1);
  });

  it('grants permits in order: at once within a process, after pollIntervalMs across processes', async () => {
    const [a, b] = [make(), make()];
    const held = [await a.acquire(), await b.acquire()];
    const order: string[] = [];
    const wait = (who: string, limiter: typeof a) =>
      limiter.acquire().then((lease) => {
        order.push(`${who} at ${clock.monotonic() - 1000}`);
        return lease;
      });
    const first = wait('a1', a);
    const second = wait('a2', a);
    await settle();
    expect(a.stats().queued).toBe(2);
    held[0]?.release();
    await settle();
    expect(order).toEqual(['a1 at 0']);
    await clock.advance(10);
    held[1]?.release();
    await clock.advance(100);
    expect(order).toEqual(['a1 at 0', 'a2 at 50']);
    for (const lease of await Promise.all([first, second])) lease.release();
    await settle();
    expect(a.stats()).toMatchObject({ inFlight: 0, queued: 0, delayed: 2 });
    expect(clock.pending).toBe(0);
  });

  it('renews the permits of running processes, and frees those of a process that died', async () => {
    const [a, b] = [make({ leaseMs: 3000 }), make({ leaseMs: 3000 })];
    const lease = await a.acquire();
    await store.takePermits({
      limiter: 'reports',
      key: '',
      calls: [{ lease: 'of a dead process', cost: 1 }],
      limit: 2,
      leaseMs: 3000,
    });
    expect(await b.tryAcquire()).toBeUndefined();
    await clock.advance(3000);
    expect(await b.tryAcquire()).toBeDefined();
    await clock.advance(10_000);
    expect(await b.tryAcquire()).toBeUndefined();
    lease.release();
    await settle();
    expect(await b.tryAcquire()).toBeDefined();
  });

  it('renews only while a permit is held, and without keeping the process alive', async () => {
    const a = make();
    const lease = await a.acquire();
    expect(clock.pendingRefed).toBe(0);
    expect(clock.pending).toBe(1);
    lease.release();
    await settle();
    expect(clock.pending).toBe(0);
  });

  it('gives the permit back when the operation fails and when it succeeds', async () => {
    const a = make({ limit: 1 });
    await expect(a.execute(() => 1)).resolves.toBe(1);
    await expect(a.execute(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    await settle();
    expect(a.stats().inFlight).toBe(0);
    expect(await a.tryAcquire()).toBeDefined();
  });

  it('gives back a permit that is granted after its caller aborted', async () => {
    const a = make({ limit: 1 });
    store.hold();
    const controller = new AbortController();
    const gone = a.acquire({ signal: controller.signal }).catch((error: unknown) => error);
    await settle();
    controller.abort('gone');
    expect(await gone).toBe('gone');
    store.resume();
    await settle();
    expect(await a.tryAcquire()).toBeDefined();
  });

  it('refuses fractions of permits, and more than the limit', async () => {
    const a = make();
    await expect(a.acquire({ cost: 1.5 })).rejects.toThrow(/cost must be an integer >= 1, got 1.5/);
    await expect(a.acquire({ cost: 3 })).rejects.toMatchObject({ reason: 'cost' });
    const lease = await a.acquire({ cost: 2, key: 'x' });
    expect(await a.tryAcquire({ key: 'x' })).toBeUndefined();
    lease.release();
  });

  it('refuses a wait beyond maxWaitMs, and a call beyond maxQueue', async () => {
    const a = make({ limit: 1, maxQueue: 1 });
    await a.acquire();
    const waiting = a.acquire({ maxWaitMs: 120 }).catch((error: unknown) => error);
    await settle();
    await expect(a.acquire()).rejects.toMatchObject({ reason: 'queue-full' });
    await clock.advance(200);
    expect(await waiting).toMatchObject({ reason: 'deadline' });
    expect(a.stats()).toMatchObject({ queued: 0, rejected: 2 });
  });

  it('enforces the share of one process while the store is unavailable', async () => {
    const a = make({ limit: 4, nodes: 2 });
    store.fail();
    const leases = [await a.tryAcquire(), await a.tryAcquire()];
    expect(await a.tryAcquire()).toBeUndefined();
    leases[0]?.release();
    await expect(a.execute(() => 'share')).resolves.toBe('share');
    const closed = make({ onStoreFailure: 'closed' });
    await expect(closed.acquire()).rejects.toBeInstanceOf(StoreUnavailableError);
    const open = make({ onStoreFailure: 'open', limit: 1 });
    for (let i = 0; i < 5; i++) expect(await open.tryAcquire()).toBeDefined();
  });

  it.each([
    [{ limit: 1.5 }, /limit must be an integer >= 1, got 1.5/],
    [{ leaseMs: 29 }, /leaseMs must be a finite number >= 30, got 29/],
    [{ pollIntervalMs: 0 }, /pollIntervalMs must be a finite number >= 1, got 0/],
    [{ windowMs: 5 }, /unknown option 'windowMs'/],
    [{ name: undefined }, /sharedConcurrency: name must be given/],
  ])('refuses %o', (options, message) => {
    expect(() => make(options as never)).toThrow(message);
  });
});
