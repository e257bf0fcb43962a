import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FixedWindowRule } from './fixed-window.ts';
import { GcraRule } from './gcra.ts';
import type { Rule } from './rule.ts';
import { SlidingWindowRule } from './sliding-window.ts';
import { TokenBucketRule } from './token-bucket.ts';

/** Steps of time and costs, in whole numbers, so that the models below can be exact. */
const steps = (maxStep: number, maxCost: number) =>
  fc.array(
    fc.record({
      ms: fc.integer({ min: 0, max: maxStep }),
      cost: fc.integer({ min: 1, max: maxCost }),
    }),
    { minLength: 1, maxLength: 80 },
  );

const shape = fc.record({
  limit: fc.integer({ min: 1, max: 50 }),
  windowMs: fc.integer({ min: 1, max: 2000 }),
  burst: fc.integer({ min: 1, max: 20 }),
});

interface Model {
  /** Whether `cost` may pass at `now`; takes it if so. */
  take(now: number, cost: number): boolean;
  clone(): Model;
}

/** Tokens are kept in units of 1/windowMs, so that all of it is whole numbers. */
class BucketModel implements Model {
  readonly limit: number;
  readonly windowMs: number;
  readonly depth: number;
  parts: number;
  at = 0;

  constructor(limit: number, windowMs: number, burst: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.depth = burst * windowMs;
    this.parts = this.depth;
  }

  take(now: number, cost: number): boolean {
    this.parts = Math.min(this.depth, this.parts + (now - this.at) * this.limit);
    this.at = now;
    if (this.parts < cost * this.windowMs) return false;
    this.parts -= cost * this.windowMs;
    return true;
  }

  clone(): Model {
    return Object.assign(new BucketModel(this.limit, this.windowMs, 1), this);
  }
}

class FixedModel implements Model {
  readonly limit: number;
  readonly windowMs: number;
  used = new Map<number, number>();

  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  take(now: number, cost: number): boolean {
    const window = Math.floor(now / this.windowMs);
    const used = this.used.get(window) ?? 0;
    if (used + cost > this.limit) return false;
    this.used.set(window, used + cost);
    return true;
  }

  clone(): Model {
    return Object.assign(new FixedModel(this.limit, this.windowMs), { used: new Map(this.used) });
  }
}

class SlidingModel implements Model {
  readonly limit: number;
  readonly segmentMs: number;
  readonly segments: number;
  taken: { segment: number; cost: number }[] = [];

  constructor(limit: number, segmentMs: number, segments: number) {
    this.limit = limit;
    this.segmentMs = segmentMs;
    this.segments = segments;
  }

  take(now: number, cost: number): boolean {
    const segment = Math.floor(now / this.segmentMs);
    const used = this.taken
      .filter((one) => one.segment >= segment - this.segments)
      .reduce((sum, one) => sum + one.cost, 0);
    if (used + cost > this.limit) return false;
    this.taken.push({ segment, cost });
    return true;
  }

  clone(): Model {
    const copy = new SlidingModel(this.limit, this.segmentMs, this.segments);
    copy.taken = [...this.taken];
    return copy;
  }
}

function started(rules: Rule): Float64Array {
  const state = new Float64Array(rules.slots + 2);
  rules.reset(state, 1, 0);
  return state;
}

function holdsToModel(rules: Rule, model: Model, script: { ms: number; cost: number }[]): void {
  const state = started(rules);
  let now = 0;
  for (const { ms, cost } of script) {
    now += ms;
    if (cost > rules.capacity) continue;
    const before = model.clone();
    const delay = rules.delay(state, 1, now, cost);
    const taken = rules.take(state, 1, now, cost);
    expect(taken).toBe(model.take(now, cost));
    expect(delay === 0).toBe(taken);
    if (!taken) {
      // The wait is exact: a millisecond before it is over the cost does not fit, then it does.
      const whole = Math.ceil(delay - 1e-6);
      expect(before.clone().take(now + whole, cost)).toBe(true);
      if (whole > 1) expect(before.clone().take(now + whole - 1, cost)).toBe(false);
    }
  }
  expect(state[0]).toBe(0);
  expect(state.at(-1)).toBe(0);
}

/** What was let through, for the bounds below. */
function passed(
  rules: Rule,
  script: { ms: number; cost: number }[],
): { at: number; cost: number }[] {
  const state = started(rules);
  const through: { at: number; cost: number }[] = [];
  let now = 0;
  for (const { ms, cost } of script) {
    now += ms;
    if (rules.take(state, 1, now, cost)) through.push({ at: now, cost });
  }
  return through;
}

function heaviest(through: { at: number; cost: number }[], windowMs: number): number {
  let most = 0;
  for (const first of through) {
    const sum = through
      .filter(({ at }) => at >= first.at && at < first.at + windowMs)
      .reduce((total, { cost }) => total + cost, 0);
    most = Math.max(most, sum);
  }
  return most;
}

