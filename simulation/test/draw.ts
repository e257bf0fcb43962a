import { seededRandom } from '@temper/testkit';

/** Draws the options of scenarios, the same for the same seed. */
export class Draw {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed * 7919 + 17);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  /** An integer, both bounds included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  pick<const T>(from: readonly T[]): T {
    return from[this.integer(0, from.length - 1)] as T;
  }

  /** The member with a chance of one half, nothing otherwise. */
  maybe<T extends object>(options: T): T | object {
    return this.chance(0.5) ? options : {};
  }

  /** So many of them, each at most once. */
  some<T>(from: readonly T[], count: number): T[] {
    const left = [...from];
    const taken: T[] = [];
    while (taken.length < count && left.length > 0)
      taken.push(...left.splice(this.integer(0, left.length - 1), 1));
    return taken;
  }
}
