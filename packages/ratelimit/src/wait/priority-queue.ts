import type { Priority } from '@temper/core';
import { FairLine } from './fair-line.ts';
import type { Linked } from './line.ts';
import type { CallerLine, LineOrder } from './line-order.ts';
import type { QueueOrder } from './queue-order.ts';

/** The share of each priority while calls of all wait: each one four times that of the next below. */
const WEIGHTS: Readonly<Record<Priority, number>> = {
  sheddable: 1,
  'sheddable-plus': 4,
  critical: 16,
  'critical-plus': 64,
};

/**
 * Serves calls that wait by their `priority`: while calls of two priorities wait, the higher one gets four
 * times as many turns, by cost, for each step between them; within one, calls are served as they came. No
 * priority starves: however many more important calls wait, at least one turn of 85 is for the lowest. When
 * the queue is full, a more important call takes the place of the last one of a less important priority. A
 * call without a priority is `critical`. For limiters of one process.
 *
 * ```ts
 * const search = adaptiveConcurrency({ name: 'search', queue: priorityQueue() });
 * await search.execute(() => query(text), { priority: 'sheddable' });
 * ```
 *
 * One may serve several limiters: each has a line of its own.
 */
export function priorityQueue(): QueueOrder {
  const weightOf = (_owner: string, flow: string): number => WEIGHTS[flow as Priority];
  const order: LineOrder = {
    orderedBy: 'priority',
    weightOf,
    createLine<T extends Linked<T>>(owner: string): CallerLine<T> {
      return new FairLine<T>((flow) => weightOf(owner, flow));
    },
  };
  return order;
}