describe('token bucket', () => {
  it('decides and predicts as an exact model does', () => {
    fc.assert(
      fc.property(shape, steps(300, 20), ({ limit, windowMs, burst }, script) => {
        holdsToModel(
          new TokenBucketRule(limit, windowMs, burst),
          new BucketModel(limit, windowMs, burst),
          script,
        );
      }),
    );
  });

  it('never allows more than its depth and its refill, between any two moments', () => {
    fc.assert(
      fc.property(shape, steps(300, 20), ({ limit, windowMs, burst }, script) => {
        const through = passed(new TokenBucketRule(limit, windowMs, burst), script);
        for (let from = 0; from < through.length; from++) {
          let sum = 0;
          for (let to = from; to < through.length; to++) {
            sum += through[to]!.cost;
            const ms = through[to]!.at - through[from]!.at;
            expect(sum).toBeLessThanOrEqual(burst + (ms * limit) / windowMs + 1e-6);
          }
        }
      }),
    );
  });

  it('allows everything that comes within its rate, whatever the fractions', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 1000, noNaN: true }),
        fc.double({ min: 1, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 300 }),
        (limit, windowMs, count) => {
          const rules = new TokenBucketRule(limit, windowMs, 1);
          const state = started(rules);
          let now = 0;
          for (let i = 0; i < count; i++) {
            expect(rules.take(state, 1, now, 1)).toBe(true);
            now += windowMs / limit;
          }
        },
      ),
    );
  });
});

describe('gcra', () => {
  it('decides as a token bucket of the same depth does', () => {
    fc.assert(
      fc.property(shape, steps(300, 20), ({ limit, windowMs, burst }, script) => {
        holdsToModel(
          new GcraRule(limit, windowMs, burst),
          new BucketModel(limit, windowMs, burst),
          script,
        );
      }),
    );
  });
});

describe('fixed window', () => {
  it('decides and predicts as an exact model does', () => {
    fc.assert(
      fc.property(shape, steps(3000, 50), ({ limit, windowMs }, script) => {
        holdsToModel(new FixedWindowRule(limit, windowMs), new FixedModel(limit, windowMs), script);
      }),
    );
  });
});

describe('sliding window', () => {
  const windows = fc.record({
    limit: fc.integer({ min: 1, max: 50 }),
    segmentMs: fc.integer({ min: 1, max: 200 }),
    segments: fc.integer({ min: 1, max: 12 }),
  });

  it('decides and predicts as an exact model does', () => {
    fc.assert(
      fc.property(windows, steps(500, 50), ({ limit, segmentMs, segments }, script) => {
        holdsToModel(
          new SlidingWindowRule(limit, segmentMs * segments, segments),
          new SlidingModel(limit, segmentMs, segments),
          script,
        );
      }),
    );
  });

  it('never allows more than the limit in any window, wherever it begins', () => {
    fc.assert(
      fc.property(windows, steps(500, 50), ({ limit, segmentMs, segments }, script) => {
        const windowMs = segmentMs * segments;
        const through = passed(new SlidingWindowRule(limit, windowMs, segments), script);
        expect(heaviest(through, windowMs)).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('reaches segments / (segments + 1) of the limit under constant demand', () => {
    const rules = new SlidingWindowRule(100, 1000, 10);
    const state = started(rules);
    let through = 0;
    for (let now = 0; now < 110_000; now++) if (rules.take(state, 1, now, 1)) through++;
    expect(through / 110 / 100).toBeCloseTo(10 / 11, 2);
  });
});

describe('every kind', () => {
  const kinds: Rule[] = [
    new TokenBucketRule(7, 1000, 5),
    new GcraRule(7, 1000, 5),
    new FixedWindowRule(7, 1000),
    new SlidingWindowRule(7, 1000, 4),
  ];

  it.each(kinds)('$kind has its whole capacity again after freshAfterMs', (rules) => {
    const state = started(rules);
    while (rules.take(state, 1, 0, 1));
    expect(rules.available(state, 1, rules.freshAfterMs - 1)).toBeLessThan(rules.capacity);
    expect(rules.available(state, 1, rules.freshAfterMs)).toBeCloseTo(rules.capacity, 9);
    expect(rules.growth(state, 1, rules.freshAfterMs)).toBe(0);
  });

  it.each(kinds)('$kind knows when there will be one unit more', (rules) => {
    const state = started(rules);
    while (rules.take(state, 1, 0, 1));
    const growth = rules.growth(state, 1, 0);
    expect(growth).toBeGreaterThan(0);
    expect(rules.available(state, 1, growth - 1)).toBeLessThan(1);
    expect(rules.available(state, 1, growth + 1e-6)).toBeGreaterThanOrEqual(1);
  });
});
