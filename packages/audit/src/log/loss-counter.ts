/** What the log owes itself an account of: events that did not go in as they should have. */
export interface LossReport {
  /** Callers that were told that their event could not be stored. */
  readonly refused: number;
  /** Callers that went on before their event was durable. */
  readonly degraded: number;
  /** Events that are gone. */
  readonly dropped: number;
  /** When the first of them came, as an ISO timestamp. */
  readonly since: string;
}

/** Counts what has to be written into the log once it can be. */
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

  /** Marks the beginning of an outage, in which there may be nothing to count. */
  open(): void {
    this.#since ??= this.#now();
  }

  /** The account so far; the next one starts from nothing. Undefined when there is none to give. */
  close(): LossReport | undefined {
    if (this.#since === undefined) return undefined;
    const entry = {
      refused: this.#refused,
      degraded: this.#degraded,
      dropped: this.#dropped,
      since: new Date(this.#since).toISOString(),
    };
    this.#refused = this.#degraded = this.#dropped = 0;
    this.#since = undefined;
    return entry;
  }
}
