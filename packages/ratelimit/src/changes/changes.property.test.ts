import { ManualClock } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { keyed } from '../keyed/keyed.ts';
import type { KeyedRateLimiter } from '../keyed/options.ts';
import { fixedWindow } from '../limiters/fixed-window.ts';
import { gcra } from '../limiters/gcra.ts';
import { slidingWindow } from '../limiters/sliding-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { MemoryRateLimitStore } from '../shared/memory-store.ts';
import { type SharedRateLimiter, sharedRateLimit } from '../shared/shared-rate-limit.ts';
import type { RatePlan } from './rate-plans.ts';

const BUDGET_MS = 1000;
/** How far ahead a shared bucket grants places. */
const AHEAD_MS = 1000;
const START: Rule = { limit: 10, windowMs: 10_000 };
const BURST = 5;

interface Rule {
  readonly limit: number;
  readonly windowMs: number;
}

let clock: ManualClock;
let plan: RatePlan | undefined;
beforeEach(() => {
  clock = new ManualClock();
  plan = undefined;
});

const templates = {
  'token-bucket': () => tokenBucket({ clock, ...START, burst: BURST }),
  gcra: () => gcra({ clock, ...START, burst: BURST }),
  'sliding-window': () => slidingWindow({ clock, ...START }),
  'fixed-window': () => fixedWindow({ clock, ...START }),
};
type Kind = keyof typeof templates;
const isBucket = (kind: Kind): boolean => kind === 'token-bucket' || kind === 'gcra';

type Limits = KeyedRateLimiter | SharedRateLimiter;
type Home = 'local' | 'exact' | 'leased';

/** Limiters of one limit: one process, or two of them. */
function make(kind: Kind, home: Home): Limits[] {
  if (home === 'local') return [keyed({ template: templates[kind](), plan: () => plan })];
  const store = new MemoryRateLimitStore(clock);
  const process = (): SharedRateLimiter =>
    sharedRateLimit({
      ...{ name: 'api', store, clock, nodes: 2, algorithm: kind, mode: home, budgetMs: BUDGET_MS },
      ...{ ...START, ...(isBucket(kind) ? { burst: BURST } : {}), plan: () => plan },
    });
  return [process(), process()];
}

/** How long a key can be used up under a rule. */
const longest = (kind: Kind, { limit, windowMs }: Rule, burst: number): number => {
  if (isBucket(kind)) return (burst * windowMs) / limit + AHEAD_MS;
  return kind === 'sliding-window' ? windowMs * 1.1 : windowMs;
};

const step = fc.oneof(
  fc.record({ do: fc.constant('take'), n: fc.integer({ min: 1, max: 5 }), at: fc.nat(1) }),
  fc.record({ do: fc.constant('take'), n: fc.integer({ min: 1, max: 5 }), at: fc.nat(1) }),
  fc.record({ do: fc.constant('pass'), n: fc.constantFrom(1, 50, 1000, 60_000), at: fc.nat(1) }),
  fc.record({ do: fc.constant('limit'), n: fc.constantFrom(5, 10, 40, 400), at: fc.nat(1) }),
  fc.record({ do: fc.constant('windowMs'), n: fc.constantFrom(500, 10_000, 9e5), at: fc.nat(1) }),
  fc.record({ do: fc.constant('burst'), n: fc.constantFrom(5, 50), at: fc.nat(1) }),
  fc.record({ do: fc.constant('penalty'), n: fc.integer({ min: 1, max: 20 }), at: fc.nat(1) }),
  fc.record({ do: fc.constant('reward'), n: fc.integer({ min: 1, max: 20 }), at: fc.nat(1) }),
  fc.record({ do: fc.constant('block'), n: fc.constantFrom(0, 500, 5000), at: fc.nat(1) }),
  fc.record({ do: fc.constant('reset'), n: fc.constant(0), at: fc.nat(1) }),
);

const places = (Object.keys(templates) as Kind[]).flatMap((kind) =>
  (['local', 'exact', 'leased'] as const).map((home) => [kind, home] as const),
);

/** The plan that sets this rule: windows have no burst. */
function planOf(kind: Kind, rule: Rule & { readonly burst: number }): RatePlan {
  const { burst, ...window } = rule;
  return isBucket(kind) ? { ...window, burst } : window;
}

