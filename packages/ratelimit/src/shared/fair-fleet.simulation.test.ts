import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { fairQueue } from '../wait/fair-queue.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import type { SharedRateLimitOptions } from './options.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';

const PROCESSES = 3;
const SECONDS = 20;
/** Nobody is measured before. */
const WARM_UP_MS = 3000;

interface Fleet {
  readonly rule: Pick<SharedRateLimitOptions, 'algorithm' | 'limit' | 'windowMs' | 'burst'>;
  /** How many calls each caller has waiting in each process, all the time. */
  readonly greedy: Readonly<Record<string, number>>;
  /** How many modest callers there are, and how often each begins a call, in one process after another. */
  readonly modest: number;
  readonly everyMs: number;
  readonly weight?: (caller: string) => number;
  readonly fair?: boolean;
}

/** Plays processes that share a store, and counts what callers get per second, and how long they wait. */
async function play({ rule, greedy, modest, everyMs, weight, fair = true }: Fleet) {
  const clock = new ManualClock();
  const store = new MemoryRateLimitStore(clock);
  const take = store.take.bind(store);
  let requests = 0;
  store.take = (request) => {
    requests++;
    return take(request);
  };
  const queue = fairQueue(weight === undefined ? {} : { weight });
  const limiters = Array.from({ length: PROCESSES }, () =>
    sharedRateLimit({
      name: 'api',
      store,
      clock,
      nodes: PROCESSES,
      ...rule,
      ...(fair ? { queue } : {}),
    }),
  );
  // Without fair order, all callers together have one limit too.
  const keyOf = (caller: string) => (fair ? { key: caller } : {});
  const got = new Map<string, number>();
  const waits: number[] = [];
  let through = 0;
  const end = clock.monotonic() + WARM_UP_MS + SECONDS * 1000;
  const begin = clock.monotonic() + WARM_UP_MS;
  const served = (caller: string): void => {
    if (clock.monotonic() < begin || clock.monotonic() >= end) return;
    got.set(caller, (got.get(caller) ?? 0) + 1);
    through++;
  };
  for (const [caller, waiting] of Object.entries(greedy)) {
    for (const limiter of limiters) {
      for (let i = 0; i < waiting; i++) {
        void (async () => {
          while (clock.monotonic() < end) {
            await limiter.acquire(keyOf(caller));
            served(caller);
          }
        })();
      }
    }
  }
  let asked = 0;
  for (let i = 0; i < modest; i++) {
    void (async () => {
      await clock.sleep((i * everyMs) / modest);
      for (let turn = i; clock.monotonic() < end - 2000; turn++) {
        const since = clock.monotonic();
        if (since >= begin) asked++;
        void limiters[turn % PROCESSES]!.acquire(keyOf(`modest ${i}`)).then(() => {
          served(`modest ${i}`);
          if (since >= begin) waits.push(clock.monotonic() - since);
        });
        await clock.sleep(everyMs);
      }
    })();
  }
  while (clock.monotonic() < end) await clock.advance(5);
  waits.sort((a, b) => a - b);
  const quantile = (q: number): number =>
    waits[Math.min(waits.length - 1, Math.floor(q * waits.length))] ?? 0;
  return {
    perSecond: through / SECONDS,
    got: Object.fromEntries([...got].map(([caller, units]) => [caller, units / SECONDS])),
    asked,
    answered: waits.length,
    p95: quantile(0.95),
    requestsPerSecond: requests / (SECONDS + WARM_UP_MS / 1000),
  };
}

const RULES = [
  ['a token bucket', { algorithm: 'token-bucket', limit: 100, windowMs: 1000, burst: 1 }],
  ['a bucket per minute', { algorithm: 'token-bucket', limit: 6000, windowMs: 60_000, burst: 10 }],
  ['a sliding window', { algorithm: 'sliding-window', limit: 100, windowMs: 1000 }],
  ['a fixed window', { algorithm: 'fixed-window', limit: 100, windowMs: 1000 }],
] as const;

describe.each(RULES)('three processes and %s', (_, rule) => {
  const bucket = 'burst' in rule;
  /** A sliding window of ten segments lets through ten elevenths under constant demand. */
  const whole = rule.algorithm === 'sliding-window' ? 89 : 99;

  it('give modest callers what they ask for, and one with 300 calls the rest', async () => {
    const fleet = { rule, greedy: { greedy: 100 }, modest: 10, everyMs: 500 };
    const fair = await play(fleet);
    expect(fair.answered).toBe(fair.asked);
    expect(fair.perSecond).toBeGreaterThan(whole);
    // A window refuses until it moves on.
    expect(fair.p95).toBeLessThanOrEqual(bucket ? 150 : 1000);
    // In order of arrival, most of them wait longer than they are measured.
    const unfair = await play({ ...fleet, fair: false });
    expect(unfair.answered).toBeLessThan(0.5 * unfair.asked);
  });

  it('divide what two callers want evenly, however many calls wait', async () => {
    const { got, perSecond } = await play({
      rule,
      greedy: { a: 100, b: 40 },
      modest: 0,
      everyMs: 500,
    });
    expect(perSecond).toBeGreaterThan(whole);
    expect(got.a! / got.b!).toBeGreaterThan(0.8);
    expect(got.a! / got.b!).toBeLessThan(1.25);
  });

  it('divide by weight', async () => {
    const weight = (caller: string): number => (caller === 'b' ? 3 : 1);
    const greedy = { a: 100, b: 100 };
    const { got, perSecond } = await play({ rule, greedy, modest: 0, everyMs: 500, weight });
    expect(perSecond).toBeGreaterThan(whole);
    expect(got.b! / got.a!).toBeGreaterThan(2.4);
    expect(got.b! / got.a!).toBeLessThan(3.6);
  });

  it('leave the whole limit to one caller, with few requests', async () => {
    const { perSecond, requestsPerSecond } = await play({
      ...{ rule, greedy: { a: 100 }, modest: 0, everyMs: 500 },
    });
    expect(perSecond).toBeGreaterThan(whole);
    expect(requestsPerSecond).toBeLessThan(1.2 * perSecond);
  });
});
