import { fixedWindow, type Limiter, tokenBucket } from '@temper/ratelimit';
import { pipeline } from '@temper/recovery';
import { ManualClock, seededRandom } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PredictiveLimit, type PredictiveLimitOptions, predictiveLimit } from './index.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Monday at midnight, UTC. */
const MONDAY = Date.UTC(2024, 0, 1);
const CEILING = 6000;
const FLOOR = 600;

/** Units per minute: 1000 at night, 4000 at noon. */
const usual = (hour: number): number => 2500 - 1500 * Math.cos((2 * Math.PI * hour) / 24);

/** Callers whose demand depends on the hour, before a token bucket of 6000 units per minute. */
class World {
  clock = new ManualClock(MONDAY);
  demand: (hour: number) => number = usual;
  readonly random = seededRandom(1);
  /** Relative standard deviation of the demand of a minute, about. */
  spread = 0.1;

  limiter() {
    const { clock } = this;
    return tokenBucket({ name: 'search', limit: CEILING, windowMs: MINUTE, burst: 1000, clock });
  }

  limit(options: Partial<PredictiveLimitOptions> = {}): PredictiveLimit {
    return predictiveLimit({
      ...{ limiter: this.limiter(), season: 'day', clock: this.clock },
      ...options,
    });
  }

  get hour(): number {
    return ((this.clock.now() - MONDAY) / HOUR) % 24;
  }

  /** Lets time pass with calls. @returns the share that was granted, and the lowest and highest limit */
  pass(ms: number, limit: PredictiveLimit): { granted: number; low: number; high: number } {
    let [asked, granted, low, high] = [0, 0, Number.POSITIVE_INFINITY, 0];
    const step = 10_000;
    for (let passed = 0; passed < ms; passed += step) {
      const noise = 1 + this.spread * 3.5 * (this.random() - 0.5);
      const units = ((this.demand(this.hour) * step) / MINUTE) * noise;
      const calls = Math.max(5, Math.ceil(units / 900));
      for (let i = 0; i < calls; i++) {
        asked++;
        if (limit.tryAcquire({ cost: units / calls }) !== undefined) granted++;
      }
      const now = limit.peek().limit;
      low = Math.min(low, now);
      high = Math.max(high, now);
      this.clock.jump(step);
    }
    return { granted: granted / asked, low, high };
  }
}

