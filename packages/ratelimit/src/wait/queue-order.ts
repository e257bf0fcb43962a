import { show } from '@temper/core/policy';

/** In which order calls that wait are served. Made by `fairQueue` or `priorityQueue`. */
export interface QueueOrder {
  /** Which option of a call says in whose turn it is served. */
  readonly orderedBy: 'key' | 'priority';
}

/** Checks the option `queue`. @throws {TypeError} unless made by `fairQueue` or `priorityQueue` */
export function queueRule(owner: string, option: string, value: unknown): void {
  if (typeof (value as { createLine?: unknown } | null)?.createLine === 'function') return;
  throw new TypeError(
    `${owner}: ${option} must be made by fairQueue() or priorityQueue(), got ${show(value)}.`,
  );
}
