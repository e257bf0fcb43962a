import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { MemoryRateLimitStore } from './memory-store.ts';
import { sharedConcurrency } from './shared-concurrency.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';
import type { RateLimitStore } from './store.ts';

const METHODS: readonly (keyof RateLimitStore)[] = [
  'take',
  'giveBack',
  'change',
  'takePermits',
  'renewPermits',
  'returnPermits',
  'announce',
];

const throwing = new Proxy(
  {},
  {
    get: (_, name) => {
      // A promise resolves with it only if it is no thenable.
      if (name === 'then') return undefined;
      throw new Error('no');
    },
  },
);
const NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, -1, 1e308, 2 ** 53, '5', null, {}, []];
const HOSTILE: readonly unknown[] = [
  ...[undefined, null, 'OK', true, [], {}, () => 1, Symbol('x'), 5n, throwing, [throwing], [null]],
  ...NUMBERS,
  ...NUMBERS.flatMap((value) => [
    { answers: [{ taken: true, waitMs: value, receipt: 'x' }], remaining: 1, resetMs: 1 },
    { answers: [{ taken: false, retryAfterMs: value }], remaining: 1, resetMs: 1 },
    { answers: [{ taken: true, waitMs: 0, receipt: value }], remaining: value, resetMs: value },
    { granted: value, inUse: 1, expiryMs: 1 },
    { granted: 0, inUse: value, expiryMs: 1 },
    { granted: 0, inUse: 1, expiryMs: value },
    { granted: 1e9, inUse: 0, expiryMs: 0 },
    [value],
  ]),
  new Array(1e6).fill('lease'),
];

const WAIT_MS = 50;

/** Every number in what a caller sees, however deep. */
function* numbersIn(value: unknown): Generator<number> {
  if (typeof value === 'number') yield value;
  if (typeof value !== 'object' || value === null) return;
  for (const each of Object.values(value)) yield* numbersIn(each);
}

/** Uses everything that shared limiters do, on a store one of whose methods answers with nonsense. */
async function use(method: keyof RateLimitStore, reply: unknown): Promise<void> {
  const clock = new ManualClock();
  let requests = 0;
  const memory = new MemoryRateLimitStore(clock);
  const store = new Proxy(memory, {
    get: (_, name: keyof RateLimitStore) => async (request: never) => {
      requests++;
      return name === method ? reply : memory[name](request);
    },
  });
  const common = { store, clock, expectedNodes: 2 };
  const limiters = [
    ...(['token-bucket', 'sliding-window', 'fixed-window'] as const).map((algorithm) =>
      sharedRateLimit({ ...common, name: algorithm, algorithm, limit: 2, windowMs: 1000 }),
    ),
    sharedConcurrency({ ...common, name: 'permits', limit: 2, leaseMs: 300 }),
  ];
  const seen: unknown[] = [];
  const pending: Promise<unknown>[] = [];
  const ask = (answer: Promise<unknown>): void => {
    pending.push(answer.then((value) => seen.push(value)).catch(() => undefined));
  };
  for (const limiter of limiters) {
    for (let i = 0; i < 4; i++) {
      ask(limiter.take());
      ask(limiter.acquire({ maxWaitMs: WAIT_MS }));
    }
    ask(limiter.peek());
    ask(limiter.execute(() => 1, { timeoutMs: WAIT_MS }));
    const controller = new AbortController();
    ask(limiter.acquire({ signal: controller.signal }));
    await settle();
    controller.abort();
    if ('reset' in limiter) {
      ask(limiter.block(10));
      ask(limiter.penalty(1));
      ask(limiter.reward(1));
      ask(limiter.reset());
    }
  }
  for (let i = 0; i < 20; i++) await clock.advance(WAIT_MS);
  await Promise.all(pending);
  for (const limiter of limiters) {
    const stats = limiter.stats();
    expect(stats.queued).toBe(0);
    seen.push(stats);
  }
  for (const number of numbersIn(seen)) {
    expect(Number.isFinite(number)).toBe(true);
    // The longest that a key can be blocked.
    expect(number).toBeLessThanOrEqual(7 * 24 * 3_600_000 + 2000);
  }
  // No loop spins: a second of use is no more than a few requests per call.
  expect(requests).toBeLessThan(500);
}

describe.each(METHODS)('a store whose %s answers with nonsense', (method) => {
  it('ends no process, leaves no call waiting and no loop spinning', async () => {
    for (const reply of HOSTILE) await use(method, reply);
  });
});
