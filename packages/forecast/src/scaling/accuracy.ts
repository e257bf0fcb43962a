/** Half of what is known of the errors is forgotten after this time, in milliseconds. */
const HALF_LIFE_MS = 2 * 3_600_000;
/** Half of what is known of their spread. */
const SPREAD_HALF_LIFE_MS = 24 * 3_600_000;
/** Forecasts that must have been held to what came before anything is said of their error. */
const ENOUGH = 12;
/** A forecast is used no more when its error is so much larger than that of "as now" … */
const WORSE = 1.1;
/** … and used again when it is no larger. */
const GOOD = 1;

/** Largest error that is told: all stayed as it was, and the forecast said otherwise. */
const WORST = 1000;

/** What an {@link Accuracy} knows. Plain data. */
export interface AccuracyState {
  readonly errors: number;
  readonly naive: number;
  readonly squares: number;
  readonly naiveSquares: number;
  readonly samples: number;
}

/**
 * Holds forecasts to what came, one at a time, beside the forecast that all stays as it is. The quotient
 * of their mean absolute errors is the scaled error of Hyndman and Koehler ("Another look at measures of
 * forecast accuracy", International Journal of Forecasting 22, 2006), over about the last three hours.
 * Errors are relative to the demand, so that the peak does not count for more than the night.
 */
export class Accuracy {
  #errors = 0;
  #naive = 0;
  #squares = 0;
  #naiveSquares = 0;
  #samples = 0;
  #trusted = true;
  #pending: { readonly due: number; readonly forecast: number; readonly asNow: number } | undefined;
  #lastAt: number | undefined;

  /** The scaled error: below 1 the forecast is better than "as now"; `undefined` at the beginning. */
  get error(): number | undefined {
    if (this.#samples < ENOUGH) return undefined;
    if (this.#errors === 0) return this.#naive === 0 ? 1 : 0;
    return Math.min(WORST, this.#errors / this.#naive);
  }

  /** Whether the error is small enough for the forecast to be used. */
  get trusted(): boolean {
    return this.#trusted && this.error !== undefined;
  }

  /** Relative standard deviation of the error. @param forecast - of the forecast, or of "as now" */
  spread(forecast: boolean): number | undefined {
    if (this.#samples < ENOUGH) return undefined;
    return Math.sqrt(forecast ? this.#squares : this.#naiveSquares);
  }

  /** Whether there is no forecast under way. */
  get idle(): boolean {
    return this.#pending === undefined;
  }

  /** Keeps a forecast until it is due. @param now - monotonic, in milliseconds */
  expect(now: number, aheadMs: number, forecast: number, asNow: number): void {
    this.#pending = { due: now + aheadMs, forecast, asNow };
  }

  /** Holds the forecast to what came, when it is due; drops one that nobody looked at in time. */
  observe(now: number, came: number, toleranceMs: number): void {
    const pending = this.#pending;
    if (pending === undefined || now < pending.due) return;
    this.#pending = undefined;
    if (now > pending.due + toleranceMs) return;
    const base = Math.max(came, pending.asNow);
    if (!(base > 0)) return;
    const error = Math.abs(pending.forecast - came) / base;
    const naive = Math.abs(pending.asNow - came) / base;
    const passed = now - (this.#lastAt ?? now);
    this.#lastAt = now;
    this.#samples++;
    const share = Math.max(1 - 0.5 ** (passed / HALF_LIFE_MS), 1 / this.#samples);
    const slow = Math.max(1 - 0.5 ** (passed / SPREAD_HALF_LIFE_MS), 1 / this.#samples);
    this.#errors += share * (error - this.#errors);
    this.#naive += share * (naive - this.#naive);
    this.#squares += slow * (error ** 2 - this.#squares);
    this.#naiveSquares += slow * (naive ** 2 - this.#naiveSquares);
    const scaled = this.error ?? 1;
    if (scaled > WORSE) this.#trusted = false;
    else if (scaled <= GOOD) this.#trusted = true;
  }

  /** Forgets the forecast under way: time was lost. */
  drop(): void {
    this.#pending = undefined;
  }

  dump(): AccuracyState {
    return {
      errors: this.#errors,
      naive: this.#naive,
      squares: this.#squares,
      naiveSquares: this.#naiveSquares,
      samples: this.#samples,
    };
  }

  restore(state: AccuracyState): void {
    this.#errors = state.errors;
    this.#naive = state.naive;
    this.#squares = state.squares;
    this.#naiveSquares = state.naiveSquares;
    this.#samples = state.samples;
    this.#trusted = (this.error ?? 1) <= WORSE;
  }
}
