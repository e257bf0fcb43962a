import { TOLERANCE } from './rule.ts';

/**
 * Permits that are taken and given back: the arithmetic of a concurrency limit. `limit` may change at
 * any time; when it is lowered below what is in use, no permit is revoked, and none is granted until
 * enough have come back.
 */
export class Permits {
  #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Permits that could be taken now; negative while a lowered limit is exceeded. */
  get available(): number {
    return this.#limit - this.#used;
  }

  /**
   * A cost above a limit that was lowered passes alone: it would wait for ever for a limit that may only rise as
   * calls end, and with it all behind it.
   *
   * @param most - that may be taken while nothing is in use
   * @returns whether `cost` permits were taken
   */
  take(cost: number, most: number = this.#limit): boolean {
    if (!this.fits(cost, most)) return false;
    this.#used += cost;
    return true;
  }

  /** Whether {@link take} would take them. */
  fits(cost: number, most: number = this.#limit): boolean {
    const limit = this.#used === 0 ? Math.max(most, this.#limit) : this.#limit;
    return this.#used + cost <= limit + TOLERANCE;
  }

  giveBack(cost: number): void {
    const left = this.#used - cost;
    // Fractional costs leave rounding behind; an idle limiter starts from exactly 0.
    this.#used = left < TOLERANCE ? 0 : left;
  }
}
