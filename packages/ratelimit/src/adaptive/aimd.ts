import type { LimitAlgorithm, LimitBounds, Sample } from './limit-algorithm.ts';

/** Parameters of {@link Aimd}. */
export interface AimdParameters extends LimitBounds {
  /** What the limit is multiplied by at a sign of overload. */
  readonly backoffRatio: number;
  /** A call that takes longer than this is a sign of overload, in milliseconds. */
  readonly latencyThresholdMs: number;
}

/**
 * Additive increase, multiplicative decrease, with a slow start: the limit doubles with each round of
 * calls until the first sign of overload, then grows by one each round, and falls at each further
 * sign; but once per round only, as the calls under way at a fall began before it.
 *
 * Source: D.-M. Chiu and R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion
 * Avoidance in Computer Networks", 1989; the rounds are those of RFC 5681.
 */
export class Aimd implements LimitAlgorithm {
  readonly #parameters: AimdParameters;
  #limit: number;
  #slowStart = true;
  #cutAt = Number.NEGATIVE_INFINITY;

  constructor(parameters: AimdParameters) {
    this.#parameters = parameters;
    this.#limit = parameters.initialLimit;
  }

  get limit(): number {
    return this.#limit;
  }

  observe({ startedAt, endedAt, inFlight, overloaded, cutShort = false }: Sample): void {
    const { minLimit, maxLimit, backoffRatio, latencyThresholdMs } = this.#parameters;
    if (overloaded || (!cutShort && endedAt - startedAt > latencyThresholdMs)) {
      if (startedAt < this.#cutAt) return;
      this.#slowStart = false;
      this.#cutAt = endedAt;
      this.#limit = Math.max(minLimit, this.#limit * backoffRatio);
    } else if (inFlight * 2 >= this.#limit) {
      // A limit that is not reached is not tested, and must not grow.
      const step = this.#slowStart && !cutShort ? 1 : 1 / this.#limit;
      this.#limit = Math.min(maxLimit, this.#limit + step);
    }
  }
}
