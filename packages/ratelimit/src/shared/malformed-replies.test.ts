import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from './errors.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';
import type { RateLimitStore } from './store.ts';

let clock: ManualClock;
let requests: number;
beforeEach(() => {
  clock = new ManualClock();
  requests = 0;
});

/** A store one of whose methods returns this. */
function replying(method: keyof RateLimitStore, reply: unknown): RateLimitStore {
  const store = new MemoryRateLimitStore(clock);
  const answer = async (): Promise<unknown> => {
    requests++;
    return reply;
  };
  return Object.assign(store, { [method]: answer }) as RateLimitStore;
}

const closed = { name: 'api', onStoreFailure: 'closed', nodes: 1, limit: 10 } as const;
const state = { remaining: 0, resetMs: 10 };
const answering = (answer: unknown) => ({ answers: [answer], ...state });
const taken = { taken: true, waitMs: 0, receipt: '' };

const malformed: unknown[] = [
  undefined,
  null,
  'OK',
  {},
  { answers: 'x', ...state },
  { answers: [], ...state },
  { answers: [taken, taken], ...state },
  { answers: [taken] },
  { answers: [taken], remaining: Number.NaN, resetMs: 0 },
  { answers: [taken], remaining: 1, resetMs: -1 },
  ...[
    null,
    true,
    {},
    { taken: false },
    { taken: 'false', retryAfterMs: 10 },
    { taken: false, retryAfterMs: 10, askAgainMs: Number.NaN },
    { taken: false, retryAfterMs: 10, askAgainMs: 'soon' },
    ...[Number.NaN, 'soon', -1, Number.POSITIVE_INFINITY, 1e300, null].flatMap((ms) => [
      { taken: false, retryAfterMs: ms },
      { ...taken, waitMs: ms },
    ]),
    { ...taken, receipt: undefined },
  ].map(answering),
];

describe('a malformed reply of a store', () => {
  const algorithms = ['token-bucket', 'gcra', 'sliding-window', 'fixed-window'] as const;
  const cases = algorithms.flatMap((algorithm) => malformed.map((reply) => ({ algorithm, reply })));

  it.each(cases)('is a failure of the store: $algorithm, $reply', async ({ algorithm, reply }) => {
    const limiter = sharedRateLimit({
      ...closed,
      algorithm,
      store: replying('take', reply),
      clock,
    });
    await expect(limiter.acquire()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(limiter.take()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(limiter.execute(() => 1)).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(requests).toBe(3);
    expect(limiter.stats().queued).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it.each([
    undefined,
    null,
    {},
    { granted: true, inUse: 1, expiryMs: 1 },
    { granted: 2, inUse: 1, expiryMs: 1 },
    { granted: 0.5, inUse: 1, expiryMs: 1 },
    { granted: 1, inUse: Number.NaN, expiryMs: 1 },
    { granted: 0, inUse: 1, expiryMs: 'soon' },
    { granted: 0, inUse: 1, expiryMs: -1 },
  ])('is a failure of the store: permits, %j', async (reply) => {
    const store = replying('takePermits', reply);
    const limiter = sharedConcurrency({ ...closed, store, clock });
    await expect(limiter.acquire()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(limiter.take()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(limiter.peek()).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(requests).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it.each([undefined, null, Number.NaN, 'two', -1, 1.5, '9', 1e300])(
    'is no number of processes: %j',
    async (reply) => {
      const store = replying('announce', reply);
      const limiter = sharedRateLimit({ name: 'api', store, clock, limit: 10, expectedNodes: 3 });
      await limiter.take();
      await clock.advance(60_000);
      await limiter.take();
      await settle();
      expect(limiter.stats().nodes).toBe(3);
    },
  );
});

describe('the time that a store gives', () => {
  it.each([0, 1e-9, 0.5])('is at least 1 ms until it is asked again: %j', async (retryAfterMs) => {
    const store = replying('take', answering({ taken: false, retryAfterMs }));
    const algorithm = 'fixed-window';
    const limiter = sharedRateLimit({ ...closed, algorithm, store, clock });
    const refused = expect(limiter.acquire({ maxWaitMs: 5 })).rejects.toMatchObject({
      reason: 'deadline',
    });
    await clock.advance(10);
    await refused;
    expect(requests).toBeLessThanOrEqual(6);
    expect(clock.pending).toBe(0);
  });

  it('is no longer than the call can wait', async () => {
    const store = replying('take', answering({ ...taken, waitMs: 102 }));
    const limiter = sharedRateLimit({ ...closed, store, clock });
    await expect(limiter.acquire({ maxWaitMs: 100 })).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(clock.pending).toBe(0);
  });

  it('is no longer than the call can still wait when the answer arrives', async () => {
    const gate = Promise.withResolvers<void>();
    const returned: unknown[] = [];
    const inner = new MemoryRateLimitStore(clock);
    const store = Object.assign(inner, {
      take: async () => {
        await gate.promise;
        return answering({ taken: true, waitMs: 90, receipt: 'r' });
      },
      giveBack: async ({ receipt }: { receipt: string }) => void returned.push(receipt),
    }) as RateLimitStore;
    const limiter = sharedRateLimit({ ...closed, store, clock });
    const refused = expect(limiter.acquire({ maxWaitMs: 100 })).rejects.toMatchObject({
      reason: 'deadline',
      retryAfterMs: 90,
    });
    await clock.advance(50);
    gate.resolve();
    await refused;
    await settle();
    expect(returned).toEqual(['r']);
    expect(clock.pending).toBe(0);
  });
});
