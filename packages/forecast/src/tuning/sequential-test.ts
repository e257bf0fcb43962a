/** Probability of calling a harmless change harmful, and a harmful one harmless. */
const FALSE_ALARM = 0.001;
const MISS = 0.01;
const WORSE: number = Math.log((1 - MISS) / FALSE_ALARM);
const FINE: number = Math.log(MISS / (1 - FALSE_ALARM));

/** What a test says so far. */
export type TestResult = 'worse' | 'fine' | undefined;

/**
 * Whether something happens more often than before, decided as soon as it can be: after each call, with
 * constant memory. `rate` is what was usual, `worse` what is not accepted.
 *
 * Source: A. Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 16,
 * 1945. The probabilities hold for calls that are independent of each other.
 */
export class SequentialTest {
  readonly #perEvent: number;
  readonly #perCall: number;
  #sum = 0;
  #result: TestResult;

  /**
   * @param kind - `share`: a call has it or not, and the rates are from 0 to 1; `count`: a call has a number
   * of them
   */
  constructor(rate: number, worse: number, kind: 'share' | 'count') {
    if (kind === 'share') {
      this.#perEvent = Math.log(worse / rate) - Math.log((1 - worse) / (1 - rate));
      this.#perCall = Math.log((1 - worse) / (1 - rate));
    } else {
      this.#perEvent = Math.log(worse / rate);
      this.#perCall = rate - worse;
    }
  }

  /** @returns the result, which does not change once there is one */
  add(events: number): TestResult {
    if (this.#result !== undefined) return this.#result;
    this.#sum += events * this.#perEvent + this.#perCall;
    if (this.#sum >= WORSE) this.#result = 'worse';
    else if (this.#sum <= FINE) this.#result = 'fine';
    return this.#result;
  }

  get result(): TestResult {
    return this.#result;
  }
}
