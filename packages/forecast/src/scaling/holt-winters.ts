/** How the season changes the level: by an amount, or by a factor. */
export type SeasonModel = 'additive' | 'multiplicative';

/** Weight of the last slot in the level, the trend and its slot of the season. */
const ALPHA = 0.3;
const BETA = 0.02;
const GAMMA = 0.3;
/** What is left of the trend after a slot (Gardner and McKenzie, Management Science 31, 1985). */
const PHI = 0.9;
/** Share of the slots that a first season must have had. */
const ENOUGH = 0.75;
/** After so many slots without a value the level is taken from the next value. */
const LOST = 12;
/** A value changes its slot of the season as if it were at most so many times what was expected. */
const CLIP = 1.5;
/** Factors below say nothing of the level: the demand of such a slot is noise. */
const FAINT = 0.05;

/** How a {@link HoltWinters} follows what it sees. */
export interface Following {
  /** Factor by which the level changes at most in one slot. @defaultValue Infinity */
  readonly mostStep?: number;
  /** Slots without a value after which the level is taken from the next one. @defaultValue 12 */
  readonly lostAfter?: number;
}

/** What a {@link HoltWinters} has learned. Plain data. */
export interface HoltWintersState {
  readonly level: number;
  readonly trend: number;
  /** By slot; `null` for one that was not seen in the first season. */
  readonly season: readonly (number | null)[];
  /** Whether a whole season was seen. */
  readonly ready: boolean;
}

/**
 * Triple exponential smoothing with a damped trend: Holt, "Forecasting seasonals and trends by
 * exponentially weighted averages", 1957; Winters, Management Science 6, 1960. One value per slot of the
 * season; constant time per slot, except for the mean that is taken once per season.
 */
export class HoltWinters {
  readonly #multiplicative: boolean;
  /** In the first season the values themselves, and `NaN` where none was seen. */
  readonly #season: Float64Array;
  readonly #mostStep: number;
  readonly #lostAfter: number;
  #level = 0;
  #trend = 0;
  #ready = false;
  #seen = 0;
  #missed = 0;
  #updates = 0;

  /** @param slots - values per season */
  constructor(slots: number, model: SeasonModel, following: Following = {}) {
    this.#multiplicative = model === 'multiplicative';
    this.#mostStep = following.mostStep ?? Number.POSITIVE_INFINITY;
    this.#lostAfter = following.lostAfter ?? LOST;
    this.#season = new Float64Array(slots).fill(Number.NaN);
  }

