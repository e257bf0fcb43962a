import { circuitBreaker } from '@temper/breaker';
import type { Policy } from '@temper/core';
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
  type RecoveryResult,
  recover,
  timeout,
} from '../src/index.ts';

/** Holds `const` as they are, so that each policy's own `wrap` is what is looked at. */
const policies = {
  retry: retry(),
  breaker: circuitBreaker(),
  limiter: concurrency(),
  timeout: timeout(),
  hedge: hedge(),
  fallback: fallback({ handler: () => 1 }),
  cached: cached(),
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

describe.each(Object.entries(policies))('what %s wraps', (_, policy) => {
  it('has the function’s own type: parameters, optional ones and rest, and result', () => {
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
    // @ts-expect-error it may not be called without its `this`
    const alone = (): unknown => wrapped('tea');
    expect(alone).toBeTypeOf('function');
  });

  it('keeps type parameters', async () => {
    const wrapped = policy.wrap(first);
    expectTypeOf(wrapped).toEqualTypeOf<typeof first>();
    const answer: 'a' | 'b' = await wrapped<'a' | 'b'>(['a', 'b']);
    expect(answer).toBe('a');
  });

  it('makes a synchronous function asynchronous, with parameters and `this` kept', async () => {
    const wrapped = policy.wrap(halve);
    expectTypeOf(wrapped).toEqualTypeOf<(this: Catalogue, n: number) => Promise<number>>();
    expect(await wrapped.call({ prices: {} }, 4)).toBe(2);
  });

  it('refuses what is no function of it', () => {
    const wrapped = policy.wrap(price);
    // @ts-expect-error a number is no item
    const wrong = (): unknown => wrapped.call({ prices: {} }, 7);
    expect(wrong).toBeTypeOf('function');
  });
});

describe('what is executed', () => {
  it('has the type of the operation’s result, awaited', () => {
    const policy = policies.pipeline;
    expectTypeOf(policy.execute(() => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(policy.execute(async () => 'a')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(policies.cached).toExtend<CachedPolicy>();
    const plan = recover({ operation: 'op' });
    expectTypeOf(plan.run(async () => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(plan.execute(async () => 1)).toEqualTypeOf<Promise<RecoveryResult<number>>>();
  });
});
