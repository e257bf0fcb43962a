import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ScalingOptions, type ScalingSources, scalingSignal } from './index.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A Monday at midnight, UTC. */
const MONDAY = Date.UTC(2024, 0, 1);

/** A service whose calls take 100 ms, at a rate that a function of the hour of the day gives. */
class World {
  readonly clock = new ManualClock(MONDAY);
  rate: (hour: number) => number = () => 100;
  arrivals = 0;
  queued = 0;
  /** Replicas among which the calls are divided, where one instance is looked at. */
  replicas = 1;

  get now(): number {
    return this.rate(((this.clock.now() - MONDAY) / HOUR) % 24) / this.replicas;
  }

  readonly sources: ScalingSources = {
    arrivals: () => this.arrivals,
    inFlight: () => this.now / 10,
    queued: () => this.queued,
  };

  signal(options: Partial<ScalingOptions> = {}) {
    return scalingSignal({
      name: 'shop',
      scope: 'service',
      sources: this.sources,
      concurrency: 5,
      targetUtilization: 1,
      season: 'day',
      slotMs: 10 * MINUTE,
      leadMs: 10 * MINUTE,
      clock: this.clock,
      ...options,
    });
  }

  /** Lets time pass, and reads the signals once a minute. */
  async pass(ms: number, ...signals: readonly { recommendation(): unknown }[]): Promise<void> {
    for (let passed = 0; passed < ms; passed += MINUTE) {
      this.arrivals += this.now * 60;
      await this.clock.advance(MINUTE);
      for (const signal of signals) signal.recommendation();
    }
  }
}

/** 100 calls per second, and 500 from nine to ten. */
const opening = (hour: number): number => (hour >= 9 && hour < 10 ? 500 : 100);

describe('a scaling signal without a season', () => {
  it('knows nothing until it has read twice, and then what the calls need', async () => {
    const world = new World();
    const signal = world.signal();
    expect(signal.recommendation()).toMatchObject({ mode: 'learning', desired: undefined });
    await world.pass(MINUTE, signal);
    // 100 calls per second of 100 ms: ten run at the same time, five per replica.
    expect(signal.recommendation()).toMatchObject({ mode: 'learning', desired: 2, need: 2 });
  });

  it('rises at once, and falls after the stabilization window', async () => {
    const world = new World();
    const signal = world.signal();
    await world.pass(5 * MINUTE, signal);
    world.rate = () => 500;
    await world.pass(2 * MINUTE, signal);
    const high = signal.recommendation().desired;
    expect(high).toBeGreaterThanOrEqual(9);
    world.rate = () => 100;
    await world.pass(4 * MINUTE, signal);
    expect(signal.recommendation().desired).toBe(high);
    await world.pass(8 * MINUTE, signal);
    expect(signal.recommendation().desired).toBe(2);
  });

  it('adds what drains the calls that wait, and wakes a service without replicas', async () => {
    const world = new World();
    const signal = world.signal({ minReplicas: 0 });
    await world.pass(5 * MINUTE, signal);
    world.queued = 9000;
    world.arrivals += 9000;
    await world.pass(25 * MINUTE, signal);
    // 9000 in 30 seconds are 300 more per second.
    expect(signal.recommendation()).toMatchObject({ need: expect.closeTo(8, 1), desired: 8 });
    const asleep = new World();
    asleep.rate = () => 0;
    const waking = asleep.signal({ minReplicas: 0 });
    await asleep.pass(5 * MINUTE, waking);
    expect(waking.recommendation().desired).toBe(0);
    asleep.queued = 1;
    asleep.arrivals = 1;
    await asleep.pass(MINUTE, waking);
    expect(waking.recommendation().desired).toBe(1);
  });

  it('takes a total that falls for a new start, and a jump of the wall clock for none', async () => {
    const world = new World();
    const signal = world.signal();
    await world.pass(5 * MINUTE, signal);
    world.arrivals = 0;
    await world.pass(3 * MINUTE, signal);
    expect(signal.recommendation()).toMatchObject({ desired: 2, rate: expect.closeTo(100, 5) });
  });

  it('keeps the last number and says so while its sources do not answer', async () => {
    const world = new World();
    let broken = false;
    const sources = {
      ...world.sources,
      arrivals: (): number => {
        if (broken) throw new Error('no answer');
        return world.arrivals;
      },
    };
    const signal = world.signal({ sources });
    await world.pass(5 * MINUTE, signal);
    broken = true;
    await world.pass(30 * MINUTE, signal);
    expect(signal.recommendation()).toMatchObject({ mode: 'no-data', desired: 2 });
    broken = false;
    await world.pass(2 * MINUTE, signal);
    expect(signal.recommendation()).toMatchObject({ mode: 'learning', desired: 2 });
  });

  it('never returns anything but numbers from 0 on, whatever the sources return', () => {
    const nonsense = fc.oneof(
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1, 0, undefined, null, 'x', {}),
      fc.double({ min: 0, max: 1e12 }),
    );
    const source = fc.array(nonsense, { minLength: 1 }).map((values) => {
      let at = 0;
      return () => values[at++ % values.length] as number;
    });
    const sources = fc.record({
      arrivals: source,
      inFlight: source,
      queued: source,
      concurrency: source,
      replicas: source,
    });
    fc.assert(
      fc.property(sources, fc.constantFrom('service', 'instance'), (all, scope) => {
        let now = 0;
        const clock = { ...new ManualClock(), now: () => MONDAY + now, monotonic: () => now };
        const signal = scalingSignal({ sources: all, scope, season: 'day', slotMs: HOUR, clock });
        for (let i = 0; i < 60; i++) {
          now += HOUR;
          const { desired, lower, upper, need } = signal.recommendation();
          for (const one of [desired, lower, upper, need]) {
            if (one !== undefined && !(Number.isFinite(one) && one >= 0)) return false;
          }
          if (desired !== undefined && !((lower as number) <= desired)) return false;
          if (desired !== undefined && !((upper as number) >= desired)) return false;
        }
        return true;
      }),
      { numRuns: 60 },
    );
  });
});

