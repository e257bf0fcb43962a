import { createRequire } from 'node:module';
import { circuitBreaker } from '@temper/breaker';
import { MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import type { CallOptions, Executor, Operation, Policy } from '@temper/core';
import {
  concurrency,
  fixedWindow,
  gcra,
  keyed,
  slidingWindow,
  tokenBucket,
} from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { clientRateLimit } from '@temper/ratelimit/http';
import { MemoryRateLimitStore, sharedConcurrency, sharedRateLimit } from '@temper/ratelimit/shared';
import { type ManualClock, settle } from '@temper/testkit/clock';
import { cached, pipeline } from '../../src/index.ts';

const load = createRequire(import.meta.url);
/** The packages as another copy, which a process that uses both module systems has. */
const there: {
  readonly circuitBreaker: typeof circuitBreaker;
  readonly tokenBucket: typeof tokenBucket;
} = { ...load('@temper/breaker'), ...load('@temper/ratelimit') };

/** Takes all that a limiter has, for as long as the test lasts: of each key, where it has keys. */
async function exhaust<P extends Policy>(
  policy: P,
  cost: number,
  ...keys: readonly string[]
): Promise<P> {
  for (const key of [undefined, ...keys]) {
    void policy.execute(() => new Promise(() => {}), { cost, key });
  }
  await settle();
  return policy;
}

const RATE = { limit: 10, windowMs: 1e9, maxWaitMs: 0 };

/** Policies that refuse every call. */
export const REFUSING = {
  'an isolated breaker': async (clock: ManualClock) => {
    const breaker = circuitBreaker({ clock });
    breaker.isolate();
    return breaker;
  },
  'an open breaker': async (clock: ManualClock) => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1, openDurationMs: 1e9 });
    await breaker.tryExecute(() => Promise.reject(new Error('down')));
    return breaker;
  },
  'a token bucket': (clock: ManualClock) => exhaust(tokenBucket({ clock, ...RATE }), 10),
  gcra: (clock: ManualClock) => exhaust(gcra({ clock, ...RATE }), 10),
  'a sliding window': (clock: ManualClock) => exhaust(slidingWindow({ clock, ...RATE }), 10),
  'a concurrency limit': (clock: ManualClock) =>
    exhaust(concurrency({ clock, limit: 10, maxQueue: 0 }), 10),
  'a fixed window': (clock: ManualClock) => exhaust(fixedWindow({ clock, ...RATE }), 10),
  'one key of a limiter': (clock: ManualClock) =>
    exhaust(keyed({ template: tokenBucket({ clock, ...RATE }) }).for('a'), 10),
  'an adaptive limit': (clock: ManualClock) =>
    exhaust(adaptiveConcurrency({ clock, initialLimit: 10, maxLimit: 10, maxQueue: 0 }), 10),
  'a shared rate limit': (clock: ManualClock) =>
    exhaust(
      sharedRateLimit({ name: 'rate', clock, store: new MemoryRateLimitStore(clock), ...RATE }),
      10,
      'tenant',
      'all',
    ),
  'a shared concurrency limit': (clock: ManualClock) =>
    exhaust(
      sharedConcurrency({
        name: 'at once',
        clock,
        store: new MemoryRateLimitStore(clock),
        limit: 10,
        maxWaitMs: 0,
      }),
      10,
      'tenant',
      'all',
    ),
  'the limit of a server': async (clock: ManualClock) => {
    const api = clientRateLimit({ clock, maxWaitMs: 0 });
    await api.execute(() => new Response(null, { headers: { RateLimit: '"a";r=0;t=600' } }));
    return api;
  },
  'a breaker that the fleet has opened': async (clock: ManualClock) => {
    const shared = sharedCircuit({ store: new MemoryBreakerStore(clock) });
    const options = { clock, name: 'fleet', failureThreshold: 1, openDurationMs: 1e9, shared };
    const breaker = circuitBreaker(options);
    await breaker.tryExecute(() => Promise.reject(new Error('down')));
    await settle();
    return breaker;
  },
  'a breaker whose trial runs': async (clock: ManualClock) => {
    const breaker = circuitBreaker({
      clock,
      failureThreshold: 1,
      openDurationMs: 1,
      halfOpenMaxDurationMs: 1e9,
    });
    await breaker.tryExecute(() => Promise.reject(new Error('down')));
    await clock.advance(1);
    void breaker.execute(() => new Promise(() => {}));
    await settle();
    return breaker;
  },
  'a breaker of another copy': async (clock: ManualClock) => {
    const breaker = there.circuitBreaker({ clock });
    breaker.isolate();
    return breaker;
  },
  'a token bucket of another copy': (clock: ManualClock) =>
    exhaust(there.tokenBucket({ clock, ...RATE }), 10),
  'a run that is called from inside': async (clock: ManualClock) => {
    const own = cached({ clock, singleFlight: true });
    return {
      execute: <T>(operation: Operation<T>): Promise<T> =>
        own.execute(() => own.execute(operation, { key: 'a' }), { key: 'a' }),
    };
  },
  'a full pipeline': async (clock: ManualClock) =>
    pipeline({ clock }, await exhaust(concurrency({ clock, limit: 10, maxQueue: 0 }), 10)),
} satisfies Record<string, (clock: ManualClock) => Promise<Executor>>;
export type Refusing = keyof typeof REFUSING;

/** Ways to make a call. */
export const CALLS: Readonly<
  Record<string, (policy: Policy, operation: () => unknown) => unknown>
> = {
  plain: (policy, operation) => policy.tryExecute(operation),
  'with cost, priority and key': (policy, operation) =>
    policy.tryExecute(operation, { cost: 2, priority: 'critical-plus', key: 'tenant' }),
  'with a deadline and a signal': (policy, operation) =>
    policy.tryExecute(operation, { timeoutMs: 10_000, signal: new AbortController().signal }),
  'with a deadline, inside an asynchronous iteration': async (policy, operation) => {
    const outer = pipeline({});
    let outcome: unknown;
    const items = await outer.execute(async function* (call) {
      outcome = await policy.tryExecute(operation, { parent: call, timeoutMs: 10_000 });
      yield outcome;
    });
    for await (const item of items) outcome = item;
    return outcome;
  },
  'with a parent': (policy, operation) => {
    const parent = pipeline({});
    const options: CallOptions = { cost: 2, key: 'tenant' };
    return parent.execute((call) => policy.tryExecute(operation, { parent: call }), options);
  },
};