  /** Whether a whole season was seen. Before there is nothing to expect. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Learns the value of a slot, the next one after the last. @param value - finite, from 0 */
  update(slot: number, value: number): void {
    if (this.#ready) this.#learn(slot, value);
    else this.#collect(slot, value);
    this.#missed = 0;
  }

  /** Slots without a value: nothing is learned, and after an hour or so the level is not believed. */
  skip(slots: number): void {
    this.#missed += slots;
    this.#trend *= PHI ** Math.min(slots, LOST);
  }

  /** The value to expect at a position of the season, in slots, between the middles of two of them. */
  expected(position: number): number {
    const slots = this.#season.length;
    const before = Math.floor(position - 0.5);
    const share = position - 0.5 - before;
    const at = (slot: number): number =>
      this.#together(this.#level + PHI * this.#trend, this.#season[modulo(slot, slots)] as number);
    return Math.max(0, (1 - share) * at(before) + share * at(before + 1));
  }

  dump(): HoltWintersState {
    return {
      level: this.#level,
      trend: this.#trend,
      season: Array.from(this.#season, (value) =>
        Number.isNaN(value) ? null : Number(value.toPrecision(6)),
      ),
      ready: this.#ready,
    };
  }

  /** Continues from a dump of equal slots and model. The level is taken from the next value. */
  restore({ level, trend, season, ready }: HoltWintersState): void {
    this.#level = level;
    this.#trend = trend;
    this.#season.set(season.map((value) => value ?? Number.NaN));
    this.#seen = season.filter((value) => value !== null).length;
    this.#ready = ready;
    this.#missed = LOST;
  }

  /** The first season: values are kept as they are, until enough of the slots have one. */
  #collect(slot: number, value: number): void {
    const slots = this.#season.length;
    if (Number.isNaN(this.#season[slot])) this.#seen++;
    this.#season[slot] = value;
    // With gaps it is complete when it comes to the slot that it began with.
    const came = !Number.isNaN(this.#season[(slot + 1) % slots]);
    if (this.#seen === slots || (this.#seen >= slots * ENOUGH && came)) this.#complete();
  }

  #complete(): void {
    fillGaps(this.#season);
    this.#ready = true;
    this.#level = this.#multiplicative ? 1 : 0;
    this.#updates = 0;
    this.#normalise();
    this.#missed = LOST;
  }

  #learn(slot: number, value: number): void {
    const season = this.#season[slot] as number;
    const expected = this.#level + PHI * this.#trend;
    const seen = this.#multiplicative ? value / season : value - season;
    const faint = this.#multiplicative && season < FAINT;
    if (this.#missed >= this.#lostAfter && !faint) {
      this.#level = seen;
      this.#trend = 0;
    } else if (!faint) {
      const before = this.#level;
      this.#level = this.#near(before, Math.max(0, ALPHA * seen + (1 - ALPHA) * expected));
      this.#trend = BETA * (this.#level - before) + (1 - BETA) * PHI * this.#trend;
    }
    this.#season[slot] = GAMMA * this.#ofSeason(value, expected, season) + (1 - GAMMA) * season;
    this.#updates++;
    if (this.#updates % this.#season.length === 0) this.#normalise();
  }

  /** A level that is at most a step away from the last one. */
  #near(before: number, level: number): number {
    const step = this.#mostStep;
    if (!Number.isFinite(step)) return level;
    return Math.min(before * step, Math.max(before / step, level));
  }

  /**
   * What a value says of its slot. It is clipped, so that a holiday or a crowd changes the level and not
   * the season (Gelper, Fried and Croux, "Robust forecasting with exponential and Holt-Winters smoothing",
   * Journal of Forecasting 29, 2010).
   */
  #ofSeason(value: number, level: number, season: number): number {
    if (!(level > 0)) return season;
    if (this.#multiplicative) {
      return Math.min(CLIP * Math.max(season, FAINT), Math.max(season / CLIP, value / level));
    }
    const most = (CLIP - 1) * Math.max(level + season, FAINT * level);
    return season + Math.min(most, Math.max(-most, value - level - season));
  }

  /** Moves the mean of the season into the level, so that the two cannot drift apart. */
  #normalise(): void {
    const mean = this.#season.reduce((sum, value) => sum + value, 0) / this.#season.length;
    if (this.#multiplicative) {
      if (!(mean > 0)) {
        this.#season.fill(1);
        this.#level = 0;
        return;
      }
      this.#level *= mean;
      this.#trend *= mean;
      for (let i = 0; i < this.#season.length; i++) (this.#season[i] as number) /= mean;
    } else {
      this.#level += mean;
      for (let i = 0; i < this.#season.length; i++) (this.#season[i] as number) -= mean;
    }
  }

  #together(level: number, season: number): number {
    return this.#multiplicative ? level * season : level + season;
  }
}

export function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

/** Fills slots without a value on a straight line between their neighbours; the season is a circle. */
function fillGaps(season: Float64Array): void {
  const slots = season.length;
  const known = season.findIndex((value) => !Number.isNaN(value));
  let last = known;
  for (let i = known + 1; i <= known + slots; i++) {
    const value = season[i % slots] as number;
    if (Number.isNaN(value)) continue;
    const from = season[last % slots] as number;
    for (let gap = last + 1; gap < i; gap++) {
      season[gap % slots] = from + ((value - from) * (gap - last)) / (i - last);
    }
    last = i;
  }
}
