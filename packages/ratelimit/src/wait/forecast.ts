import type { Rules } from './rules.ts';
import { type WaitQueue, wholeMs } from './wait-queue.ts';

/**
 * Tells when a request that joins a queue would get its turn, by playing the queue through on a copy
 * of the limiter's state. The copy is kept, so that each further request costs one step; it is made
 * anew when something has come differently: somebody has left the queue, or was served late.
 */
export class Forecast {
  readonly #rules: Rules;
  readonly #ahead: Float64Array;
  #at = 0;
  #surprises = -1;

  constructor(rules: Rules) {
    this.#rules = rules;
    this.#ahead = new Float64Array(rules.slots);
  }

  /** @returns when `cost` could be taken after everybody in the queue, on the scale of `now` */
  next(
    state: Float64Array,
    offset: number,
    queue: WaitQueue,
    cost: number,
    deadline: number,
    now: number,
  ): number {
    if (queue.size === 0 || queue.surprises !== this.#surprises) {
      // Whoever waits for as long as it takes need not know, and spares the others the work.
      if (queue.size > 0 && deadline === Number.POSITIVE_INFINITY) return now;
      this.#ahead.set(state.subarray(offset, offset + this.#rules.slots));
      this.#at = now;
      this.#surprises = queue.surprises;
      for (const ahead of queue.costs()) this.#pass(ahead);
    }
    const readyAt = this.#readyAt(now, cost);
    if (readyAt <= deadline) this.#pass(cost);
    return readyAt;
  }

  #readyAt(now: number, cost: number): number {
    const at = Math.max(this.#at, now);
    const delay = this.#rules.delay(this.#ahead, 0, at, cost);
    return delay === 0 ? at : at + wholeMs(delay);
  }

  #pass(cost: number): void {
    this.#at = this.#readyAt(this.#at, cost);
    this.#rules.take(this.#ahead, 0, this.#at, cost);
  }
}
