import type { CallOptions, Executor } from '@temper/core';
import {
  allOf,
  type ConcurrencyOptions,
  concurrency,
  fairQueue,
  priorityQueue,
} from '@temper/ratelimit';
import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { pipeline } from '../../src/index.ts';

/** A limit in which somebody else has a place for a while. */
function busy(clock: ManualClock): Executor {
  const inner = concurrency({ name: 'inner', limit: 2, clock });
  void inner.execute(() => clock.sleep(35));
  return inner;
}
const outer = (clock: ManualClock): Executor => concurrency({ name: 'outer', limit: 50, clock });

/** Limits around the one whose order is looked at, and inside it. */
const PLACES: Readonly<Record<string, (clock: ManualClock, middle: Executor) => Executor>> = {
  'by itself': (_, middle) => middle,
  'inside another limit': (clock, middle) => pipeline({ name: 'two', clock }, outer(clock), middle),
  'around one that is full': (clock, middle) =>
    pipeline({ name: 'two', clock }, middle, busy(clock)),
  'between two limits, the inner one of which is full': (clock, middle) =>
    pipeline({ name: 'three', clock }, outer(clock), middle, busy(clock)),
};

/** The order in which calls run, of which each takes ten milliseconds. */
async function orderOf(
  place: (clock: ManualClock, middle: Executor) => Executor,
  make: (clock: ManualClock) => Executor,
  calls: readonly (readonly [name: string, options: CallOptions])[],
): Promise<readonly string[]> {
  const clock = new ManualClock();
  const policy = place(clock, make(clock));
  const order: string[] = [];
  const all = calls.map(([name, options]) =>
    policy.execute(async () => {
      order.push(name);
      await clock.sleep(10);
    }, options),
  );
  await clock.advance(1_000);
  await Promise.all(all);
  return order;
}

const limit =
  (options: Omit<ConcurrencyOptions, 'clock'>) =>
  (clock: ManualClock): Executor =>
    concurrency({ name: 'middle', maxQueue: 100, ...options, clock });

describe.each(Object.entries(PLACES))('a limit %s', (_, place) => {
  it('serves calls of higher priority first', async () => {
    const make = limit({ limit: 2, queue: priorityQueue() });
    const low = ['a', 'b', 'c', 'd', 'e'].map((name) => [name, { priority: 'sheddable' }] as const);
    const high = ['high', { priority: 'critical-plus' }] as const;
    const order = await orderOf(place, make, [...low, high]);
    expect(order.indexOf('high')).toBeLessThan(order.indexOf('d'));
  });

  it('shares turns among callers', async () => {
    const make = limit({ limit: 2, queue: fairQueue() });
    const greedy = ['a', 'b', 'c', 'd', 'e'].map((name) => [name, { key: 'greedy' }] as const);
    const order = await orderOf(place, make, [...greedy, ['other', { key: 'other' }]]);
    expect(order.indexOf('other')).toBeLessThan(order.indexOf('d'));
  });

  it.each<[string, (clock: ManualClock) => Executor]>([
    ['a limit', limit({ limit: 2 })],
    [
      'a group of limits',
      (clock) =>
        allOf({
          name: 'group',
          clock,
          limits: [{ limiter: concurrency({ name: 'middle', limit: 2, clock }) }],
        }),
    ],
  ])('does not let small calls pass a large one: %s', async (_name, make) => {
    const order = await orderOf(place, make, [
      ['first', { cost: 1 }],
      ['second', { cost: 1 }],
      ['large', { cost: 2 }],
      ...['x', 'y', 'z'].map((name) => [name, { cost: 1 }] as const),
    ]);
    expect(order.indexOf('large')).toBeLessThan(order.indexOf('x'));
  });
});
