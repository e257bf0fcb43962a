import type { ForecastRule } from './forecast.ts';
import { type Rule, type RuleChange, TOLERANCE, type Usage } from './rule.ts';
import { SimulatedForecast } from './simulated-forecast.ts';
import { positive, type WindowLevels, windowLevels } from './window.ts';

const SEGMENT = 0;
const TOTAL = 1;
const COUNTS = 2;

/** The length of the last moment of a segment, as a part of it. */
const LAST_MOMENT = 1e-3;

/**
 * Never more than `limit` units in any span of `windowMs`, wherever it begins. The window is counted
 * in segments; a segment counts until its last moment has left the window, so the count is never too
 * low: under constant demand `segments / (segments + 1)` of the limit is reached.
 *
 * (The two-counter estimate that interpolates the previous window needs less state, but allows more
 * than the limit when requests come unevenly.)
 */
export class SlidingWindowRule implements Rule<WindowLevels>, ForecastRule {
  readonly kind = 'sliding-window';
  readonly slots: number;
  readonly limit: number;
  readonly windowMs: number;
  readonly capacity: number;
  readonly freshAfterMs: number;
  readonly #segmentMs: number;
  /** Counted at a time: the running segment and as many before it as make a window. */
  readonly #counted: number;

  constructor(limit: number, windowMs: number, segments: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.capacity = limit;
    this.#segmentMs = windowMs / segments;
    this.#counted = segments + 1;
    this.slots = COUNTS + this.#counted;
    this.freshAfterMs = windowMs + this.#segmentMs;
  }

  with({ limit = this.limit, windowMs = this.windowMs }: RuleChange): SlidingWindowRule {
    return new SlidingWindowRule(limit, windowMs, this.#counted - 1);
  }

  reset(state: Float64Array, at: number, now: number): void {
    state[at + SEGMENT] = Math.floor(now / this.#segmentMs);
    state.fill(0, at + TOTAL, at + this.slots);
  }

  take(state: Float64Array, at: number, now: number, cost: number): boolean {
    const segment = this.#advance(state, at, now);
    const total = state[at + TOTAL]!;
    if (total + cost > this.limit + TOLERANCE) return false;
    this.#add(state, at, segment, cost);
    return true;
  }

  #add(state: Float64Array, at: number, segment: number, units: number): void {
    state[at + TOTAL] = state[at + TOTAL]! + units;
    const place = at + this.#place(segment);
    state[place] = state[place]! + units;
  }

  /** Where a segment is counted. Segments before the clock's start have negative numbers. */
  #place(segment: number): number {
    const place = segment % this.#counted;
    return COUNTS + (place < 0 ? place + this.#counted : place);
  }

  delay(state: Float64Array, at: number, now: number, cost: number): number {
    this.#advance(state, at, now);
    return state[at + TOTAL]! + cost > this.limit + TOLERANCE
      ? this.#wait(state, at, now, cost)
      : 0;
  }

  available(state: Float64Array, at: number, now: number): number {
    this.#advance(state, at, now);
    return this.limit - state[at + TOTAL]!;
  }

  growth(state: Float64Array, at: number, now: number): number {
    this.#advance(state, at, now);
    if (state[at + TOTAL] === 0) return 0;
    const left = Math.max(0, this.limit - state[at + TOTAL]!);
    return this.#wait(state, at, now, Math.min(this.limit, left + 1));
  }

  charge(state: Float64Array, at: number, now: number, units: number): void {
    this.#add(state, at, this.#advance(state, at, now), units);
  }

  credit(state: Float64Array, at: number, now: number, units: number, takenAt?: number): void {
    const newest = this.#advance(state, at, now);
    const from = takenAt === undefined ? newest : Math.floor(takenAt / this.#segmentMs);
    const oldest = takenAt === undefined ? newest - this.#counted + 1 : from;
    let left = units;
    for (let segment = from; segment >= oldest && left > 0; segment--) {
      if (newest - segment >= this.#counted) break; // it counts no more
      const count = state[at + this.#place(segment)]!;
      this.#add(state, at, segment, -Math.min(count, left));
      left -= count;
    }
    // Fractions leave rounding behind; of a window of which nothing is used, nothing is left.
    if (state[at + TOTAL]! < TOLERANCE) state.fill(0, at + TOTAL, at + this.slots);
  }

  usage(state: Float64Array, at: number, now: number): Usage[] {
    const newest = this.#advance(state, at, now);
    const found: Usage[] = [];
    for (let age = this.#counted - 1; age >= 0; age--) {
      const used = state[at + this.#place(newest - age)]!;
      // The last moment of the segment: what is charged there again leaves the window with it.
      const ended = (newest - age + 1 - LAST_MOMENT) * this.#segmentMs;
      if (used > 0) found.push([Math.max(0, now - ended), used]);
    }
    return found;
  }

  createForecast(): SimulatedForecast {
    return new SimulatedForecast(this);
  }

  levels(available: number): WindowLevels {
    return windowLevels(this, available);
  }

  /** Removes the segments that have left the window. No caller can observe the change. */
  #advance(state: Float64Array, at: number, now: number): number {
    const segment = Math.floor(now / this.#segmentMs);
    const last = state[at + SEGMENT]!;
    if (segment <= last) return last;
    if (segment - last >= this.#counted) {
      state.fill(0, at + TOTAL, at + this.slots);
    } else {
      for (let gone = last + 1; gone <= segment; gone++) {
        state[at + this.#place(gone)] = 0;
      }
      // Summed anew: subtracting fractions would accumulate their rounding errors.
      let total = 0;
      for (let place = 0; place < this.#counted; place++) total += state[at + COUNTS + place]!;
      state[at + TOTAL] = total;
    }
    state[at + SEGMENT] = segment;
    return segment;
  }

  /** The time until enough of the oldest segments have left that `cost` fits. */
  #wait(state: Float64Array, at: number, now: number, cost: number): number {
    const segment = state[at + SEGMENT]!;
    let total = state[at + TOTAL]!;
    let oldest = segment - this.#counted + 1;
    for (; oldest < segment; oldest++) {
      total -= state[at + this.#place(oldest)]!;
      if (total + cost <= this.limit + TOLERANCE) break;
    }
    return positive((oldest + this.#counted) * this.#segmentMs - now);
  }
}
