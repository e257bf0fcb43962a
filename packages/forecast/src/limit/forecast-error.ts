/** Forecasts that must have been checked before they are used. */
const ENOUGH = 12;
/** The forecast is used again when its error has fallen to this share of the largest allowed. */
const BACK = 2 / 3;
const DAY_MS = 86_400_000;
/** Half of what is known of the spread is forgotten after this time, in milliseconds. */
const SPREAD_HALF_LIFE_MS = 14 * DAY_MS;
/** Most that an error counts for, in standard deviations. */
const CUT = 2.5;

/** What a {@link ForecastError} knows. Plain data. */
export interface ForecastErrorState {
  /** Mean relative error, from 0 to 1. */
  readonly mean: number;
  /** Mean square of the error in parts of the forecast. */
  readonly square: number;
  /** Forecasts checked since the start, and since the last {@link ForecastError.doubt}. */
  readonly checked: number;
  readonly since: number;
  readonly trusted: boolean;
}

/**
 * Holds the forecast of each slot to the demand that came. The error of one slot is the difference in
 * parts of the larger of the two, so that no single slot counts for more than 1; the spread is clipped
 * (Gelper, Fried and Croux, Journal of Forecasting 29, 2010), so that it grows by at most a sixth per day.
 */
export class ForecastError {
  readonly #most: number;
  readonly #share: number;
  readonly #spreadShare: number;
  readonly #slotsOfDay: number;
  #state: ForecastErrorState = { mean: 0, square: 0, checked: 0, since: 0, trusted: true };

  constructor(maxError: number, halfLifeMs: number, slotMs: number) {
    this.#most = maxError;
    this.#share = 1 - 0.5 ** (slotMs / halfLifeMs);
    this.#spreadShare = 1 - 0.5 ** (slotMs / SPREAD_HALF_LIFE_MS);
    this.#slotsOfDay = DAY_MS / slotMs;
  }

  /** Mean relative error, from 0 to 1; `undefined` until enough forecasts were checked. */
  get mean(): number | undefined {
    return this.#state.since < ENOUGH ? undefined : this.#state.mean;
  }

  /** Standard deviation of the error, in parts of the forecast. */
  get spread(): number {
    return Math.sqrt(this.#state.square);
  }

  /** Whether the error is small enough for the forecast to be used. */
  get trusted(): boolean {
    return this.#state.trusted && this.mean !== undefined;
  }

  /** @param least - differences count in parts of at least this */
  add(came: number, forecast: number, least: number): void {
    const last = this.#state;
    const since = last.since + 1;
    const checked = last.checked + 1;
    const error = Math.abs(came - forecast) / Math.max(came, forecast, least);
    const mean = last.mean + Math.max(this.#share, 1 / since) * (error - last.mean);
    // At most the whole forecast, so that an attack on the first day does not count for weeks.
    const relative = Math.min(1, Math.abs(came - forecast) / Math.max(forecast, least)) ** 2;
    const first = checked <= this.#slotsOfDay;
    const square = first ? relative : Math.min(relative, CUT ** 2 * last.square);
    const share = first ? 1 / checked : this.#spreadShare;
    let { trusted } = last;
    if (mean > this.#most) trusted = false;
    else if (mean <= BACK * this.#most) trusted = true;
    const spread = last.square + share * (square - last.square);
    this.#state = { mean, square: spread, checked, since, trusted };
  }

  /** Checks the forecasts anew before they are used: time was lost. */
  doubt(): void {
    this.#state = { ...this.#state, since: 0, trusted: true };
  }

  dump(): ForecastErrorState {
    return this.#state;
  }

  restore(state: ForecastErrorState): void {
    this.#state = state;
  }
}
