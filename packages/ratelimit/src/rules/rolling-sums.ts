/** The window is counted in this many steps. */
const STEPS = 24;

/** Several sums over the same sliding window, which moves in steps of a twenty-fourth of it. */
export class RollingSums {
  readonly #stepMs: number;
  readonly #columns: number;
  readonly #cells: Float64Array;
  readonly #totals: Float64Array;
  #step: number;

  constructor(windowMs: number, columns: number, now: number) {
    this.#stepMs = windowMs / STEPS;
    this.#columns = columns;
    this.#cells = new Float64Array(STEPS * columns);
    this.#totals = new Float64Array(columns);
    this.#step = Math.floor(now / this.#stepMs);
  }

  add(column: number, now: number): void {
    this.#advance(now);
    const cell = (this.#step % STEPS) * this.#columns + column;
    this.#cells[cell] = this.#cells[cell]! + 1;
    this.#totals[column] = this.#totals[column]! + 1;
  }

  /** The present sums, one per column. The array is reused: read it before the next call. */
  at(now: number): Float64Array {
    this.#advance(now);
    return this.#totals;
  }

  #advance(now: number): void {
    const step = Math.floor(now / this.#stepMs);
    if (step <= this.#step) return;
    if (step - this.#step >= STEPS) {
      this.#cells.fill(0);
      this.#totals.fill(0);
    } else {
      for (let gone = this.#step + 1; gone <= step; gone++) this.#clear(gone % STEPS);
    }
    this.#step = step;
  }

  #clear(row: number): void {
    for (let column = 0; column < this.#columns; column++) {
      const cell = row * this.#columns + column;
      this.#totals[column] = this.#totals[column]! - this.#cells[cell]!;
      this.#cells[cell] = 0;
    }
  }
}
