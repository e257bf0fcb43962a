import { type Forecast, type Queued, wholeMs } from './forecast.ts';
import type { Rule } from './rule.ts';

/** Longest queue that is simulated anew. */
const MAX_SIMULATED = 64;

/**
 * The forecast of a window: simulates the queue on a copy of the limiter's state. The copy is kept, so that each further
 * call costs one step. It is made anew when the queue has deviated from it, as a call has left or was
 * served late; for a long queue the earliest possible time is returned then, and a call that was let in
 * for that is refused at its deadline. So joining takes bounded time at any length of the queue.
 */
export class SimulatedForecast implements Forecast {
  readonly rule: Rule;
  readonly #ahead: Float64Array;
  #at = 0;
  #deviations = -1;

  constructor(rule: Rule) {
    this.rule = rule;
    this.#ahead = new Float64Array(rule.slots);
  }

  next(
    state: Float64Array,
    offset: number,
    queue: Queued,
    cost: number,
    deadline: number,
    now: number,
  ): number {
    const stale = queue.size === 0 || queue.deviations !== this.#deviations;
    // A call without a deadline needs no forecast; one that is kept must know of it all the same.
    if (queue.size > 0 && stale && deadline === Number.POSITIVE_INFINITY) return now;
    if (stale) {
      if (queue.size > MAX_SIMULATED) return now + this.#atLeast(queue.cost + cost);
      this.#ahead.set(state.subarray(offset, offset + this.rule.slots));
      this.#at = now;
      this.#deviations = queue.deviations;
      for (const ahead of queue.costs()) this.#pass(ahead);
    }
    const readyAt = this.#readyAt(now, cost);
    if (readyAt <= deadline) this.#pass(cost);
    return readyAt;
  }

  /** No rule lets through more than twice its capacity at once, and its rate from then on. */
  #atLeast(units: number): number {
    const { capacity, limit, windowMs } = this.rule;
    return Math.max(0, ((units - 2 * capacity) * windowMs) / limit);
  }

  #readyAt(now: number, cost: number): number {
    const at = Math.max(this.#at, now);
    const delay = this.rule.delay(this.#ahead, 0, at, cost);
    return delay === 0 ? at : at + wholeMs(delay);
  }

  #pass(cost: number): void {
    this.#at = this.#readyAt(this.#at, cost);
    this.rule.take(this.#ahead, 0, this.#at, cost);
  }
}
