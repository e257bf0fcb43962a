import { type Clock, TimeoutQueue } from '@temper/core';

/**
 * Timeout queues by duration, so that waits of equal length share one timer. Meant for durations out
 * of a small set, such as those of an observed duration; beyond the limit the oldest queue is let go,
 * which does no harm: what waits in it still comes due.
 */
export class DelayQueues {
  static readonly #LIMIT = 256;
  readonly #clock: Clock;
  readonly #queues = new Map<number, TimeoutQueue>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(ms: number): TimeoutQueue {
    let queue = this.#queues.get(ms);
    if (queue === undefined) {
      queue = new TimeoutQueue(this.#clock, ms);
      this.#queues.set(ms, queue);
      if (this.#queues.size > DelayQueues.#LIMIT) {
        for (const oldest of this.#queues.keys()) {
          this.#queues.delete(oldest);
          break;
        }
      }
    }
    return queue;
  }
}
