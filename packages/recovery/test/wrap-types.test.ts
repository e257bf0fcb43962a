import { circuitBreaker } from '@temper/breaker';
import type { CallContext, Outcome, Policy } from '@temper/core';
import { concurrency } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type CachedPolicy,
  cached,
  chaos,
  fallback,
  hedge,
  pipeline,
  pipelines,
  timeout,
} from '../src/index.ts';
import { type RecoveryResult, recover } from '../src/plan/index.ts';

/** One policy of each kind, with its own type. */
const policies = {
  retry: retry(),
  breaker: circuitBreaker(),
  limiter: concurrency(),
  timeout: timeout(),
  hedge: hedge(),
  fallback: fallback({ handler: () => 1 }),
  cached: cached({ key: () => 'k' }),
  chaos: chaos(),
  pipeline: pipeline({}, retry(), circuitBreaker(), timeout()),
  named: pipelines({ define: { p: [] } }).get('p') as Policy,
};

interface Catalogue {
  readonly prices: Readonly<Record<string, number>>;
}

interface Find {
  (id: number): Promise<Buffer>;
  (name: string, encoding: BufferEncoding): Promise<string>;
}

const find: Find = async (...[what, encoding]: unknown[]): Promise<never> =>
  (encoding === undefined ? Buffer.from(String(what)) : String(what)) as never;

async function price(this: Catalogue, item: string, ...more: readonly string[]): Promise<number> {
  return [item, ...more].reduce((sum, one) => sum + (this.prices[one] ?? 0), 0);
}

const first = async <T>(list: readonly [T, ...T[]]): Promise<T> => list[0];

function halve(this: Catalogue, n: number): number {
  return n / 2;
}

describe.each(Object.entries(policies))('wrap of %s', (_, policy) => {
  it('returns the function’s own type: parameters, optional and rest ones, and result', () => {
    const own = async (a: number, b?: string, ...c: readonly boolean[]): Promise<Date> =>
      new Date(a + (b?.length ?? 0) + c.length);
    expectTypeOf(policy.wrap(own)).toEqualTypeOf<typeof own>();
  });

  it('keeps overloads', async () => {
    const wrapped = policy.wrap(find);
    expectTypeOf(wrapped).toEqualTypeOf<Find>();
    expectTypeOf(wrapped(1)).toEqualTypeOf<Promise<Buffer>>();
    expectTypeOf(wrapped('a', 'utf8')).toEqualTypeOf<Promise<string>>();
    expect(await wrapped('a', 'utf8')).toBe('a');
    expect(await wrapped(1)).toBeInstanceOf(Buffer);
  });

  it('keeps `this`', async () => {
    const wrapped = policy.wrap(price);
    expectTypeOf(wrapped).toEqualTypeOf<typeof price>();
    expectTypeOf(wrapped).thisParameter.toEqualTypeOf<Catalogue>();
    const shop = { prices: { tea: 3, milk: 1 }, price: wrapped };
    expect(await shop.price('tea', 'milk')).toBe(4);
    // @ts-expect-error it cannot be called without its `this`
    const alone = (): unknown => wrapped('tea');
    expect(alone).toBeTypeOf('function');
  });

  it('keeps type parameters', async () => {
    const wrapped = policy.wrap(first);
    expectTypeOf(wrapped).toEqualTypeOf<typeof first>();
    const answer: 'a' | 'b' = await wrapped<'a' | 'b'>(['a', 'b']);
    expect(answer).toBe('a');
  });

  it('makes a synchronous function asynchronous, and keeps its parameters and `this`', async () => {
    const wrapped = policy.wrap(halve);
    expectTypeOf(wrapped).toEqualTypeOf<(this: Catalogue, n: number) => Promise<number>>();
    expect(await wrapped.call({ prices: {} }, 4)).toBe(2);
  });

  it('rejects wrong arguments at compile time', () => {
    const wrapped = policy.wrap(price);
    // @ts-expect-error an item is a string
    const wrong = (): unknown => wrapped.call({ prices: {} }, 7);
    expect(wrong).toBeTypeOf('function');
  });
});

describe('execute', () => {
  it('returns a promise of the operation’s awaited result', () => {
    const policy = policies.pipeline;
    expectTypeOf(policy.execute(() => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(policy.execute(async () => 'a')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(policies.cached).toExtend<CachedPolicy>();
    const plan = recover({ operation: 'op' });
    expectTypeOf(plan.run(async () => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(plan.execute(async () => 1)).toEqualTypeOf<Promise<RecoveryResult<number>>>();
  });
});

describe('wrap with options', () => {
  it('takes fixed options, or a function of the arguments with their types', async () => {
    const policy = policies.pipeline;
    const load = async (id: number, region?: string): Promise<string> => `${id} ${region}`;
    const fixed = policy.wrap(load, { operation: 'load', cost: 2 });
    const keyed = policy.wrap(load, (id, region) => {
      expectTypeOf(id).toEqualTypeOf<number>();
      expectTypeOf(region).toEqualTypeOf<string | undefined>();
      return { key: String(id) };
    });
    const cachedLoad = cached({ freshMs: 1000 }).wrap(load, (id, region) => ({
      key: `${id} ${region}`,
    }));
    expectTypeOf(fixed).toEqualTypeOf<typeof load>();
    expectTypeOf(keyed).toEqualTypeOf<typeof load>();
    expectTypeOf(cachedLoad).toEqualTypeOf<typeof load>();
    expect(await cachedLoad(1, 'eu')).toBe('1 eu');
    expect(await cachedLoad(2, 'eu')).toBe('2 eu');
  });

  it('rejects options that do not exist', () => {
    const load = async (id: number): Promise<number> => id;
    // @ts-expect-error `ttl` is not a call option
    const wrong = (): unknown => policies.timeout.wrap(load, { ttl: 1 });
    expect(wrong).toThrow("unknown call option 'ttl'");
  });
});

describe('shouldHandle', () => {
  it('takes a lambda with a typed outcome in every policy', () => {
    const shouldHandle = (o: Outcome<Response>): boolean => o.ok && o.value.status >= 500;
    const made = [
      hedge({ shouldHandle }),
      fallback({ handler: () => 1, shouldHandle }),
      cached({ shouldHandle }),
      retry({ shouldHandle }),
      circuitBreaker({ shouldHandle }),
    ];
    expect(made.every((policy) => typeof policy.execute === 'function')).toBe(true);
  });

  it('gives an untyped lambda an outcome of unknown', () => {
    hedge({
      shouldHandle: (outcome, call) => {
        expectTypeOf(outcome).toEqualTypeOf<Outcome<unknown>>();
        expectTypeOf(call).toEqualTypeOf<CallContext>();
        return false;
      },
    });
    fallback({
      handler: ({ outcome }, call) => {
        expectTypeOf(outcome).toEqualTypeOf<Outcome<unknown>>();
        expectTypeOf(call).toEqualTypeOf<CallContext>();
      },
    });
    expect.assertions(0);
  });
});
