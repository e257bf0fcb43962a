/** The window is counted in this many steps. */
const STEPS = 20;

/**
 * How often something happened within the last window, from a total that the caller keeps: an event
 * costs one comparison, of the time with {@link stepEndsAt}. The answer may include events of up to a twentieth of the window before it.
 */
export class RollingCount {
  readonly #stepMs: number;
  /** The total at the beginning of each of the last steps. Created when the first step ends. */
  #marks: Float64Array | undefined;
  #step: number;
  /** When {@link advance} must be called next, before the first event from then on. */
  stepEndsAt: number;

  constructor(windowMs: number, now: number) {
    this.#stepMs = windowMs / STEPS;
    this.#marks = undefined;
    this.#step = Math.floor(now / this.#stepMs);
    this.stepEndsAt = (this.#step + 1) * this.#stepMs;
  }

  /** @returns how much `total` has grown within the last window */
  within(now: number, total: number): number {
    if (now >= this.stepEndsAt) this.advance(now, total);
    if (this.#marks === undefined) return total;
    return total - this.#marks[(this.#step + 1) % (STEPS + 1)]!;
  }

  /**
   * Begins the step that `now` is in.
   *
   * @param total - before the events of this step
   */
  advance(now: number, total: number): void {
    const step = Math.floor(now / this.#stepMs);
    this.#marks ??= new Float64Array(STEPS + 1);
    for (let begun = Math.max(this.#step + 1, step - STEPS); begun <= step; begun++) {
      this.#marks[begun % (STEPS + 1)] = total;
    }
    this.#step = step;
    this.stepEndsAt = (step + 1) * this.#stepMs;
  }
}