describe.each(places)('a %s, %s', (kind, home) => {
  it('refuses no key for longer than its rule or block can mean, whatever changes', async () => {
    const reach = new Reach('allowed', 'refused', 'blocked');
    const property = fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      clock = new ManualClock();
      plan = undefined;
      const limits = make(kind, home);
      let rule = { ...START, burst: BURST };
      let blockedUntil = 0;
      const key = 'ann';
      for (const { do: what, n, at } of steps) {
        const here = limits[at % limits.length]!;
        if (what === 'pass') await clock.advance(n);
        else if (what === 'limit' || what === 'windowMs' || what === 'burst') {
          rule = { ...rule, [what]: n };
          plan = planOf(kind, rule);
        } else if (what === 'reset') {
          await here.reset({ key });
          blockedUntil = 0;
        } else if (what !== 'take') {
          await here[what as 'block'](n, { key });
          if (what === 'block') blockedUntil = clock.monotonic() + n;
        } else {
          // With `leased`, a process knows of another one's change after `budgetMs` only.
          const stale = home === 'leased' ? BUDGET_MS : 0;
          const blockMs = blockedUntil - clock.monotonic();
          const most = Math.max(longest(kind, rule, rule.burst), blockMs, stale);
          const { allowed, retryAfterMs } = await here.take({ key, cost: n });
          reach.count(allowed ? 'allowed' : 'refused');
          reach.count('blocked', !allowed && blockMs > 0);
          // With `leased`, a process may use its share of units for a while after a block.
          if (allowed && home !== 'leased')
            expect(clock.monotonic()).toBeGreaterThanOrEqual(blockedUntil);
          if (!allowed) expect(retryAfterMs).toBeLessThanOrEqual(most + 1);
        }
      }
      // A plan is asked for when a key is used.
      await limits[0]!.peek({ key });
      // Left alone for as long as its rule can mean, the key has its whole limit.
      const restMs = Math.max(longest(kind, rule, rule.burst), blockedUntil - clock.monotonic());
      await clock.advance(Math.ceil(restMs) + BUDGET_MS);
      expect((await limits[0]!.peek({ key })).remaining).toBe(
        isBucket(kind) ? rule.burst : rule.limit,
      );
      const cost = isBucket(kind) ? rule.burst : rule.limit;
      expect((await limits[0]!.take({ key, cost })).allowed).toBe(true);
    });
    await fc.assert(property, { numRuns: 60 });
    reach.expectAll();
  });

  it('lets no more pass than the largest rule and what was given back', async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      clock = new ManualClock();
      plan = undefined;
      const limits = make(kind, home);
      let rule = { ...START, burst: BURST };
      const largest = {
        units: isBucket(kind) ? BURST : START.limit,
        perMs: START.limit / START.windowMs,
      };
      let passed = 0;
      let given = 0;
      const since = clock.monotonic();
      const key = 'ann';
      for (const { do: what, n, at } of steps) {
        const here = limits[at % limits.length]!;
        if (what === 'pass') await clock.advance(n);
        else if (what === 'limit' || what === 'windowMs' || what === 'burst') {
          rule = { ...rule, [what]: n };
          plan = planOf(kind, rule);
          largest.units = Math.max(largest.units, isBucket(kind) ? rule.burst : rule.limit);
          largest.perMs = Math.max(largest.perMs, rule.limit / rule.windowMs);
        } else if (what === 'reset') {
          await here.reset({ key });
          given += largest.units;
        } else if (what !== 'take') {
          await here[what as 'block'](n, { key });
          if (what === 'reward') given += n;
        } else if ((await here.take({ key, cost: n })).allowed) {
          passed += n;
        }
      }
      // Two fixed windows meet at a boundary; shares that are held in advance are half of a burst.
      const bursts = (kind === 'fixed-window' ? 2 : 1) + (home === 'leased' ? 0.5 : 0);
      const most = bursts * largest.units + (clock.monotonic() - since) * largest.perMs + given;
      expect(passed).toBeLessThanOrEqual(most + 1e-3);
    });
    await fc.assert(property, { numRuns: 60 });
  });
});
