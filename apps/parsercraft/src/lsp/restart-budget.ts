/** Limits the number of starts within a sliding time window. */
export class RestartBudget {
  readonly max: number;
  readonly windowMs: number;
  readonly #now: () => number;
  #starts: number[] = [];

  /** @param now - monotonic clock, in milliseconds */
  constructor(max: number, windowMs: number, now: () => number) {
    this.max = max;
    this.windowMs = windowMs;
    this.#now = now;
  }

  /** Milliseconds until the next start is allowed; 0 when one is allowed now. */
  waitMs(): number {
    const now = this.#now();
    this.#starts = this.#starts.filter((at) => now - at < this.windowMs);
    if (this.#starts.length < this.max) return 0;
    const oldest = this.#starts[this.#starts.length - this.max] as number;
    return Math.max(1, Math.ceil(oldest + this.windowMs - now));
  }

  take(): void {
    this.#starts.push(this.#now());
  }
}
