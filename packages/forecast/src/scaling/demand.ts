import { warn } from '@temper/core/policy';
import { Accuracy } from './accuracy.ts';
import { Calendar, SEASON_MS } from './calendar.ts';
import { HoltWinters, modulo } from './holt-winters.ts';
import type { ScalingMode } from './modes.ts';
import type { ResolvedScalingOptions } from './options.ts';
import { type Interval, RATE_MS, Readings } from './readings.ts';
import { deviations } from './replicas.ts';
import { readState, type ScalingState } from './state.ts';

/** Calls per second: expected at the end of the lead time, at least, at most. */
export interface Ahead {
  readonly rate: number;
  readonly lower: number;
  readonly upper: number;
}

/** A forecast that multiplies the demand within the lead time by more is not believed. */
const MOST_GROWTH = 4;
/** Points of the lead time at which the season is looked at. */
const POINTS = 4;
/** Share of a slot that must have been seen. */
const ENOUGH = 0.5;

/** The demand: its rate now, its season, and what is to be expected of it. */
export class Demand {
  readonly readings: Readings;
  readonly #options: ResolvedScalingOptions;
  readonly #calendar: Calendar;
  readonly #season: HoltWinters | undefined;
  readonly #accuracy = new Accuracy();
  readonly #slots: number;
  /** The slot under way by local time, and since when on the monotonic clock. */
  #slot: number | undefined;
  #since = 0;
  #calls = 0;
  #seenMs = 0;

  constructor(options: ResolvedScalingOptions) {
    const { season, slotMs, scope, sources } = options;
    this.#options = options;
    this.readings = new Readings(options);
    this.#calendar = new Calendar(options.timeZone);
    // A share of an unknown number of replicas has no season of its own: scaling would be taken for one.
    const has = season !== 'none' && (scope === 'service' || sources.replicas !== undefined);
    this.#slots = has ? SEASON_MS[season] / slotMs : 0;
    if (has) this.#season = new HoltWinters(this.#slots, options.model);
  }

  get mode(): ScalingMode {
    const { clock, slotMs } = this.#options;
    const { at } = this.readings;
    if (at !== undefined && clock.monotonic() - at > 2 * slotMs) return 'no-data';
    if (this.#season === undefined) return 'no-season';
    if (!this.#season.ready || this.#accuracy.error === undefined) return 'learning';
    return this.#accuracy.trusted ? 'predictive' : 'inaccurate';
  }

  /** Mean error of the forecasts, in those of "as now"; `undefined` until it is known. */
  get error(): number | undefined {
    return this.#season?.ready ? this.#accuracy.error : undefined;
  }

  /** Reads the sources and learns. */
  turn(): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    const interval = this.readings.read(now);
    if (interval === undefined || this.#season === undefined) return;
    const wall = clock.now();
    this.#learn(this.#season, interval, wall);
    const { demand } = this.readings;
    this.#accuracy.observe(now, demand, this.#options.slotMs);
    if (!this.#season.ready || !this.#accuracy.idle) return;
    const forecast = demand * this.#growth(wall, this.#options.leadMs);
    this.#accuracy.expect(now, this.#options.leadMs, forecast, demand);
  }

  /** The rate of this scope at the end of the lead time; `undefined` until there is one. */
  ahead(): Ahead | undefined {
    const { rate } = this.readings;
    if (rate === undefined) return undefined;
    const { clock, leadMs, confidence } = this.#options;
    const predictive = this.mode === 'predictive';
    let growth = 1;
    for (let i = 1; predictive && i <= POINTS; i++) {
      growth = Math.max(growth, this.#growth(clock.now(), (leadMs * i) / POINTS));
    }
    const spread = this.#accuracy.spread(predictive) ?? 0;
    const off = deviations(confidence) * spread;
    const expected = rate * growth;
    return {
      rate: expected,
      lower: expected * Math.max(0, 1 - off),
      upper: expected * (1 + off),
    };
  }

  dump(): Pick<ScalingState, 'slotMs' | 'season' | 'model' | 'timeZone' | 'learned' | 'accuracy'> {
    const { slotMs, season, model, timeZone } = this.#options;
    const learned = this.#season?.dump();
    return { slotMs, season, model, timeZone, learned, accuracy: this.#accuracy.dump() };
  }

  /** @returns what fits of a dump, and continues from its season */
  restore(state: unknown): ScalingState | undefined {
    const { name } = this.#options;
    const read = readState(state, this.dump(), this.#slots);
    if (typeof read === 'string') {
      warn(`Scaling signal '${name}' starts without its state: ${read}`);
      return undefined;
    }
    if (read.learned !== undefined) this.#season?.restore(read.learned);
    this.#accuracy.restore(read.accuracy);
    return read;
  }

  /** The factor from now to then, by the season. The rate is of half a minute ago in the mean. */
  #growth(wall: number, aheadMs: number): number {
    const season = this.#season as HoltWinters;
    const now = season.expected(this.#position(wall - RATE_MS));
    const then = season.expected(this.#position(wall + aheadMs));
    if (!(now > 0)) return 1;
    return Math.min(MOST_GROWTH, then / now);
  }

  /** Where in the local time a moment is, in slots. */
  #position(wall: number): number {
    return this.#calendar.local(wall) / this.#options.slotMs;
  }

  /** Adds an interval to the slot of its middle, and closes slots that have ended. */
  #learn(season: HoltWinters, { at, lengthMs, calls }: Interval, wall: number): void {
    const { slotMs } = this.#options;
    const slot = Math.floor(this.#position(wall - lengthMs / 2));
    if (this.#slot === undefined) this.#since = at - lengthMs;
    else if (slot !== this.#slot) {
      const seen = this.#seenMs >= ENOUGH * slotMs;
      if (seen) season.update(modulo(this.#slot, this.#slots), (this.#calls / this.#seenMs) * 1000);
      // Slots that passed are counted by the monotonic clock: clocks that are set skip none.
      const passed = Math.round((at - this.#since) / slotMs) - (seen ? 1 : 0);
      if (passed > 0) season.skip(passed);
      this.#since = at - lengthMs / 2;
      this.#calls = 0;
      this.#seenMs = 0;
    }
    this.#slot = slot;
    // An interval that is longer than a slot tells the mean of several, and of none of them.
    if (lengthMs > slotMs) return;
    this.#calls += calls * this.readings.replicas;
    this.#seenMs += lengthMs;
  }
}