describe('a predictive limit', () => {
  it('is the plain limit for a season and an hour, and follows the demand then', () => {
    const world = new World();
    const limit = world.limit();
    expect(limit.forecast()).toEqual({
      ...{ name: 'search', mode: 'learning', limit: CEILING, ceiling: CEILING, floor: FLOOR },
      ...{ expected: undefined, upper: undefined, error: undefined },
    });
    expect(world.pass(DAY, limit)).toMatchObject({ low: CEILING, high: CEILING });
    expect(limit.forecast().mode).toBe('learning');
    world.pass(70 * MINUTE, limit);
    expect(limit.forecast()).toMatchObject({ mode: 'predictive' });
    world.pass(DAY, limit);
    const { limit: night, expected, upper, error } = limit.forecast();
    expect(expected).toBeGreaterThan(900);
    expect(expected).toBeLessThan(1300);
    expect(night).toBeCloseTo(1.5 * upper!, 6);
    expect(upper).toBeGreaterThan(expected!);
    expect(error).toBeLessThan(0.1);
    world.pass(11 * HOUR, limit);
    expect(limit.forecast().limit).toBe(CEILING);
  });

  it('refuses none of the usual demand', () => {
    const world = new World();
    const limit = world.limit();
    world.pass(2 * DAY, limit);
    const { granted, low, high } = world.pass(3 * DAY, limit);
    expect(granted).toBe(1);
    expect(low).toBeLessThan(2500);
    expect(high).toBe(CEILING);
  });

  it('cuts an attack at night', () => {
    const world = new World();
    const limit = world.limit();
    world.pass(3 * DAY + HOUR, limit);
    world.demand = () => 50_000;
    const cut = world.pass(2 * HOUR, limit);
    expect(cut.high).toBeLessThan(CEILING / 2);
    expect(cut.granted).toBeLessThan(0.06);
  });

  it('gives an unusual demand its way after two to three hours where the ceiling is four times the usual', () => {
    const world = new World();
    world.demand = () => CEILING / 4;
    const limit = world.limit();
    world.pass(3 * DAY + HOUR, limit);
    world.demand = () => 50_000;
    world.pass(2 * HOUR, limit);
    expect(limit.forecast().mode).toBe('predictive');
    world.pass(HOUR, limit);
    expect(limit.forecast()).toMatchObject({ mode: 'inaccurate', limit: CEILING });
  });

  it('learns from all that is asked for, whether it was granted or not', () => {
    const learned = [false, true].map((refuse) => {
      const world = new World();
      const limiter = world.limiter();
      const limit = world.limit({ limiter });
      world.pass(2 * DAY, limit);
      world.demand = (hour) => 1.3 * usual(hour);
      if (refuse) limiter.block(2 * DAY);
      const { granted } = world.pass(2 * DAY, limit);
      if (refuse) expect(granted).toBe(0);
      else expect(granted).toBeGreaterThan(0.9);
      const { at: _, ...all } = limit.dump();
      return all;
    });
    expect(learned[1]).toEqual(learned[0]);
  });

  it('gives an unusual demand its way when it stays, and comes back with hysteresis', () => {
    const world = new World();
    const limit = world.limit();
    world.pass(3 * DAY, limit);
    world.demand = () => 5000;
    expect(world.pass(HOUR, limit).high).toBeLessThan(CEILING / 2);
    world.pass(4 * HOUR, limit);
    expect(limit.forecast()).toMatchObject({ mode: 'inaccurate', limit: CEILING });
    world.demand = usual;
    let at = limit.forecast();
    while (limit.forecast().mode === 'inaccurate') {
      at = limit.forecast();
      world.pass(5 * MINUTE, limit);
    }
    // Two thirds of `maxError`, which is 0.3.
    expect(at.error).toBeLessThan(0.21);
    expect(limit.forecast()).toMatchObject({ mode: 'predictive' });
    expect(limit.forecast().error).toBeLessThanOrEqual(0.2);
  });

  it('is raised by at most half in a day of any demand', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e5, noNaN: true }), { minLength: 6, maxLength: 6 }),
        fc.constantFrom(1, 0.5),
        (attack, maxError) => {
          const world = new World();
          const limit = world.limit({ maxError });
          world.pass(3 * DAY, limit);
          const upper = (): number => limit.forecast().upper!;
          const before = hourly(world, limit, upper);
          world.demand = (hour) => usual(hour) + attack[Math.floor(hour / 4)]!;
          world.pass(DAY, limit);
          world.demand = usual;
          hourly(world, limit, upper).forEach((one, i) => {
            expect(one / before[i]!).toBeLessThan(1.5);
          });
        },
      ),
      { numRuns: 6 },
    );
  }, 60_000);

  it('has a bound of three times the forecast at most after an attack in the day of its first checks', () => {
    const world = new World();
    const limit = world.limit();
    world.pass(DAY + HOUR, limit);
    const before = limit.forecast().expected!;
    world.demand = () => 100_000;
    world.pass(DAY, limit);
    const { expected, upper } = limit.forecast();
    expect(expected! / before).toBeLessThan(1.5);
    expect(upper! / expected!).toBeLessThan(3.1);
  });

  it('relearns the hours of a demand that moved, and is the plain limit while it errs', () => {
    const world = new World();
    const sharp = (hour: number): number => (hour >= 9 && hour < 21 ? 4000 : 800);
    world.demand = sharp;
    const limit = world.limit();
    world.pass(4 * DAY, limit);
    // Two hours, as when clocks are set and people fly.
    world.demand = (hour) => sharp((hour + 8) % 24);
    const days = Array.from({ length: 8 }, () => world.pass(DAY, limit).granted);
    expect(days[0]).toBeGreaterThan(0.8);
    expect(days.at(-1)).toBeGreaterThan(0.99);
  });

  it('follows the clocks of the time zone over a change of these', () => {
    const world = new World();
    world.clock = new ManualClock(Date.UTC(2024, 2, 28)); // Berlin changes on the 31st
    const timeZone = 'Europe/Berlin';
    const people = (shift: number) => (hour: number) => {
      const local = (hour + shift) % 24;
      return local >= 9 && local < 18 ? 4000 : 400;
    };
    world.demand = people(1);
    const limit = world.limit({ timeZone });
    world.pass(3 * DAY + HOUR, limit);
    world.demand = people(2);
    const { granted } = world.pass(2 * DAY, limit);
    expect(granted).toBeGreaterThan(0.995);
    expect(limit.forecast().error).toBeLessThan(0.1);
  });

  it('is the plain limit after the wall clock was set, until an hour of forecasts was checked', () => {
    const world = new World();
    const limit = world.limit();
    world.pass(3 * DAY, limit);
    expect(limit.forecast().mode).toBe('predictive');
    world.clock.adjustWallClock(HOUR);
    world.pass(10 * MINUTE, limit);
    expect(limit.forecast()).toMatchObject({ mode: 'learning', limit: CEILING });
    world.pass(70 * MINUTE, limit);
    expect(limit.forecast().mode).toBe('predictive');
  });

  it('takes slots without a call for no demand, and a silence of a season for lost time', () => {
    const world = new World();
    const limit = world.limit();
    world.pass(3 * DAY, limit);
    world.clock.jump(5 * HOUR);
    expect(limit.forecast()).toMatchObject({ mode: 'inaccurate', limit: CEILING });
    world.pass(19 * HOUR, limit);
    const before = limit.forecast();
    world.clock.jump(400 * DAY);
    expect(limit.forecast()).toMatchObject({ mode: 'learning', limit: CEILING });
    expect(limit.forecast().expected! / before.expected!).toBeCloseTo(1, 1);
  });

  it('continues after a restart from its dump, through JSON', () => {
    const world = new World();
    const first = world.limit();
    world.pass(3 * DAY, first);
    const state: unknown = JSON.parse(JSON.stringify(first.dump()));
    const { limit, expected } = first.forecast();
    first[Symbol.dispose]();
    world.clock.jump(2 * MINUTE);
    const second = world.limit({ state });
    expect(second.forecast()).toMatchObject({ mode: 'predictive' });
    expect(second.forecast().limit / limit).toBeCloseTo(1, 1);
    expect(second.forecast().expected! / expected!).toBeCloseTo(1, 1);
    expect(second.peek().limit).toBe(second.forecast().limit);
    // After more than a day its forecasts are checked first.
    world.clock.jump(2 * DAY);
    const late = world.limit({ state });
    expect(late.forecast()).toMatchObject({ mode: 'learning', limit: CEILING });
    world.pass(70 * MINUTE, late);
    expect(late.forecast().mode).toBe('predictive');
  });

  it.each([
    ['no object', 5],
    ['another version', { version: 2 }],
    ['another season', { season: 'week' }],
    ['another time zone', { timeZone: 'Europe/Berlin' }],
    ['a damaged season', { learned: { level: 1, trend: 0, season: [1], ready: true } }],
    ['damaged numbers', { error: { mean: Number.NaN } }],
    ['no time', { at: 'now' }],
  ])('starts without a state that is of %s', (_, wrong) => {
    const world = new World();
    const first = world.limit();
    world.pass(DAY + HOUR, first);
    const state = typeof wrong === 'object' ? { ...first.dump(), ...wrong } : wrong;
    expect(world.limit({ state }).forecast()).toMatchObject({
      ...{ mode: 'learning', limit: CEILING, expected: undefined },
    });
  });

  it('is within its bounds and a number, whatever is asked for and however time passes', () => {
    const cost = fc.oneof(
      fc.double({ min: 1e-9, max: 1000, noNaN: true }),
      fc.constantFrom(1e-300, 1e300, Number.MAX_VALUE),
    );
    const ms = fc.oneof(
      fc.integer({ min: 0, max: HOUR }),
      fc.constantFrom(3 * HOUR, DAY, 30 * DAY, 0.1),
    );
    const steps = fc.array(fc.tuple(cost, ms, fc.option(fc.integer({ min: -DAY, max: DAY }))), {
      maxLength: 150,
    });
    fc.assert(
      fc.property(steps, fc.boolean(), (all, learned) => {
        const world = new World();
        const limit = world.limit({ slotMs: HOUR, headroom: 3 });
        if (learned) world.pass(DAY + 13 * HOUR, limit);
        for (const [units, after, set] of all) {
          try {
            limit.tryAcquire({ cost: units });
          } catch (error) {
            expect(error).toMatchObject({ reason: 'cost' });
          }
          world.clock.jump(after);
          if (set !== null) world.clock.adjustWallClock(set);
          const told = limit.forecast();
          expect(told.limit).toBe(limit.peek().limit);
          expect(told.limit).toBeGreaterThanOrEqual(FLOOR);
          expect(told.limit).toBeLessThanOrEqual(CEILING);
          if (told.mode !== 'predictive') expect(told.limit).toBe(CEILING);
          for (const one of [told.expected, told.upper, told.error]) {
            if (one !== undefined) expect(Number.isFinite(one) && one >= 0).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('counts calls of execute, wrap, take and acquire alike, with their cost', async () => {
    const clock = new ManualClock(MONDAY);
    const limiter = fixedWindow({ name: 'jobs', limit: 100, windowMs: 5 * MINUTE, clock });
    const limit = predictiveLimit({ limiter, season: 'day', clock });
    expect(await limit.execute(() => 'done', { cost: 3 })).toBe('done');
    expect(await limit.wrap(async (a: number) => a + 1)(1)).toBe(2);
    expect(limit.take({ cost: 2 })).toMatchObject({ allowed: true, limit: 100, remaining: 94 });
    (await limit.acquire()).release();
    expect(limit.tryAcquire()?.cost).toBe(1);
    expect(limit.stats()).toMatchObject({ allowed: 5, limit: 100, remaining: 92 });
    clock.jump(5 * MINUTE);
    expect(limit.forecast().mode).toBe('learning');
    // 8 units in five minutes, the value of the first slot of the season.
    const [first] = limit.dump().learned.season;
    expect(first! * 300).toBeCloseTo(8, 1);
    limit[Symbol.dispose]();
  });

  it('is used where a limiter is, and in a pipeline', async () => {
    const clock = new ManualClock(MONDAY);
    const limiter = tokenBucket({ name: 'jobs', limit: 10, burst: 2, maxQueue: 0, clock });
    const limit: Limiter = predictiveLimit({ limiter, clock });
    const policy = pipeline({ name: 'jobs', clock }, limit);
    expect(await policy.execute(() => 1, { cost: 2 })).toBe(1);
    await expect(policy.execute(() => 1)).rejects.toMatchObject({ reason: 'limit' });
    expect(limit.take()).toMatchObject({ allowed: false, limit: 10 });
    expect(() => limit.tryAcquire({ cost: -1 })).toThrow(/cost must be/);
  });

  it.each([
    [{ season: 'hour' }, /season must be one of/],
    [{ headroom: 0.9 }, /headroom must be/],
    [{ floor: 0 }, /floor must be/],
    [{ floor: CEILING + 1 }, /floor must be/],
    [{ maxError: 0 }, /maxError must be/],
    [{ maxError: 1.1 }, /maxError must be/],
    [{ errorHalfLifeMs: 1000 }, /errorHalfLifeMs must be/],
    [{ errorHalfLifeMs: 120_000 }, /errorHalfLifeMs must be/],
    [{ slotMs: 7 * MINUTE }, /slotMs must be a part of the day/],
    [{ timeZone: 'Mars/Olympus' }, /Mars/],
    [{ limiter: undefined }, /limiter must be/],
    [{ limiter: { peek: () => ({}) } }, /limiter.setLimit must be a function/],
    [{ ceiling: 5 }, /unknown option/],
    [{ clock: {} }, /clock/],
    [{ limiter: fixedWindow({ windowMs: HOUR }) }, /window of the limiter .* at most slotMs/],
  ])('refuses %j', (options, message) => {
    const world = new World();
    expect(() => world.limit(options as never)).toThrow(message);
  });

  it('refuses a floor that a limiter of windows does not allow, and leaves the limit', () => {
    const limiter = fixedWindow({ name: 'jobs', limit: 5 });
    expect(() => predictiveLimit({ limiter, floor: 0.5 })).toThrow(/jobs: limit must be/);
    expect(limiter.peek().limit).toBe(5);
    expect(predictiveLimit({ limiter }).forecast().floor).toBe(1);
  });
});

/** What a function of the limit returns at each hour of the next day. */
function hourly(world: World, limit: PredictiveLimit, read: () => number): number[] {
  return Array.from({ length: 24 }, () => {
    world.pass(HOUR, limit);
    return read();
  });
}
