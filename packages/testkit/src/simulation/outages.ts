import type { OutageKind, OutageOptions } from './options.ts';

/** Knows what is wrong at each moment. */
export class Outages {
  readonly all: readonly OutageOptions[];
  readonly #elapsed: () => number;
  readonly #random: () => number;

  /** @param elapsed - milliseconds since the start */
  constructor(
    outages: OutageOptions | readonly OutageOptions[] | undefined,
    elapsed: () => number,
    random: () => number,
  ) {
    this.all = outages === undefined ? [] : [outages].flat();
    this.#elapsed = elapsed;
    this.#random = random;
  }

  /** When the first one begins, in milliseconds since the start. */
  get startMs(): number | undefined {
    return this.all.length === 0 ? undefined : Math.min(...this.all.map(({ startMs }) => startMs));
  }

  /** When the last one ends, in milliseconds since the start. */
  get endMs(): number | undefined {
    if (this.all.length === 0) return undefined;
    return Math.max(...this.all.map(({ startMs, durationMs }) => startMs + durationMs));
  }

  /** The outage of one of these kinds that a message or request meets now, if any. */
  hit(kinds: readonly OutageKind[]): OutageOptions | undefined {
    const now = this.#elapsed();
    return this.all.find(
      ({ kind, startMs, durationMs, share = 1 }) =>
        kinds.includes(kind) &&
        now >= startMs &&
        now < startMs + durationMs &&
        (share >= 1 || this.#random() < share),
    );
  }
}
