import {
  concurrency,
  gcra,
  keyed,
  type RatePlan,
  slidingWindow,
  tokenBucket,
} from '@temper/ratelimit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Bench, Measure } from '../types.ts';

const KEYS = 100_000;
const GROUP = `token bucket, ${KEYS} keys in random order`;
const MEMORY = `bytes per key beyond the key itself, ${KEYS} keys`;

const keys = Array.from({ length: KEYS }, (_, i) => `user-${(i * 7919) % KEYS}`);

/** Returns keys in pseudo-random order, so that CPU caches do not distort the result. */
function walk(): () => string {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return keys[state % KEYS]!;
  };
}

/** Minimal keyed limiter: a Map of indexes and two flat arrays, without eviction. */
function flatMap(): (key: string) => boolean {
  const places = new Map<string, number>();
  const tokens = new Float64Array(KEYS).fill(10);
  const at = new Float64Array(KEYS);
  return (key) => {
    const now = performance.now();
    let place = places.get(key);
    if (place === undefined) {
      place = places.size;
      places.set(key, place);
      at[place] = now;
    }
    const left = Math.min(10, tokens[place]! + ((now - at[place]!) * 100) / 60_000);
    at[place] = now;
    tokens[place] = left < 1 ? left : left - 1;
    return left >= 1;
  };
}

type Ask = (key: string) => unknown;

const flexibleOf = (): Ask => {
  const limiter = new RateLimiterMemory({ points: 100, duration: 60 });
  return (key) => limiter.consume(key).catch(() => undefined);
};
const options = { maxKeys: KEYS };
const bucketsOf = (): Ask => {
  const limiter = keyed({ template: tokenBucket(), ...options });
  return (key) => limiter.tryAcquire({ key });
};
const gcraOf = (): Ask => {
  const limiter = keyed({ template: gcra(), ...options });
  return (key) => limiter.tryAcquire({ key });
};
const slidingOf = (): Ask => {
  const limiter = keyed({ template: slidingWindow(), ...options });
  return (key) => limiter.tryAcquire({ key });
};
const plansOf = (): Ask => {
  const plan = (key: string): RatePlan => ({ limit: key.length * 10 });
  const limiter = keyed({ template: tokenBucket(), plan, ...options });
  return (key) => limiter.tryAcquire({ key });
};
const madeOf = (): Ask => {
  const limiter = keyed({ limiter: (key) => tokenBucket({ limit: key.length * 10 }), ...options });
  return (key) => limiter.tryAcquire({ key });
};
const permitsOf = (): Ask => {
  const limiter = keyed({ limiter: () => concurrency(), ...options });
  return (key) => limiter.tryAcquire({ key })?.release();
};

function row(name: string, make: () => Ask, more: Partial<Bench> = {}): Bench {
  const ask = make();
  for (const key of keys) ask(key);
  const next = walk();
  return { group: GROUP, name, ...more, fn: () => ask(next()) };
}

export const byKey: readonly Bench[] = [
  row('floor: a Map and flat arrays, unbounded', flatMap, { floor: true }),
  row('temper', bucketsOf, { aim: 1.5 }),
  row('temper, gcra', gcraOf),
  row('temper, sliding window', slidingOf),
  row('temper, limits by plan', plansOf),
  row('temper, a bucket made for each key', madeOf),
  row('temper, bulkheads', permitsOf),
  row('rate-limiter-flexible', flexibleOf),
];

async function bytesPerKey(make: () => Ask, count: number): Promise<number> {
  const before = await used();
  const ask = make();
  for (let i = 0; i < count; i++) ask(keys[i % KEYS]!);
  const after = await used();
  ask(keys[0]!);
  return (after - before) / KEYS;
}

async function used(): Promise<number> {
  // The second collection frees objects that were waiting for finalisation.
  for (let round = 0; round < 2; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    globalThis.gc?.();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const bytes = (name: string, make: () => Ask, aim?: number): Measure => ({
  group: MEMORY,
  name,
  unit: 'bytes/key',
  long: true,
  ...(aim === undefined ? {} : { aim }),
  measure: () => bytesPerKey(make, KEYS),
});

export const memory: readonly Measure[] = [
  bytes('floor: a Map and flat arrays, unbounded', flatMap),
  bytes('temper', bucketsOf, 150),
  bytes('temper, gcra', gcraOf, 150),
  bytes('temper, sliding window of ten segments', slidingOf),
  bytes('temper, limits by plan', plansOf, 150),
  bytes('temper, a bucket made for each key', madeOf, 150),
  bytes('temper, bulkheads', permitsOf),
  bytes('rate-limiter-flexible', flexibleOf),
];

/** A million keys in a limiter that keeps at most a tenth of them. */
export const bounded: readonly Measure[] = [
  {
    group: 'a million keys cycling through a limiter with room for a tenth of them',
    name: 'temper: bytes kept, per key that there is room for',
    unit: 'bytes/key',
    // Includes the key strings, which only the limiter keeps: about 32 bytes each.
    aim: 150 + 32,
    long: true,
    measure: async () => {
      const limiter = keyed({ template: tokenBucket(), ...options });
      const before = await used();
      for (let i = 0; i < 1_000_000; i++) limiter.tryAcquire({ key: `key-${i}` });
      const after = await used();
      limiter.tryAcquire({ key: 'key-0' });
      return (after - before) / KEYS;
    },
  },
];

/** Idle limiters. */
export const idle: readonly Measure[] = [
  {
    group: 'ten thousand idle limiters',
    name: 'temper, token bucket',
    unit: 'bytes each',
    aim: 1024,
    measure: async () => {
      const before = await used();
      const limiters = Array.from({ length: 10_000 }, (_, i) =>
        tokenBucket({ name: `limiter-${i}` }),
      );
      return ((await used()) - before) / limiters.length;
    },
  },
  {
    group: 'ten thousand idle limiters',
    name: 'temper, timers',
    unit: 'timers',
    aim: 0,
    measure: () => {
      const limiters = Array.from({ length: 10_000 }, (_, i) =>
        tokenBucket({ name: `timed-${i}` }),
      );
      const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
      return limiters.length === 0 ? -1 : timers.length;
    },
  },
];
