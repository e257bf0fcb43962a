import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyed } from './keyed/keyed.ts';
import type { AcquireOptions, Lease, LimitState } from './limiter.ts';
import { fixedWindow } from './limiters/fixed-window.ts';
import { gcra } from './limiters/gcra.ts';
import type { RateLimiter } from './limiters/rate-limiter.ts';
import { slidingWindow } from './limiters/sliding-window.ts';
import { tokenBucket } from './limiters/token-bucket.ts';
import { FixedWindowRule } from './rules/fixed-window.ts';
import { GcraRule } from './rules/gcra.ts';
import type { Rule } from './rules/rule.ts';
import { SlidingWindowRule } from './rules/sliding-window.ts';
import { TokenBucketRule } from './rules/token-bucket.ts';

const LIMIT = 8;
const WINDOW = 1000;
const BURST = 5;

interface OneLimit {
  tryAcquire(options: AcquireOptions): Lease | undefined;
  peek(): LimitState;
}

/** Each kind alone, and as one key of many. */
const kinds: [string, Rule, (clock: ManualClock) => RateLimiter][] = [
  [
    'token bucket',
    new TokenBucketRule(LIMIT, WINDOW, BURST),
    (clock) => tokenBucket({ clock, limit: LIMIT, windowMs: WINDOW, burst: BURST }),
  ],
  [
    'gcra',
    new GcraRule(LIMIT, WINDOW, BURST),
    (clock) => gcra({ clock, limit: LIMIT, windowMs: WINDOW, burst: BURST }),
  ],
  [
    'fixed window',
    new FixedWindowRule(LIMIT, WINDOW),
    (clock) => fixedWindow({ clock, limit: LIMIT, windowMs: WINDOW }),
  ],
  [
    'sliding window',
    new SlidingWindowRule(LIMIT, WINDOW, 4),
    (clock) => slidingWindow({ clock, limit: LIMIT, windowMs: WINDOW, segments: 4 }),
  ],
];
const places: [
  string,
  (make: (clock: ManualClock) => RateLimiter, clock: ManualClock) => OneLimit,
][] = [
  ['alone', (make, clock) => make(clock)],
  ['as one key of many', (make, clock) => keyed({ template: make(clock) }).for('ann')],
];
const cases = kinds.flatMap(([kind, rule, make]) =>
  places.map(
    ([place, put]) =>
      [`${kind}, ${place}`, rule, (clock: ManualClock) => put(make, clock)] as const,
  ),
);

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('take' as const), cost: fc.integer({ min: 1, max: 4 }) }),
    fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(),
      cost: fc.integer({ min: 0, max: 6 }),
    }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 700 }) }),
  ),
  { maxLength: 60 },
);

interface Charge {
  readonly at: number;
  readonly lease: Lease;
  cost: number;
}

/** The units that a limiter has which was charged these costs at these times. */
function availableOf(rule: Rule, charges: readonly Charge[], start: number, now: number): number {
  const state = new Float64Array(rule.slots);
  rule.reset(state, 0, start);
  for (const { at, cost } of charges) if (cost > 0) rule.charge(state, 0, at, cost);
  return rule.available(state, 0, now);
}

describe.each(cases)('a settled lease of a %s', (title, rule, make) => {
  it('leaves what there would be if the call had cost that much from the start', () => {
    let refunded = 0;
    fc.assert(
      fc.property(steps, (script) => {
        const clock = new ManualClock();
        const limiter = make(clock);
        let start = clock.monotonic();
        const charges: Charge[] = [];
        const open: Charge[] = [];
        let given = 0;
        for (const step of script) {
          if (step.kind === 'wait') clock.jump(step.ms);
          else if (step.kind === 'take') {
            const lease = limiter.tryAcquire({ cost: step.cost });
            if (lease === undefined) continue;
            // The windows of one key among many begin with its first use.
            if (charges.length === 0 && !title.endsWith('alone')) start = clock.monotonic();
            const charge = { at: clock.monotonic(), lease, cost: step.cost };
            charges.push(charge);
            open.push(charge);
          } else if (open.length > 0) {
            const [charge] = open.splice(step.which % open.length, 1);
            const cost = Math.min(step.cost, charge!.cost);
            charge!.lease.settle?.(cost);
            given += charge!.cost - cost;
            charge!.cost = cost;
            refunded++;
          }
          const now = clock.monotonic();
          const exact = Math.max(0, Math.floor(availableOf(rule, charges, start, now) + 1e-6));
          const { remaining } = limiter.peek();
          if (rule.kind === 'fixed-window' || rule.kind === 'sliding-window') {
            expect(remaining).toBe(exact);
          } else {
            // A bucket that was full in the meantime has lost nothing, and gets the units all the same.
            expect(remaining).toBeGreaterThanOrEqual(exact);
            expect(remaining).toBeLessThanOrEqual(Math.min(BURST, exact + given));
          }
        }
      }),
    );
    expect(refunded).toBeGreaterThan(100);
  });

  it('takes more, at most all that is left', () => {
    const clock = new ManualClock();
    const limiter = make(clock);
    const all = limiter.peek().remaining;
    limiter.tryAcquire({ cost: 1 })?.settle?.(3);
    expect(limiter.peek().remaining).toBe(all - 3);
    limiter.tryAcquire({ cost: 1 })?.settle?.(1e9);
    expect(limiter.peek().remaining).toBe(0);
    clock.jump(2 * WINDOW);
    expect(limiter.peek().remaining).toBe(all);
  });

  it('is settled once, and by a number of units', () => {
    const clock = new ManualClock();
    const limiter = make(clock);
    const lease = limiter.tryAcquire({ cost: 2 })!;
    for (const cost of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => lease.settle?.(cost)).toThrow(RangeError);
    }
    expect(() => lease.settle?.('1' as never)).toThrow(TypeError);
    const before = limiter.peek().remaining;
    lease.settle?.(0);
    lease.settle?.(0);
    lease.release();
    expect(limiter.peek().remaining).toBe(before + 2);
  });
});

describe('a lease that waited for its turn', () => {
  it.each(cases)('of a %s serves the next one by what it gives back', async (_, __, make) => {
    const clock = new ManualClock();
    const limiter = make(clock) as RateLimiter;
    const taken: Lease[] = [];
    for (let lease = limiter.tryAcquire(); lease; lease = limiter.tryAcquire()) taken.push(lease);
    const began = clock.monotonic();
    const waiting = limiter.acquire();
    taken.at(-1)?.settle?.(0);
    const lease = await waiting;
    expect(lease.cost).toBe(1);
    expect(clock.monotonic()).toBe(began);
  });
});

describe('permits', () => {
  it('have nothing to settle', async () => {
    const { concurrency } = await import('./limiters/concurrency.ts');
    expect(concurrency({ limit: 1 }).tryAcquire()?.settle).toBeUndefined();
  });
});