describe.each(['multiplicative', 'additive'] as const)('a %s season of a day', (model) => {
  it('is learned in a day, and the replicas are there before the demand', async () => {
    const world = new World();
    world.rate = opening;
    const signal = world.signal({ model });
    await world.pass(24 * HOUR, signal);
    expect(signal.recommendation().mode).toBe('learning');
    // Some forecasts are held to what came, and nine o'clock of the third day comes near.
    await world.pass(32 * HOUR + 40 * MINUTE, signal);
    expect(signal.recommendation()).toMatchObject({ mode: 'predictive', desired: 2, need: 2 });
    await world.pass(11 * MINUTE, signal);
    const before = signal.recommendation();
    expect(before).toMatchObject({ mode: 'predictive', need: expect.closeTo(2, 1) });
    expect(before.desired).toBeGreaterThanOrEqual(5);
    expect(before.upper).toBeGreaterThanOrEqual(before.desired as number);
    expect(before.error).toBeLessThan(0.9);
    await world.pass(5 * MINUTE, signal);
    expect(signal.recommendation()).toMatchObject({ need: expect.closeTo(2, 1) });
    expect(signal.recommendation().desired).toBeGreaterThanOrEqual(8);
  });

  it('is no longer believed when the forecasts are worse than none, and again when they are good', async () => {
    const world = new World();
    world.rate = opening;
    const signal = world.signal({ model });
    await world.pass(3 * 24 * HOUR, signal);
    expect(signal.recommendation().mode).toBe('predictive');
    // Nobody comes at nine.
    world.rate = (hour) => 100 + Math.sin(hour);
    await world.pass(10 * HOUR, signal);
    const said = signal.recommendation();
    expect(said.mode).toBe('inaccurate');
    expect(said.error).toBeGreaterThan(1);
    expect(said.expectedRate).toBe(said.rate);
    world.rate = opening;
    await world.pass(5 * 24 * HOUR, signal);
    expect(signal.recommendation().mode).toBe('predictive');
  });

  it('survives a restart with its dump, and ignores one that does not fit', async () => {
    const world = new World();
    world.rate = opening;
    const first = world.signal({ model });
    await world.pass(3 * 24 * HOUR + 8 * HOUR + 52 * MINUTE, first);
    const state = JSON.parse(JSON.stringify(first.dump()));
    const second = world.signal({ model, state });
    await world.pass(2 * MINUTE, second);
    expect(second.recommendation().mode).toBe('predictive');
    expect(second.recommendation().desired).toBeGreaterThanOrEqual(5);
    const others: unknown[] = [
      null,
      'x',
      {},
      { ...state, slotMs: MINUTE },
      { ...state, timeZone: 'Europe/Berlin' },
      { ...state, learned: { ...state.learned, season: [1] } },
      { ...state, learned: { ...state.learned, level: 'high' } },
      { ...state, accuracy: { ...state.accuracy, errors: null } },
    ];
    for (const one of others) {
      const cold = world.signal({ model, state: one });
      await world.pass(2 * MINUTE, cold);
      expect(cold.recommendation().mode).toBe('learning');
    }
  });

  it('keeps its season through hours without a reading', async () => {
    const world = new World();
    world.rate = opening;
    const signal = world.signal({ model });
    await world.pass(3 * 24 * HOUR + HOUR, signal);
    await world.pass(4 * HOUR);
    await world.pass(3 * HOUR + 54 * MINUTE, signal);
    expect(signal.recommendation().mode).toBe('predictive');
    expect(signal.recommendation().desired).toBeGreaterThanOrEqual(5);
  });
});

