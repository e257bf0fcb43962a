import { ManualClock, settle } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  allOf,
  concurrency,
  fixedWindow,
  gcra,
  keyed,
  slidingWindow,
  tokenBucket,
} from '../index.ts';
import type { Lease, Limiter } from '../limiter.ts';

const KEYS = ['a', 'b', 'c'];
const WINDOW = 1000;

/** The limits of one key as plain sums over what was taken, for tenths of a second and whole units. */
class Model {
  readonly taken: { at: number; units: number; back: boolean }[] = [];
  readonly held: Set<object> = new Set();

  sum(from: number): number {
    let units = 0;
    for (const each of this.taken) if (each.at >= from && !each.back) units += each.units;
    return units;
  }
}

const FIXED = 5;
const BURST = 3;
const PERMITS = 4;

/** A bucket that is filled in whole steps: one unit every 200 ms. */
class Bucket {
  #tokens = BURST;
  #at = 0;

  at(now: number): number {
    this.#tokens = Math.min(BURST, this.#tokens + (now - this.#at) / 200);
    this.#at = now;
    return this.#tokens;
  }

  add(units: number, now: number): void {
    this.#tokens = Math.min(BURST, this.at(now) + units);
  }
}

type Step =
  | { readonly kind: 'take'; readonly key: string; readonly cost: number }
  | { readonly kind: 'alone'; readonly key: string; readonly limit: 0 | 1 | 2 }
  | { readonly kind: 'settle' | 'release'; readonly place: number; readonly cost: number }
  | { readonly kind: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('take' as const),
    key: fc.constantFrom(...KEYS),
    cost: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    kind: fc.constant('alone' as const),
    key: fc.constantFrom(...KEYS),
    limit: fc.constantFrom(0, 1, 2),
  }),
  fc.record({
    kind: fc.constantFrom('settle' as const, 'release' as const),
    place: fc.nat(20),
    cost: fc.integer({ min: 0, max: 2 }),
  }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 200, 500, 1000) }),
);

it('decides as its limits do that are asked one after another, and takes from all or none', () => {
  const reach = new Reach('allowed', 'token-bucket', 'fixed-window', 'concurrency');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new ManualClock();
      const bucket = keyed({
        template: tokenBucket({ clock, limit: 5, windowMs: WINDOW, burst: BURST }),
      });
      const window = fixedWindow({ clock, limit: FIXED, windowMs: WINDOW });
      const permits = concurrency({ clock, limit: PERMITS });
      const group = allOf({
        clock,
        limits: [{ limiter: bucket }, { limiter: window }, { limiter: permits }],
      });
      const start = clock.monotonic();
      const now = () => clock.monotonic() - start;
      const buckets = new Map(KEYS.map((key) => [key, new Bucket()]));
      const model = new Model();
      let inUse = 0;
      const leases: {
        lease: Lease;
        entry: Model['taken'][number] | undefined;
        key: string | undefined;
        cost: number;
        permits: number;
        settled: boolean;
      }[] = [];
      const windowStart = () => Math.floor(now() / WINDOW) * WINDOW;
      const windowLeft = () => FIXED - model.sum(windowStart());

      for (const each of steps) {
        if (each.kind === 'pass') {
          clock.jump(each.ms);
        } else if (each.kind === 'take') {
          const { key, cost } = each;
          const mine = buckets.get(key)!;
          const fits =
            mine.at(now()) + 1e-6 >= cost && windowLeft() >= cost && inUse + cost <= PERMITS;
          const decision = group.take({ key, cost });
          expect(decision.allowed).toBe(fits);
          if (decision.lease === undefined) {
            expect(['token-bucket', 'fixed-window', 'concurrency']).toContain(decision.refusedBy);
            reach.count(decision.refusedBy as 'concurrency');
          } else {
            reach.count('allowed');
            mine.add(-cost, now());
            const entry = { at: now(), units: cost, back: false };
            model.taken.push(entry);
            inUse += cost;
            leases.push({
              lease: decision.lease,
              entry,
              key,
              cost,
              permits: cost,
              settled: false,
            });
          }
        } else if (each.kind === 'alone') {
          const { key } = each;
          if (each.limit === 0) {
            const passed = bucket.tryAcquire({ key }) !== undefined;
            expect(passed).toBe(buckets.get(key)!.at(now()) + 1e-6 >= 1);
            if (passed) buckets.get(key)!.add(-1, now());
          } else if (each.limit === 1) {
            const passed = window.tryAcquire() !== undefined;
            expect(passed).toBe(windowLeft() >= 1);
            if (passed) model.taken.push({ at: now(), units: 1, back: false });
          } else {
            const lease = permits.tryAcquire();
            expect(lease !== undefined).toBe(inUse + 1 <= PERMITS);
            if (lease !== undefined) {
              inUse++;
              leases.push({
                lease,
                entry: undefined,
                key: undefined,
                cost: 1,
                permits: 1,
                settled: true,
              });
            }
          }
        } else if (leases.length > 0) {
          const held = leases[each.place % leases.length]!;
          if (each.kind === 'release') {
            held.lease.release();
            inUse -= held.permits;
            held.permits = 0;
          } else {
            void held.lease.settle?.(each.cost);
            if (!held.settled) {
              held.settled = true;
              const more = each.cost - held.cost;
              const mine = buckets.get(held.key!)!;
              if (more < 0) {
                mine.add(-more, now());
                if (held.entry!.at >= windowStart()) held.entry!.units += more;
              } else {
                mine.add(-Math.min(more, Math.max(0, mine.at(now()))), now());
                model.taken.push({
                  at: now(),
                  units: Math.min(more, Math.max(0, windowLeft())),
                  back: false,
                });
              }
            }
          }
        }
        expect(permits.stats().inFlight).toBe(inUse);
        expect(window.peek().remaining).toBe(Math.max(0, windowLeft()));
        for (const key of KEYS) {
          expect(bucket.peek({ key }).remaining).toBe(
            Math.max(0, Math.floor(buckets.get(key)!.at(now()) + 1e-6)),
          );
        }
      }
    }),
    { numRuns: 400 },
  );
  reach.expectAll(50);
});

