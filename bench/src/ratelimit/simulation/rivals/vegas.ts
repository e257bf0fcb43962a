import { type Ended, log10, type RivalLimit } from './rival.ts';

const PROBE_MULTIPLIER = 30;

/**
 * TCP Vegas as Netflix concurrency-limits has it for calls (VegasLimit), with its defaults.
 *
 * Source: L. S. Brakmo, S. W. O'Malley and L. L. Peterson, "TCP Vegas", SIGCOMM 1994; the constants and
 * the probes of github.com/Netflix/concurrency-limits (Apache 2.0).
 */
export class Vegas implements RivalLimit {
  limit = 20;
  #noLoadMs = 0;
  #calls = 0;
  #jitter: number;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
    this.#jitter = 0.5 + random() / 2;
  }

  ended({ latencyMs, inFlight, overloaded }: Ended): void {
    this.#calls++;
    const probing = this.#calls >= this.#jitter * PROBE_MULTIPLIER * this.limit;
    if (probing) {
      this.#calls = 0;
      this.#jitter = 0.5 + this.#random() / 2;
    }
    if (probing || this.#noLoadMs === 0 || latencyMs < this.#noLoadMs) {
      this.#noLoadMs = latencyMs;
      return;
    }
    this.limit = Math.max(1, Math.min(1000, this.#next(latencyMs, inFlight, overloaded)));
  }

  #next(latencyMs: number, inFlight: number, overloaded: boolean): number {
    const step = log10(this.limit);
    if (overloaded) return this.limit - step;
    if (inFlight * 2 < this.limit) return this.limit;
    const queue = Math.ceil(this.limit * (1 - this.#noLoadMs / latencyMs));
    if (queue <= step) return this.limit + 6 * step;
    if (queue < 3 * step) return this.limit + step;
    return queue > 6 * step ? this.limit - step : this.limit;
  }
}
