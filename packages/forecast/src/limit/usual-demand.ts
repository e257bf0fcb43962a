import { warn } from '@temper/core/policy';
import { Calendar, SEASON_MS } from '../scaling/calendar.ts';
import { HoltWinters, modulo } from '../scaling/holt-winters.ts';
import { ForecastError } from './forecast-error.ts';
import type { LimitMode } from './modes.ts';
import type { ResolvedLimitOptions } from './options.ts';
import { type PredictiveLimitState, readLimitState } from './state.ts';

const DAY_MS = 86_400_000;
/** Factor by which the level changes at most in a day. */
const MOST_PER_DAY = 1.1;
/** Share of a slot that must have been seen. */
const ENOUGH = 0.5;
/** Demand below this share of the floor is taken for so much: no factor of it is noise then. */
const FAINT = 0.25;
/** Standard deviations from the forecast to its upper bound. */
const DEVIATIONS = 2;

/**
 * The demand that is usual at this time of the season. It is told all calls, refused ones included, and
 * closes a slot with the first call after its end: no timer runs, and a call costs one addition.
 */
export class UsualDemand {
  readonly #options: ResolvedLimitOptions;
  readonly #calendar: Calendar;
  readonly #slots: number;
  readonly #season: HoltWinters;
  readonly #error: ForecastError;
  /** The floor and the ceiling, in units per second. */
  readonly #least: number;
  readonly #most: number;
  /** Units in the slot under way. */
  #units = 0;
  /** The slot under way, by local time. */
  #slot = 0;
  #startedAt = 0;
  /** Both clocks when they were last read. */
  #wall = 0;
  #monotonic = 0;
  /** When the slot under way ends, on the monotonic clock. */
  endsAt = 0;

  constructor(options: ResolvedLimitOptions) {
    const { season, slotMs, timeZone, floor, ceiling, windowMs, clock } = options;
    this.#options = options;
    this.#calendar = new Calendar(timeZone);
    this.#slots = SEASON_MS[season] / slotMs;
    this.#season = new HoltWinters(this.#slots, 'multiplicative', {
      mostStep: MOST_PER_DAY ** (slotMs / DAY_MS),
      lostAfter: Number.POSITIVE_INFINITY,
    });
    this.#error = new ForecastError(options.maxError, options.errorHalfLifeMs, slotMs);
    this.#least = (floor / windowMs) * 1000;
    this.#most = (ceiling / windowMs) * 1000;
    this.#restore();
    this.#open(clock.monotonic(), clock.now());
  }

  get mode(): LimitMode {
    if (!this.#season.ready || this.#error.mean === undefined) return 'learning';
    return this.#error.trusted ? 'predictive' : 'inaccurate';
  }

  /** Mean relative error, from 0 to 1; `undefined` until it is known. */
  get error(): number | undefined {
    return this.#season.ready ? this.#error.mean : undefined;
  }

  /** Counts the demand of a call. */
  add(units: number): void {
    this.#units += units;
  }

  /** Learns the slots that have ended. */
  turn(now: number): void {
    const { clock, slotMs } = this.#options;
    if (now < this.endsAt) return;
    const wall = clock.now();
    const stepMs = wall - this.#wall - (now - this.#monotonic);
    if (Math.abs(stepMs) > slotMs / 2) {
      // The time of the slots since the last look is not known, nor that of the season.
      this.#error.doubt();
    } else {
      const { endsAt } = this;
      const seenMs = endsAt - this.#startedAt;
      if (seenMs >= ENOUGH * slotMs) this.#learn(this.#slot, (this.#units / seenMs) * 1000);
      this.#idle(wall - (now - endsAt), Math.floor((now - endsAt) / slotMs));
    }
    this.#open(now, wall);
  }

  /**
   * What to expect of a window in the slot under way, and its upper bound; `undefined` before the first
   * season. The neighbours of the slot are looked at too, as people are not that punctual.
   */
  expected(): { readonly units: number; readonly upper: number } | undefined {
    if (!this.#season.ready) return undefined;
    const middle = this.#slot + 0.5;
    const rate = Math.max(...[-1, 0, 1].map((away) => this.#season.expected(middle + away)));
    if (!Number.isFinite(rate)) return undefined;
    const units = (rate * this.#options.windowMs) / 1000;
    // The number of calls in one window varies by itself as a Poisson distribution does.
    const deviation = Math.sqrt(units + (this.#error.spread * units) ** 2);
    return { units, upper: units + DEVIATIONS * deviation };
  }

  dump(): PredictiveLimitState {
    const { season, slotMs, timeZone, clock } = this.#options;
    return {
      version: 1,
      at: clock.now(),
      season,
      slotMs,
      timeZone,
      learned: this.#season.dump(),
      error: this.#error.dump(),
    };
  }

  #restore(): void {
    const { name, state, season, slotMs, timeZone, clock } = this.#options;
    if (state === undefined) return;
    const read = readLimitState(state, { season, slotMs, timeZone }, this.#slots);
    if (typeof read === 'string') {
      warn(`Predictive limit '${name}' starts without its state: ${read}`);
      return;
    }
    this.#season.restore(read.learned);
    this.#error.restore(read.error);
    const age = clock.now() - read.at;
    if (!(age >= 0 && age <= DAY_MS)) this.#error.doubt();
  }

  /** Slots in which nobody called had no demand. Of a silence as long as the season, nothing is learned. */
  #idle(wall: number, slots: number): void {
    const { slotMs } = this.#options;
    if (slots >= this.#slots) {
      this.#season.skip(slots);
      this.#error.doubt();
      return;
    }
    for (let i = 0; i < slots; i++) {
      this.#learn(Math.floor(this.#calendar.local(wall + (i + 0.5) * slotMs) / slotMs), 0);
    }
  }

  #learn(slot: number, rate: number): void {
    // Beyond these bounds no demand changes the limit.
    const came = Math.min(this.#most, Math.max(FAINT * this.#least, rate));
    if (this.#season.ready) {
      this.#error.add(came, this.#season.expected(slot + 0.5), this.#least);
    }
    this.#season.update(modulo(slot, this.#slots), came);
  }

  #open(now: number, wall: number): void {
    const { slotMs } = this.#options;
    const local = this.#calendar.local(wall);
    this.#slot = Math.floor(local / slotMs);
    this.#startedAt = now;
    this.endsAt = now + slotMs - (local - this.#slot * slotMs);
    this.#wall = wall;
    this.#monotonic = now;
    this.#units = 0;
  }
}
