import type { Line, Linked } from './line.ts';
import { type QueueOrder, queueRule } from './queue-order.ts';

/** What a {@link QueueOrder} is for the limiters of this package. */
export interface LineOrder extends QueueOrder {
  /** Creates an empty line for a limiter. */
  createLine<T extends Linked<T>>(owner: string): CallerLine<T>;
  /** The weight of a caller at a limiter, from 0.001 to 1000. */
  weightOf(owner: string, caller: string): number;
}

/** A line that is ordered by caller. */
export interface CallerLine<T> extends Line<T> {
  /** The first ones in order, at most so many. */
  first(most: number): T[];
  /** Whether one is the first of its caller. */
  leads(item: T): boolean;
  /** Whom one that stands in the line displaces when there is no room; `undefined` for nobody. */
  behind(item: T): T | undefined;
}

/** The order behind the option `queue`, which {@link queueRule} has checked. */
export function lineOrder(order: QueueOrder | undefined): LineOrder | undefined {
  return order as LineOrder | undefined;
}

/** As {@link queueRule}, for limiters whose calls wait in several processes. */
export function sharedQueueRule(owner: string, option: string, value: unknown): void {
  queueRule(owner, option, value);
  if ((value as QueueOrder).orderedBy === 'key') return;
  throw new TypeError(`${owner}: priorityQueue() is for limiters of one process; use fairQueue().`);
}
