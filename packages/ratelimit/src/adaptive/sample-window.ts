import type { Sample } from './limit-algorithm.ts';

/** At most this many latencies are kept per window, the latest ones. */
const KEPT = 256;

/** The calls that ended within one window of time, summarised so that outliers have no effect. */
export class SampleWindow {
  readonly #latencies = new Float64Array(KEPT);
  #completed = 0;
  #overloaded = 0;
  #timedOut = 0;
  #cutShort = 0;
  #maxInFlight = 0;
  #beganAt: number;

  constructor(now: number) {
    this.#beganAt = now;
  }

  /** Calls that ended in the window, well or not. */
  get size(): number {
    return this.#known + this.#cutShort;
  }

  /** Those that tell about the dependency. */
  get #known(): number {
    return this.#completed + this.#overloaded;
  }

  /** Whether most of the calls were cut short: the rest are the quick ones among them. */
  get isCutShort(): boolean {
    return this.#cutShort > this.#known;
  }

  get beganAt(): number {
    return this.#beganAt;
  }

  get maxInFlight(): number {
    return this.#maxInFlight;
  }

  /** Calls that ended well. */
  get completed(): number {
    return this.#completed;
  }

  /** Calls that met overload. */
  get overloaded(): number {
    return this.#overloaded;
  }

  /** Whether calls were given up, more of them than were refused. */
  get timedOut(): boolean {
    return this.#timedOut * 2 > this.#overloaded;
  }

  /** Calls that completed per millisecond. */
  rate(now: number): number {
    return this.#completed / Math.max(1, now - this.#beganAt);
  }

  /** Share of the calls that met overload. */
  get overloadRatio(): number {
    return this.#known === 0 ? 0 : this.#overloaded / this.#known;
  }

  /**
   * Mean latency of the middle half of the completed calls; `undefined` when none completed. As robust
   * against outliers as the median, with half its noise.
   */
  get latency(): number | undefined {
    const kept = Math.min(this.#completed, KEPT);
    if (kept === 0) return undefined;
    const sorted = this.#latencies.slice(0, kept).sort();
    const middle = sorted.subarray(Math.floor(kept / 4), Math.ceil((3 * kept) / 4));
    return middle.reduce((sum, one) => sum + one, 0) / middle.length;
  }

  add({
    startedAt,
    endedAt,
    inFlight,
    overloaded,
    timedOut = false,
    cutShort = false,
  }: Sample): void {
    this.#maxInFlight = Math.max(this.#maxInFlight, inFlight);
    if (cutShort) {
      this.#cutShort++;
      return;
    }
    if (overloaded) {
      this.#overloaded++;
      if (timedOut) this.#timedOut++;
      return;
    }
    this.#latencies[this.#completed % KEPT] = endedAt - startedAt;
    this.#completed++;
  }

  /** Begins the next window. */
  reset(now: number): void {
    this.#completed = 0;
    this.#overloaded = 0;
    this.#timedOut = 0;
    this.#cutShort = 0;
    this.#maxInFlight = 0;
    this.#beganAt = now;
  }
}
