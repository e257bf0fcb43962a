import { checkNumber } from '@temper/core/policy';
import type { Lease } from './limiter.ts';

/** Who has given units, and corrects how many. */
export interface UnitSource {
  /** In messages. */
  readonly name: string;
  /**
   * @param difference - units to take in addition, at most all that are left; negative to give back, as far as
   * they still count
   * @param takenAt - when the lease was given, on the clock's monotonic scale
   * @param key - whose limit it is, where the source has several
   */
  correct(difference: number, takenAt: number, key: string): void | Promise<void>;
}

/** A lease of units that do not come back by themselves: those of a rate limiter. */
export class UnitLease implements Lease {
  readonly cost: number;
  readonly #source: UnitSource;
  readonly #takenAt: number;
  readonly #key: string;
  #settled: boolean;

  constructor(cost: number, source: UnitSource, takenAt: number, key = '') {
    this.cost = cost;
    this.#source = source;
    this.#takenAt = takenAt;
    this.#key = key;
    this.#settled = false;
  }

  settle(cost: number): void | Promise<void> {
    checkNumber(this.#source.name, 'cost', cost, { min: 0, infinite: false });
    if (this.#settled) return undefined;
    this.#settled = true;
    const difference = cost - this.cost;
    if (difference === 0) return undefined;
    return this.#source.correct(difference, this.#takenAt, this.#key);
  }

  release(): void {}

  [Symbol.dispose](): void {}
}
