import type { ManualClock } from '../manual-clock.ts';
import { steady } from './chance.ts';
import type { NetworkOptions } from './options.ts';
import type { Outages } from './outages.ts';

/** Carries messages, late, twice or not at all. */
export class Network {
  readonly #clock: ManualClock;
  readonly #random: () => number;
  readonly #outages: Outages;
  readonly #options: Required<NetworkOptions>;

  constructor(
    clock: ManualClock,
    random: () => number,
    outages: Outages,
    { latencyMs = 1, distribution = steady, loss = 0, duplication = 0 }: NetworkOptions = {},
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#outages = outages;
    this.#options = { latencyMs, distribution, loss, duplication };
  }

  /** Carries a request, of which a copy may arrive as well. */
  request(arrive: () => void): void {
    this.#carry(arrive);
    const { duplication } = this.#options;
    if (duplication > 0 && this.#random() < duplication) this.#carry(arrive);
  }

  answer(arrive: () => void): void {
    this.#carry(arrive);
  }

  #carry(arrive: () => void): void {
    const { latencyMs, distribution, loss } = this.#options;
    if (loss > 0 && this.#random() < loss) return;
    if (this.#outages.hit(['partition']) !== undefined) return;
    this.#clock.schedule(arrive, distribution(latencyMs, this.#random)).unref();
  }
}
