import { show } from '@temper/core/policy';
import type { Line, Linked } from './line.ts';

/** In which order calls that wait are served. Made by `fairQueue` or `priorityQueue`. */
export interface QueueOrder {
  /** Which option of a call says in whose turn it is served. */
  readonly orderedBy: 'key' | 'priority';
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

/** Checks the option `queue`. @throws {TypeError} unless a {@link QueueOrder} */
export function queueRule(owner: string, option: string, value: unknown): void {
  const order = value as Partial<QueueOrder> | null;
  if (typeof order === 'object' && typeof order?.createLine === 'function') return;
  throw new TypeError(
    `${owner}: ${option} must be made by fairQueue() or priorityQueue(), got ${show(value)}.`,
  );
}

/** As {@link queueRule}, for limiters whose calls wait in several processes. */
export function sharedQueueRule(owner: string, option: string, value: unknown): void {
  queueRule(owner, option, value);
  if ((value as QueueOrder).orderedBy === 'key') return;
  throw new TypeError(`${owner}: priorityQueue() is for limiters of one process; use fairQueue().`);
}
