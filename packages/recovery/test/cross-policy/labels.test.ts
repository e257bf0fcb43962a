import type { CallContext, Executor } from '@temper/core';
import { concurrency, keyed, tokenBucket } from '@temper/ratelimit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, hedge, pipeline } from '../../src/index.ts';
import { build, KIND_NAMES, KINDS, type Kind, PAIRS, SENSIBLE } from './catalogue.ts';

const ORDERS: readonly (readonly Kind[])[] = [...PAIRS, ...SENSIBLE];
const LABELS = {
  operation: 'fetch_package',
  attributes: { package: 'std' },
  cost: 3,
  priority: 'critical-plus',
  key: 'tenant',
} as const;

describe.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  it('passes operation, attributes, cost, priority and key to the operation', async () => {
    const { clock, policy } = build(kinds);
    const seen: CallContext[] = [];
    await clock.runUntil(policy.execute((call) => seen.push(call), LABELS));
    expect(seen[0]).toMatchObject(LABELS);
  });

  it('passes the labels of a parent call, over which those of the call have precedence', async () => {
    const { clock, policy } = build(kinds);
    const seen: CallContext[] = [];
    const parent = pipeline({ clock });
    await clock.runUntil(
      parent.execute((call) => policy.execute((own) => seen.push(own), { parent: call }), LABELS),
    );
    await clock.runUntil(
      parent.execute(
        (call) => policy.execute((own) => seen.push(own), { parent: call, key: 'other', cost: 1 }),
        LABELS,
      ),
    );
    expect(seen).toMatchObject([LABELS, { ...LABELS, key: 'other', cost: 1 }]);
  });
});

describe.each(KIND_NAMES.map((kind) => [kind]))('inside %s, at three depths,', (kind) => {
  /** The policy inside zero, one and two pipelines with a policy of this kind around it. */
  const depths = [0, 1, 2];
  const nest = (clock: ManualClock, depth: number, ...inner: Parameters<typeof pipeline>[1][]) => {
    let policy = pipeline({ clock }, KINDS[kind](clock), ...inner);
    for (let i = 0; i < depth; i++) policy = pipeline({ clock }, policy);
    return policy;
  };

  it('an attempt of a hedge around it knows its number, also through a policy of another library', async () => {
    const foreign: Executor = {
      execute: async (operation, options) => operation({ signal: options?.signal } as CallContext),
    };
    for (const between of [[], [foreign]]) {
      for (const depth of depths) {
        const clock = new ManualClock();
        const around = hedge({ clock, delayMs: 50 });
        const policy = pipeline({ clock }, around, ...between, nest(clock, depth));
        const seen: number[] = [];
        const outcome = policy.execute(async ({ hedge: number, signal }) => {
          seen.push(number);
          await clock.sleep(number === 1 ? 150 : 5, signal);
        });
        await clock.runUntil(outcome);
        // Both attempts share one run of a single flight; a hedge inside has first attempts of its own.
        const seenBy: Partial<Record<Kind, number[]>> = { singleFlight: [1], hedge: [1, 1] };
        expect(seen).toEqual(seenBy[kind] ?? [1, 2]);
      }
    }
    const clock = new ManualClock();
    const alone = nest(clock, 0).execute(({ hedge: number }) => number);
    expect(await clock.runUntil(alone)).toBe(1);
  });

  it('a token bucket and a concurrency limit take the cost of the call', async () => {
    for (const depth of depths) {
      const clock = new ManualClock();
      const bucket = tokenBucket({ clock, limit: 10, windowMs: 1000 });
      const permits = concurrency({ clock, limit: 10 });
      const policy = nest(clock, depth, bucket, permits);
      let inFlight = 0;
      await clock.runUntil(
        policy.execute(
          () => {
            inFlight = permits.stats().inFlight;
          },
          { cost: 4 },
        ),
      );
      expect([inFlight, bucket.peek().remaining]).toEqual([4, 6]);
    }
  });

  it('a keyed limiter has one limit for each key of the calls', async () => {
    for (const depth of depths) {
      const clock = new ManualClock();
      const limiter = keyed({
        template: tokenBucket({ clock, limit: 2, windowMs: 1_000_000, maxWaitMs: 0 }),
      });
      const policy = nest(clock, depth, limiter);
      const run = async (key: string): Promise<boolean> =>
        (await clock.runUntil(policy.tryExecute(() => 1, { key }))).ok;
      const passed = [
        await run('a'),
        await run('b'),
        await run('a'),
        await run('a'),
        await run('b'),
      ];
      expect(passed.map(Number)).toEqual(
        kind === 'fallback' || kind === 'cached' || kind === 'singleFlight'
          ? [1, 1, 1, 1, 1] // the third call of 'a' is refused, and answered from elsewhere
          : [1, 1, 1, 0, 1],
      );
      expect(limiter.stats().keys).toBe(2);
    }
  });

  it('a cache has one answer for each key of the calls', async () => {
    for (const depth of depths) {
      const clock = new ManualClock();
      const cache = cached({ clock, freshMs: 60_000 });
      const policy = nest(clock, depth, cache);
      let calls = 0;
      const run = (key: string): Promise<string> =>
        clock.runUntil(policy.execute(async () => `${key} ${++calls}`, { key }));
      expect([await run('a'), await run('b')]).toEqual(['a 1', 'b 2']);
      await run('a');
      expect(cache.stats()).toMatchObject({ keys: 2, calls: { success: 2 } });
    }
  });
});
