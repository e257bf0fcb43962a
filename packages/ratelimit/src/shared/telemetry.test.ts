import { SpanStatusCode } from '@opentelemetry/api';
import { ManualClock, settle } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';

let clock: ManualClock;
let store: FaultyStore;
let telemetry: InMemoryTelemetry;
let names = 0;
let name: string;
beforeEach(() => {
  clock = new ManualClock();
  store = new FaultyStore(new MemoryRateLimitStore(clock));
  telemetry = new InMemoryTelemetry();
  name = `shared-${names++}`;
});
afterEach(() => telemetry.close());

const make = (more = {}) =>
  sharedRateLimit({ name, store, clock, limit: 10, windowMs: 1000, burst: 1, nodes: 1, ...more });
const value = (metric: string, where: Record<string, string> = {}) =>
  telemetry.value(`temper.ratelimit.${metric}`, { 'temper.policy.name': name, ...where });
const requests = (outcome: string) => value('requests', { 'temper.outcome': outcome });

describe('the telemetry of a shared limiter', () => {
  it('counts each call once, whether the store or a fallback decided', async () => {
    const limiter = make({ maxQueue: 2 });
    await limiter.execute(() => 1);
    const waiting = limiter.execute(() => 1);
    await settle();
    await limiter.acquire({ maxWaitMs: 50 }).catch(() => undefined);
    await clock.advance(100);
    await waiting;
    store.fail();
    await limiter.execute(() => 1);
    await limiter.take();
    expect(await requests('allowed')).toBe(2);
    expect(await requests('delayed')).toBe(1);
    const rejected = await telemetry.points('temper.ratelimit.requests', {
      'temper.policy.name': name,
      'temper.outcome': 'rejected',
    });
    expect(
      rejected
        .filter((point) => point.value !== 0)
        .map((point) => [point.attributes['temper.ratelimit.reason'], point.value]),
    ).toEqual([
      ['limit', 1],
      ['deadline', 1],
    ]);
  });

  it('counts the errors of the store by type, and the fallbacks by mode', async () => {
    store.fail(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
    for (const onStoreFailure of ['local', 'open', 'closed'] as const) {
      await make({ onStoreFailure })
        .acquire()
        .catch(() => undefined);
      const where = { 'temper.ratelimit.fallback': onStoreFailure };
      expect(await value('store.fallbacks', where)).toBe(1);
    }
    expect(await value('store.errors', { 'error.type': 'ECONNREFUSED' })).toBe(3);
    expect(await requests('unavailable')).toBe(1);
    const refused = await telemetry.points('temper.ratelimit.requests', {
      'temper.policy.name': name,
      'temper.outcome': 'rejected',
    });
    expect(refused.filter((point) => point.value !== 0)).toEqual([]);
  });

  it('shows waiting calls and held permits, in the store and while it is unavailable', async () => {
    const limiter = make();
    await limiter.acquire();
    const all = [limiter.acquire(), limiter.acquire()];
    await settle();
    expect(await value('queued')).toBe(2);
    expect(await value('limit')).toBe(10);
    await clock.advance(200);
    await Promise.all(all);
    store.fail();
    await limiter.acquire();
    const local = limiter.acquire();
    await settle();
    expect(await value('queued')).toBe(1);
    await clock.advance(100);
    await local;

    store.recover();
    name += '-permits';
    const bulkhead = sharedConcurrency({ name, store, clock, limit: 3, nodes: 1 });
    const lease = await bulkhead.acquire({ cost: 2 });
    expect(await value('in_flight')).toBe(2);
    lease.release();
    expect(await value('in_flight')).toBe(0);
  });

  it('has spans of waits and refusals, dated back, and none of calls that pass at once', async () => {
    const limiter = make({ onStoreFailure: 'closed', spans: 'all' });
    await limiter.execute(() => 1);
    expect(telemetry.spans).toEqual([]);
    const waiting = limiter.execute(() => 1, { operation: 'charge' });
    await clock.advance(100);
    await waiting;
    store.fail(new Error('gone'));
    await limiter.execute(() => 1).catch(() => undefined);
    const [waited, refused] = telemetry.spans;
    expect(waited).toMatchObject({
      name: `ratelimit ${name}`,
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'temper.outcome': 'delayed', 'temper.operation': 'charge' },
    });
    expect(waited!.duration[1] / 1e6).toBeCloseTo(100);
    expect(refused).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'temper.outcome': 'unavailable', 'error.type': 'STORE_UNAVAILABLE' },
    });
    expect(telemetry.spans).toHaveLength(2);
  });

  it('has no key in any attribute', async () => {
    const limiter = make();
    await limiter.tryAcquire({ key: 'somebody@example.org' });
    store.fail();
    await limiter.tryAcquire({ key: 'somebody@example.org' });
    const all = JSON.stringify([...(await telemetry.metrics())]);
    expect(all).toContain(name);
    expect(all).not.toContain('somebody');
  });
});
