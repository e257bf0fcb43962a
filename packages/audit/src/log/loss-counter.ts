/** Events that were not stored as requested, to be recorded in the log. */
export interface LossReport {
  /** Calls of `append` that were rejected. */
  readonly refused: number;
  /** Calls of `append` that resolved before the event was durable. */
  readonly degraded: number;
  /** Events that were dropped. */
  readonly dropped: number;
  /** Time of the first of them, as an ISO timestamp. */
  readonly since: string;
}

/** Counts events that were not stored as requested, until the log can record the counts. */
export class LossCounter {
  readonly #now: () => number;
  #refused = 0;
  #degraded = 0;
  #dropped = 0;
  #since: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  get empty(): boolean {
    return this.#since === undefined;
  }

  add(what: 'refused' | 'degraded' | 'dropped'): void {
    this.#since ??= this.#now();
    if (what === 'refused') this.#refused++;
    else if (what === 'degraded') this.#degraded++;
    else this.#dropped++;
  }

  /** Returns the counts and resets them; undefined if nothing was counted. */
  take(): LossReport | undefined {
    if (this.#since === undefined) return undefined;
    const report = {
      refused: this.#refused,
      degraded: this.#degraded,
      dropped: this.#dropped,
      since: new Date(this.#since).toISOString(),
    };
    this.#refused = this.#degraded = this.#dropped = 0;
    this.#since = undefined;
    return report;
  }
}
