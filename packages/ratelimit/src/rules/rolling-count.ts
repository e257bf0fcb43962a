/** The window is counted in this many steps. */
const STEPS = 20;

/**
 * How often something happened within the last window, from a total that somebody else keeps: a call
 * pays for one comparison. The answer may include what happened up to a twentieth of the
 * window before it.
 */
export class RollingCount {
  readonly #stepMs: number;
  /** The total at the beginning of each of the last steps. Made when the first step ends. */
  #marks: Float64Array | undefined;
  #step: number;

  constructor(windowMs: number, now: number) {
    this.#stepMs = windowMs / STEPS;
    this.#step = Math.floor(now / this.#stepMs);
  }

  /**
   * Begins the step that `now` lies in.
   *
   * @param total - so far, before what happens now is added
   * @returns when this must be called again; in between there is no need to
   */
  advance(now: number, total: number): number {
    const step = Math.floor(now / this.#stepMs);
    if (step > this.#step) {
      this.#marks ??= new Float64Array(STEPS + 1);
      for (let begun = Math.max(this.#step + 1, step - STEPS); begun <= step; begun++) {
        this.#marks[begun % (STEPS + 1)] = total;
      }
      this.#step = step;
    }
    return (this.#step + 1) * this.#stepMs;
  }

  /** @returns how much `total` has grown within the last window */
  within(now: number, total: number): number {
    this.advance(now, total);
    if (this.#marks === undefined) return total;
    return total - this.#marks[(this.#step + 1) % (STEPS + 1)]!;
  }
}
