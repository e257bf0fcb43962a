import { ManualClock, settle } from '@temper/testkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MemoryRateLimitStore } from '../memory-store.ts';
import { sharedConcurrency } from '../shared-concurrency.ts';
import { sharedRateLimit } from '../shared-rate-limit.ts';
import type { RateLimitStore } from '../store.ts';
import { sharedAllOf } from './shared-all-of.ts';

const WINDOW = 1000;
const PERMITS = 3;

/** A store that takes its time, each way, and may lack the joint method. */
function remote(store: RateLimitStore, clock: ManualClock, tripMs: () => number, joint: boolean) {
  return new Proxy(store, {
    get: (_, name: keyof RateLimitStore) => {
      if (name === 'takeAll' && !joint) return undefined;
      return async (request: never) => {
        await clock.sleep(tripMs());
        const answer = await (store[name] as (request: never) => unknown)(request);
        await clock.sleep(tripMs());
        return answer;
      };
    },
  });
}

const call = fc.record({
  process: fc.nat(2),
  limits: fc.constantFrom('ab', 'b', 'p', 'abp', 'bp', 'ap'),
  at: fc.integer({ min: 0, max: 2000 }),
  cost: fc.integer({ min: 1, max: 2 }),
  runsMs: fc.integer({ min: 0, max: 200 }),
  settles: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  abortMs: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined, freq: 4 }),
  fails: fc.boolean(),
});

it('exceeds no limit, serves every call that waits, and loses nothing, in several processes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { maxLength: 40 }),
      fc.array(fc.constantFrom(0, 1, 7, 20), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (calls, trips, joint) => {
        const clock = new ManualClock();
        const memory = new MemoryRateLimitStore(clock);
        let trip = 0;
        const tripMs = () => trips[trip++ % trips.length]!;
        let running = 0;
        let most = 0;
        /** When units of `b`, a fixed window, were used. */
        const used: { at: number; units: number }[] = [];
        const processes = [0, 1, 2].map(() => {
          const store = remote(memory, clock, tripMs, joint);
          const common = { store, clock, nodes: 1, onStoreFailure: 'closed' as const };
          const a = sharedRateLimit({
            ...common,
            name: 'a',
            limit: 20,
            windowMs: WINDOW,
            burst: 4,
          });
          const b = sharedRateLimit({
            ...{ ...common, name: 'b', limit: 8, windowMs: WINDOW },
            algorithm: 'fixed-window',
          });
          const p = sharedConcurrency({ ...common, name: 'p', limit: PERMITS });
          const key = (name: string) => (given?: string) =>
            given?.includes(name) ? 'k' : undefined;
          return sharedAllOf({
            clock,
            limits: [
              { limiter: a, key: key('a') },
              { limiter: b, key: key('b') },
              { limiter: p, key: key('p') },
            ],
          });
        });
        const all = calls.map(async (each) => {
          await clock.sleep(each.at);
          const controller = new AbortController();
          if (each.abortMs !== undefined) {
            clock.schedule(() => controller.abort('gone'), each.abortMs);
          }
          const api = processes[each.process]!;
          const options = { key: each.limits, cost: each.cost, signal: controller.signal };
          const units = each.limits.includes('p') ? each.cost : 0;
          if (each.settles !== undefined) {
            const lease = await api.acquire(options).catch(() => undefined);
            if (lease === undefined) return;
            await lease.settle?.(each.settles);
            lease.release();
            return;
          }
          const outcome = await api.tryExecute(async () => {
            if (each.limits.includes('b')) used.push({ at: clock.monotonic(), units: each.cost });
            running += units;
            most = Math.max(most, running);
            await clock.sleep(each.runsMs);
            running -= units;
            if (each.fails) throw new Error('failed');
          }, options);
          if (outcome.ok) return;
          // Nothing but its caller and its own failure ends a call: none waits for ever.
          expect(['gone', 'failed']).toContain((outcome.error as Error).message ?? outcome.error);
        });
        const done = Promise.all(all);
        for (let i = 0; i < 300; i++) await clock.advance(100);
        await done;
        await settle();
        expect(most).toBeLessThanOrEqual(PERMITS);
        for (const { at: from } of used) {
          let sum = 0;
          for (const { at, units } of used) if (at >= from && at < from + WINDOW) sum += units;
          // Two windows can meet within this time, and answers are on their way.
          expect(sum).toBeLessThanOrEqual(16 + 8);
        }
        for (const api of processes)
          expect(api.stats()).toMatchObject({ queued: 0, unavailable: 0 });
        // After a rest all units and permits are back.
        const bucket = { kind: 'token-bucket', limit: 20, windowMs: WINDOW, burst: 4 } as const;
        const window = { kind: 'fixed-window', limit: 8, windowMs: WINDOW } as const;
        const k = { key: 'k', calls: [] };
        expect(await memory.take({ limiter: 'a', rule: bucket, ...k })).toMatchObject({
          remaining: 4,
        });
        expect(await memory.take({ limiter: 'b', rule: window, ...k })).toMatchObject({
          remaining: 8,
        });
        const permits = { limiter: 'p', limit: PERMITS, leaseMs: 30_000, ...k };
        expect(await memory.takePermits(permits)).toMatchObject({ inUse: 0 });
      },
    ),
    { numRuns: 60 },
  );
});
