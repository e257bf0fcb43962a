import { askNumber, resolveOptions, typeRule } from '@temper/core/policy';
import { FairLine } from './fair-line.ts';
import type { Linked } from './line.ts';
import type { CallerLine, LineOrder } from './line-order.ts';
import type { QueueOrder } from './queue-order.ts';

/** Options of {@link fairQueue}. */
export interface FairQueueOptions {
  /**
   * The weight of a caller: with 2, it gets twice as much as one with 1 while both wait. Called when a
   * caller begins to wait. What it throws, and what is no number from 0.001 to 1000, is logged or taken
   * for 1.
   *
   * @defaultValue 1 for each caller
   */
  readonly weight?: (caller: string) => number;
}

/**
 * Serves calls that wait in fair order: the `key` of a call names its caller, and each caller gets the
 * same share by cost, or one by its weight, however many calls it has waiting. When the queue is full,
 * the caller that waits with most loses its last call. A call whose turn would come too late is refused
 * at its deadline, and at once only when it could not pass even as the next one.
 *
 * ```ts
 * const database = concurrency({ name: 'database', limit: 20, queue: fairQueue() });
 * await database.execute(() => query(sql), { key: tenant });
 * ```
 *
 * One may serve several limiters: each has a line of its own.
 *
 * @throws {TypeError} when an option is unknown or of a wrong type
 */
export function fairQueue(options: FairQueueOptions = {}): QueueOrder {
  const { weight } = resolveOptions<FairQueueOptions, 'weight'>(
    'fairQueue',
    options,
    {},
    {
      weight: typeRule('function'),
    },
  );
  const weightOf = (owner: string, caller: string): number => {
    if (weight === undefined) return 1;
    const found = askNumber(owner, 'fairQueue.weight', weight, caller) ?? 1;
    return found >= 0.001 && found <= 1000 ? found : 1;
  };
  const order: LineOrder = {
    orderedBy: 'key',
    weightOf,
    createLine<T extends Linked<T>>(owner: string): CallerLine<T> {
      return new FairLine<T>((caller) => weightOf(owner, caller));
    },
  };
  return order;
}