it('the shares of instances add up to what the whole service needs, also while it scales', async () => {
  const world = new World();
  world.rate = opening;
  world.replicas = 2;
  const replicas = () => world.replicas;
  const share = () => world.signal({ scope: 'instance', sources: { ...world.sources, replicas } });
  const signals = [share(), share()];
  await world.pass(3 * 24 * HOUR + 8 * HOUR + 50 * MINUTE, ...signals);
  const sum = (all: typeof signals): number =>
    all.reduce((total, one) => total + (one.recommendation().desired as number), 0);
  const state = signals[0]?.dump();
  expect(sum(signals)).toBeGreaterThan(5);
  expect(sum(signals)).toBeLessThan(11);
  // Four more start: each counts a sixth from now on, and the sum stays.
  world.replicas = 6;
  const more = Array.from({ length: 4 }, () =>
    world.signal({ scope: 'instance', sources: { ...world.sources, replicas }, state }),
  );
  const all = [...signals, ...more];
  await world.pass(3 * MINUTE, ...all);
  expect(sum(all)).toBeGreaterThan(7);
  expect(sum(all)).toBeLessThan(11);
  expect(all.map((one) => one.recommendation().mode)).toEqual(all.map(() => 'predictive'));
});

it('an instance that does not know the number of replicas has no season', async () => {
  const world = new World();
  const signal = world.signal({ scope: 'instance' });
  await world.pass(5 * MINUTE, signal);
  expect(signal.recommendation()).toMatchObject({ mode: 'no-season', desired: expect.closeTo(2) });
});

describe('the options', () => {
  const none = (): number => 0;
  const sources = { arrivals: none, inFlight: none, concurrency: none };
  it.each([
    [{}, /sources must be given/],
    [{ sources: {} }, /sources.arrivals must be given/],
    [{ sources: { arrivals: none } }, /inFlight or sources.serviceTimeMs must be given/],
    [
      { sources: { ...sources, concurrency: undefined } },
      /concurrency must be given|concurrency or/,
    ],
    [{ sources: { ...sources, rate: none } }, /unknown option/i],
    [{ sources: { ...sources, queued: 3 } }, /sources.queued must be a function/],
    [{ sources, minReplicas: 2 }, /minReplicas is for the scope 'service'/],
    [
      { sources, scope: 'service', minReplicas: 5, maxReplicas: 4 },
      /maxReplicas must be >= minReplicas/,
    ],
    [{ sources, slotMs: 7 * MINUTE }, /slotMs must be a part of the day/],
    [{ sources, timeZone: 'Mars/Olympus' }, /time zone/i],
    [{ sources, targetUtilization: 1.1 }, /targetUtilization/],
    [{ sources, confidence: 1 }, /confidence/],
  ])('are refused: %o', (options, message) => {
    expect(() => scalingSignal(options as unknown as ScalingOptions)).toThrow(message);
  });
});
