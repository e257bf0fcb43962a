/** How many calls may wait at a time, and how many do. */
export class WaitingRoom {
  readonly #max: number;
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  /** Places that are free. */
  get free(): number {
    return Math.max(0, this.#max - this.#size);
  }

  /** Takes a place. @returns false when there is none */
  enter(): boolean {
    if (this.#size >= this.#max) return false;
    this.#size++;
    return true;
  }

  leave(): void {
    this.#size--;
  }
}
