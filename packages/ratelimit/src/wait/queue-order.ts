import { show } from '@temper/core/policy';
import type { Line, Linked } from './line.ts';

/** In which order calls that wait are served. Made by `fairQueue`. */
export interface QueueOrder {
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
  throw new TypeError(`${owner}: ${option} must be made by fairQueue(), got ${show(value)}.`);
}
