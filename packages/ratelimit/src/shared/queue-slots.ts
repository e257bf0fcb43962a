/** Bounds how many calls wait at the same time, over all keys of a limiter. */
export class QueueSlots {
  readonly max: number;
  #used = 0;

  constructor(max: number) {
    this.max = max;
  }

  get used(): number {
    return this.#used;
  }

  get free(): number {
    return Math.max(0, this.max - this.#used);
  }

  /** @returns whether there was a free slot */
  tryEnter(): boolean {
    if (this.#used >= this.max) return false;
    this.#used++;
    return true;
  }

  leave(): void {
    this.#used--;
  }
}