const KINDS: readonly ((clock: ManualClock, name: string) => Limiter)[] = [
  (clock, name) => tokenBucket({ name, clock, limit: 10, windowMs: WINDOW, burst: 2 }),
  (clock, name) => gcra({ name, clock, limit: 8, windowMs: WINDOW, burst: 3 }),
  (clock, name) => fixedWindow({ name, clock, limit: 4, windowMs: WINDOW }),
  (clock, name) => slidingWindow({ name, clock, limit: 5, windowMs: WINDOW }),
  (clock, name) => concurrency({ name, clock, limit: 2 }),
];

it('serves every call that waits, however groups overlap, and loses no unit', async () => {
  const pick = fc.uniqueArray(fc.nat(KINDS.length - 1), { minLength: 1, maxLength: 4 });
  const call = fc.record({
    group: fc.nat(2),
    at: fc.integer({ min: 0, max: 2000 }),
    runsMs: fc.integer({ min: 0, max: 300 }),
    abortMs: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined, freq: 4 }),
    fails: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(pick, pick, pick),
      fc.array(call, { maxLength: 40 }),
      async (picks, calls) => {
        const clock = new ManualClock();
        const limiters = KINDS.map((make, i) => make(clock, `limit-${i}`));
        const groups = picks.map((places) =>
          allOf({ clock, limits: places.map((place) => ({ limiter: limiters[place]! })) }),
        );
        const outcomes = await (async () => {
          const running = calls.map(async ({ group, at, runsMs, abortMs, fails }) => {
            await new Promise<void>((resolve) => clock.schedule(resolve, at));
            const controller = new AbortController();
            if (abortMs !== undefined) clock.schedule(() => controller.abort('gone'), abortMs);
            const outcome = await groups[group]!.tryExecute(
              async () => {
                await new Promise<void>((resolve) => clock.schedule(resolve, runsMs));
                if (fails) throw new Error('failed');
              },
              { signal: controller.signal },
            );
            return { group, outcome };
          });
          const all = Promise.all(running);
          for (let i = 0; i < 400; i++) {
            await clock.advance(100);
            await settle();
          }
          return all;
        })();
        for (const { outcome } of outcomes) {
          if (outcome.ok) continue;
          // Nothing but its caller and its own failure ends a call: none waits for ever.
          expect(['gone', 'failed']).toContain((outcome.error as Error).message ?? outcome.error);
        }
        for (const [place, limiter] of limiters.entries()) {
          const { allowed, delayed } = limiter.stats() as { allowed: number; delayed: number };
          let passed = 0;
          for (const [i, group] of groups.entries()) {
            if (!picks[i]!.includes(place)) continue;
            const stats = group.stats();
            passed += stats.allowed + stats.delayed;
          }
          // What the groups let pass is what each of their limits counts: nothing was granted twice or in vain.
          expect(allowed + delayed).toBe(passed);
          expect(limiter.peek()).toMatchObject({ remaining: expect.any(Number) });
        }
        expect(limiters[4]!.stats()).toMatchObject({ inFlight: 0 });
        for (const group of groups) expect(group.stats().queued).toBe(0);
        // After a rest every limit has all its units again.
        clock.jump(10 * WINDOW);
        for (const limiter of limiters) {
          const { remaining } = limiter.peek();
          for (let i = 0; i < remaining; i++) expect(limiter.tryAcquire()).toBeDefined();
          expect(limiter.tryAcquire()).toBeUndefined();
        }
      },
    ),
    { numRuns: 60 },
  );
});
