/**
 * How far a signal is above what is usual: exponentially weighted moving averages (Roberts, "Control
 * chart tests based on geometric moving averages", Technometrics 1, 1959) of the signal, against a slow
 * one, in standard deviations of the difference. The deviation is learned from the difference itself,
 * so that the slow drift that every real signal has counts as usual.
 */
export class Excess {
  readonly #keep: number;
  readonly #floor: number;
  readonly #fast: Average = new Average(0.3);
  readonly #slow: Average = new Average(0.04);
  #usual = 0;
  /** How much the usual and the deviations rest on, in steps. */
  #ofUsual = 0;
  #ofDeviation = 0;
  #value = 0;
  #noise = 0;

  /**
   * @param memory - steps after which half of what is usual is forgotten
   * @param floor - smallest standard deviation that is believed, in units of the signal
   */
  constructor(memory: number, floor: number) {
    this.#keep = 0.5 ** (1 / memory);
    this.#floor = floor * floor;
  }

  /** What is usual, in units of the signal. */
  get usual(): number {
    return this.#usual;
  }

  /** The signal now, over about three steps. */
  get now(): number {
    return this.#fast.level;
  }

  /** Standard deviations above the usual, over about three or twenty-five steps; the larger one. */
  get score(): number {
    const floor = this.#floor;
    return Math.max(0, this.#fast.score(this.#usual, floor), this.#slow.score(this.#usual, floor));
  }

  /**
   * @param value - of the step
   * @param noise - variance of the value by chance alone, as far as it is known
   * @param trust - weight of the step, from 0 to 1: a step with few calls has less
   */
  update(value: number, noise: number, trust: number): void {
    this.#value = value;
    this.#noise = noise;
    this.#fast.update(value, noise, trust);
    this.#slow.update(value, noise, trust);
  }

  /**
   * Learns from the step, once it was judged.
   *
   * @param pace - how much is learned: 1 while all is well, less in an incident
   */
  learn(pace: number): void {
    const keep = this.#keep ** pace;
    this.#ofDeviation = this.#ofDeviation * keep + pace;
    const share = pace / this.#ofDeviation;
    this.#fast.learn(this.#usual, share, this.#floor);
    this.#slow.learn(this.#usual, share, this.#floor);
    // A step with few calls says little of what is usual.
    const weight = pace / (1 + this.#noise / (this.#floor * 20));
    this.#ofUsual = this.#ofUsual * keep + weight;
    this.#usual += (weight / this.#ofUsual) * (this.#value - this.#usual);
  }
}

/** A moving average, its variance by chance, and the variance of its distance from the usual. */
class Average {
  readonly #alpha: number;
  level = 0;
  #noise = 0;
  #variance = 0;
  #steps = 0;

  constructor(alpha: number) {
    this.#alpha = alpha;
  }

  update(value: number, noise: number, trust: number): void {
    this.#steps++;
    const first = 1 / this.#steps;
    const alpha = Math.max(this.#alpha, first) * Math.max(first, trust);
    this.level += alpha * (value - this.level);
    // The variance of a weighted sum of independent steps.
    this.#noise = (1 - alpha) ** 2 * this.#noise + alpha * alpha * noise;
  }

  /** An incident must not raise the deviation that it is measured with: outliers count as at most four. */
  learn(usual: number, share: number, floor: number): void {
    const excess = this.level - usual;
    const most = 16 * this.#believed(floor);
    this.#variance += share * (Math.min(excess * excess, most) - this.#variance);
  }

  score(usual: number, floor: number): number {
    return (this.level - usual) / Math.sqrt(this.#believed(floor));
  }

  #believed(floor: number): number {
    return Math.max(floor, this.#variance, this.#noise);
  }
}
