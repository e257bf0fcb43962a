/**
 * Cumulative sums (Page, "Continuous inspection schemes", Biometrika 41, 1954): the log-likelihood
 * ratio of "worse than usual" against "as usual", added up step by step and never below 0. Evidence of
 * few calls is small by itself, so there is no minimum of calls. What is usual is learned with a
 * memory of about half an hour, and hardly while the sum says that something is wrong.
 */

/** Highest sum: evidence of an hour need not be undone for an hour. */
const CEILING = 300;
/** From this sum on, what is usual is learned more slowly. */
const DOUBT = 4;
/** Calls that must be remembered before a rate is judged. */
const ENOUGH_CALLS = 200;
/** By how much more slowly. */
const RELUCTANCE = 0.05;

/** A number of events per call: failures, slow calls, retries, timeouts. */
export class RateCusum {
  readonly #forget: number;
  readonly #rise: number;
  readonly #factor: number;
  /** Calls and events that are remembered, with a prior of half an event in fifty calls. */
  #calls = 0;
  #events = 0;
  #sum = 0;

  /**
   * @param memory - steps after which half is forgotten
   * @param rise - smallest rise that matters, in events per call
   * @param factor - or this multiple of what is usual, whichever is more
   */
  constructor(memory: number, rise: number, factor: number) {
    this.#forget = 0.5 ** (1 / memory);
    this.#rise = rise;
    this.#factor = factor;
  }

  /** Evidence that the rate has risen, in nats from 0 to 300. */
  get sum(): number {
    return this.#sum;
  }

  /** Events per call that are usual. */
  get usual(): number {
    return (this.#events + 0.5) / (this.#calls + 50);
  }

  /** @param judge - whether the step is judged, or only learned from */
  update(calls: number, events: number, judge: boolean): number {
    if (calls > 0 && judge && this.#calls >= ENOUGH_CALLS) {
      const usual = this.usual;
      const worse = Math.max(usual + this.#rise, usual * this.#factor);
      const gain = events * Math.log(worse / usual) - calls * (worse - usual);
      this.#sum = Math.min(CEILING, Math.max(0, this.#sum + gain));
    }
    const weight = this.#sum > DOUBT ? RELUCTANCE : 1;
    const keep = this.#forget ** weight;
    this.#calls = this.#calls * keep + calls * weight;
    this.#events = this.#events * keep + events * weight;
    return this.#sum;
  }
}

/** A level with noise: the logarithm of durations, or of the length of a queue. */
export class LevelCusum {
  readonly #learn: number;
  readonly #rise: number;
  readonly #floor: number;
  #level = 0;
  #variance = 0;
  #seen = 0;
  #sum = 0;

  /**
   * @param memory - steps after which half is forgotten
   * @param rise - smallest rise that matters
   * @param floor - smallest standard deviation that is believed
   */
  constructor(memory: number, rise: number, floor: number) {
    this.#learn = 1 - 0.5 ** (1 / memory);
    this.#rise = rise;
    this.#floor = floor * floor;
  }

  /** Evidence that the level has risen, in nats from 0 to 300. */
  get sum(): number {
    return this.#sum;
  }

  /** The level that is usual. */
  get usual(): number {
    return this.#level;
  }

  /**
   * @param noise - variance of `value` as far as it is known: of a mean of few calls it is large
   * @param judge - whether the step is judged, or only learned from
   */
  update(value: number, noise: number, judge: boolean): number {
    const excess = value - this.#level;
    const variance = Math.max(this.#floor, this.#variance) + noise;
    if (judge) {
      const rise = Math.max(this.#rise, 1.5 * Math.sqrt(this.#variance));
      const gain = ((excess - rise / 2) * rise) / variance;
      // One step proves little, however far out it is.
      this.#sum = Math.min(CEILING, Math.max(0, this.#sum + Math.min(6, gain)));
    }
    // As a mean of all at first, and then with the memory.
    this.#seen++;
    const share =
      Math.max(this.#learn, 1 / this.#seen) / (1 + noise / Math.max(this.#floor, this.#variance));
    const learn = this.#sum > DOUBT ? share * RELUCTANCE : share;
    this.#level += learn * excess;
    this.#variance += learn * (Math.max(0, excess * excess - noise) - this.#variance);
    return this.#sum;
  }
}
