import type { Rule } from '../rules/rule.ts';
import { type WaitQueue, wholeMs } from './wait-queue.ts';

/**
 * Computes when a call that joins a queue gets its turn, by simulating the queue on a copy of the
 * limiter's state. The copy is kept, so that each further call costs one step; it is made anew when the
 * queue has deviated from it: a call has left, or was served late.
 */
export class Forecast {
  readonly #rule: Rule;
  readonly #ahead: Float64Array;
  #at = 0;
  #deviations = -1;

  constructor(rule: Rule) {
    this.#rule = rule;
    this.#ahead = new Float64Array(rule.slots);
  }

  /** @returns when `cost` could be taken after all calls in the queue, on the scale of `now` */
  next(
    state: Float64Array,
    offset: number,
    queue: WaitQueue,
    cost: number,
    deadline: number,
    now: number,
  ): number {
    if (queue.size === 0 || queue.deviations !== this.#deviations) {
      // A call without a deadline needs no forecast.
      if (queue.size > 0 && deadline === Number.POSITIVE_INFINITY) return now;
      this.#ahead.set(state.subarray(offset, offset + this.#rule.slots));
      this.#at = now;
      this.#deviations = queue.deviations;
      for (const ahead of queue.costs()) this.#pass(ahead);
    }
    const readyAt = this.#readyAt(now, cost);
    if (readyAt <= deadline) this.#pass(cost);
    return readyAt;
  }

  #readyAt(now: number, cost: number): number {
    const at = Math.max(this.#at, now);
    const delay = this.#rule.delay(this.#ahead, 0, at, cost);
    return delay === 0 ? at : at + wholeMs(delay);
  }

  #pass(cost: number): void {
    this.#at = this.#readyAt(this.#at, cost);
    this.#rule.take(this.#ahead, 0, this.#at, cost);
  }
}
