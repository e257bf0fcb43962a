import type { ForecastRule } from './forecast.ts';
import { type Rule, type RuleChange, TOLERANCE, type Usage } from './rule.ts';
import { SimulatedForecast } from './simulated-forecast.ts';
import { positive, type WindowLevels, windowLevels } from './window.ts';

const STARTED_AT = 0;
const USED = 1;

/**
 * Counts in consecutive windows, from the creation of the limiter on. The simplest kind; but around the
 * boundary of two windows up to twice the limit can pass within the length of one.
 */
export class FixedWindowRule implements Rule<WindowLevels>, ForecastRule {
  readonly kind = 'fixed-window';
  readonly slots = 2;
  readonly limit: number;
  readonly windowMs: number;
  readonly capacity: number;
  readonly freshAfterMs: number;

  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.capacity = limit;
    this.freshAfterMs = windowMs;
  }

  with({ limit = this.limit, windowMs = this.windowMs }: RuleChange): FixedWindowRule {
    return new FixedWindowRule(limit, windowMs);
  }

  reset(state: Float64Array, at: number, now: number): void {
    state[at + STARTED_AT] = now;
    state[at + USED] = 0;
  }

  take(state: Float64Array, at: number, now: number, cost: number): boolean {
    const started = this.#startOf(state, at, now);
    const used = started === state[at + STARTED_AT] ? state[at + USED]! : 0;
    if (used + cost > this.limit + TOLERANCE) return false;
    state[at + STARTED_AT] = started;
    state[at + USED] = used + cost;
    return true;
  }

  delay(state: Float64Array, at: number, now: number, cost: number): number {
    const missing = cost - this.available(state, at, now) > TOLERANCE;
    return missing ? positive(this.#startOf(state, at, now) + this.windowMs - now) : 0;
  }

  available(state: Float64Array, at: number, now: number): number {
    const current = this.#startOf(state, at, now) === state[at + STARTED_AT];
    return current ? this.limit - state[at + USED]! : this.limit;
  }

  growth(state: Float64Array, at: number, now: number): number {
    if (this.available(state, at, now) >= this.limit) return 0;
    return positive(this.#startOf(state, at, now) + this.windowMs - now);
  }

  charge(state: Float64Array, at: number, now: number, units: number): void {
    const used = this.limit - this.available(state, at, now);
    state[at + STARTED_AT] = this.#startOf(state, at, now);
    state[at + USED] = used + units;
  }

  credit(state: Float64Array, at: number, now: number, units: number, takenAt: number = now): void {
    const started = state[at + STARTED_AT]!;
    if (this.#startOf(state, at, now) !== started || takenAt < started) return;
    state[at + USED] = Math.max(0, state[at + USED]! - units);
  }

  usage(state: Float64Array, at: number, now: number): Usage[] {
    const started = this.#startOf(state, at, now);
    const used = started === state[at + STARTED_AT] ? state[at + USED]! : 0;
    return used > 0 ? [[now - started, used]] : [];
  }

  createForecast(): SimulatedForecast {
    return new SimulatedForecast(this);
  }

  levels(available: number): WindowLevels {
    return windowLevels(this, available);
  }

  #startOf(state: Float64Array, at: number, now: number): number {
    const started = state[at + STARTED_AT]!;
    const age = now - started;
    return age < this.windowMs
      ? started
      : started + Math.floor(age / this.windowMs) * this.windowMs;
  }
}
