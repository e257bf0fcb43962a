import type { Clock } from '@temper/core';
import { TimeoutQueue } from '@temper/core/policy';

/** Most queues kept; a duration that follows latencies takes far fewer values. */
const MAX_QUEUES = 256;

/**
 * Timeout queues by duration, so that waits of equal length share one timer. Meant for a small set of
 * durations, such as those of an observed duration. Beyond the limit the oldest queue is dropped from
 * the map; what waits in it still expires on time.
 */
export class DelayQueues {
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
      if (this.#queues.size > MAX_QUEUES) {
        const [oldest] = this.#queues.keys();
        this.#queues.delete(oldest as number);
      }
    }
    return queue;
  }
}
