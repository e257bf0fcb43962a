import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { keyed } from '../keyed/keyed.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';
import type { RateLimitStore } from './store.ts';

const clock = new ManualClock();
const requests: string[] = [];
const memory = new MemoryRateLimitStore(clock);
const store = new Proxy(memory, {
  get: (_, name: keyof RateLimitStore) => (request: never) => {
    requests.push(name);
    return memory[name](request);
  },
});
const rate = sharedRateLimit({ name: 'rate', store, clock, nodes: 1 });
const permits = sharedConcurrency({ name: 'permits', store, clock, nodes: 1 });
const local = keyed({ template: tokenBucket({ clock }) });

type Entry = (key: unknown) => unknown;
const options = (key: unknown): never => ({ key }) as never;
const entries: [string, Entry][] = [
  ['rate.tryAcquire', (key) => rate.tryAcquire(options(key))],
  ['rate.acquire', (key) => rate.acquire(options(key))],
  ['rate.take', (key) => rate.take(options(key))],
  ['rate.peek', (key) => rate.peek(options(key))],
  ['rate.reset', (key) => rate.reset(options(key))],
  ['rate.block', (key) => rate.block(1, options(key))],
  ['rate.penalty', (key) => rate.penalty(1, options(key))],
  ['rate.reward', (key) => rate.reward(1, options(key))],
  ['rate.execute', (key) => rate.execute(() => 1, options(key))],
  ['permits.tryAcquire', (key) => permits.tryAcquire(options(key))],
  ['permits.acquire', (key) => permits.acquire(options(key))],
  ['permits.take', (key) => permits.take(options(key))],
  ['permits.peek', (key) => permits.peek(options(key))],
  ['permits.execute', (key) => permits.execute(() => 1, options(key))],
  ['keyed.tryAcquire', (key) => local.tryAcquire(options(key))],
  ['keyed.acquire', (key) => local.acquire(options(key))],
  ['keyed.take', (key) => local.take(options(key))],
  ['keyed.peek', (key) => local.peek(options(key))],
  ['keyed.execute', (key) => local.execute(() => 1, options(key))],
  ['keyed.for', (key) => local.for(key as never)],
  ['keyed.forget', (key) => local.forget(key as never)],
];
const wrong: [string, unknown][] = [
  ['null', null],
  ['an empty string', ''],
  ['a number', 7],
  ['an object', { key: 'ann' }],
  ['a list', ['ann']],
  ['a promise', Promise.resolve('ann')],
  ['a String object', Object('ann')],
  ['a symbol', Symbol('ann')],
];

describe.each(entries)('the key of %s', (_entry, call) => {
  it.each(wrong)('is refused when it is %s, and the store is not asked', async (_, key) => {
    requests.length = 0;
    await expect((async () => call(key))()).rejects.toThrow(TypeError);
    expect(requests).toEqual([]);
    expect([rate.stats().storeErrors, permits.stats().storeErrors]).toEqual([0, 0]);
  });
});

describe.each(entries.filter(([name]) => !/keyed\.for/.test(name)))('%s', (name) => {
  it('refuses null in the place of its options', async () => {
    requests.length = 0;
    const [kind, method] = name.split('.') as ['rate' | 'permits' | 'keyed', string];
    const limiter = { rate, permits, keyed: local }[kind] as unknown as Record<string, Entry>;
    const before = { block: [1], penalty: [1], reward: [1], execute: [() => 1] }[method] ?? [];
    const call = async () => (limiter[method] as (...args: unknown[]) => unknown)(...before, null);
    await expect(call()).rejects.toThrow(TypeError);
    expect(requests).toEqual([]);
    expect([rate.stats().storeErrors, permits.stats().storeErrors]).toEqual([0, 0]);
  });
});
