import { type Ended, MovingAverage, type RivalLimit } from './rival.ts';

const SMOOTHING = 0.2;
const TOLERANCE = 1.5;
const QUEUE = 4;
const WINDOW_MS = 1000;
const WINDOW_CALLS = 10;

/**
 * Netflix concurrency-limits' Gradient2Limit in its WindowedLimit, with their defaults but the lowest limit
 * of 20: that many for each of hundreds of clients would overload any of the simulated servers.
 *
 * Source: the descriptions and constants of github.com/Netflix/concurrency-limits (Apache 2.0).
 */
export class Gradient2 implements RivalLimit {
  limit = 20;
  readonly #long = new MovingAverage(600, 10);
  #sum = 0;
  #count = 0;
  #maxInFlight = 0;
  #until = 0;

  ended({ now, latencyMs, inFlight }: Ended): void {
    this.#sum += latencyMs;
    this.#count++;
    this.#maxInFlight = Math.max(this.#maxInFlight, inFlight);
    if (now <= this.#until) return;
    if (this.#count >= WINDOW_CALLS) this.#update(this.#sum / this.#count, this.#maxInFlight);
    this.#until = now + WINDOW_MS;
    this.#sum = 0;
    this.#count = 0;
    this.#maxInFlight = 0;
  }

  #update(short: number, inFlight: number): void {
    const long = this.#long.add(short);
    if (long > 2 * short) this.#long.value *= 0.95;
    if (inFlight < this.limit / 2) return;
    const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * long) / short));
    const aim = this.limit * gradient + QUEUE;
    this.limit = Math.max(1, Math.min(200, this.limit + SMOOTHING * (aim - this.limit)));
  }
}
