import { ManualClock } from '@temper/testkit';
import { describe, it } from 'vitest';
import { MemoryRateLimitStore } from './shared/memory-store.ts';
import { rateLimitStoreLaws, type StoreUnderTest } from './store-laws.ts';

/** A memory store whose clock can be set back. */
async function create(): Promise<StoreUnderTest> {
  let now = 1e9;
  const clock = Object.assign(Object.create(new ManualClock()) as ManualClock, {
    monotonic: () => now,
  });
  let inner = new MemoryRateLimitStore(clock);
  const store = new Proxy({} as MemoryRateLimitStore, {
    get: (_, method: keyof MemoryRateLimitStore) => inner[method].bind(inner),
  });
  return {
    store,
    pass: async (ms) => {
      now += ms;
    },
    lose: async () => {
      inner = new MemoryRateLimitStore(clock);
    },
  };
}

describe('the store in memory', () => {
  for (const { name, run } of rateLimitStoreLaws(create, 1, 400)) it(name, run);
});
