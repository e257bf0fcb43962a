import { type Rule, type RuleChange, TOLERANCE, type TokenLevels, type Usage } from './rule.ts';

/**
 * The generic cell rate algorithm: each unit reserves the next place in a schedule of `limit` places per
 * window, and may come up to `burst` places early. Allows exactly what a token bucket of that depth
 * does, with one number of state: when the next unit would be due if all came evenly.
 *
 * Source: ITU-T Recommendation I.371 (virtual scheduling); ATM Forum, "Traffic Management
 * Specification 4.0", 1996.
 */
export class GcraRule implements Rule<TokenLevels> {
  readonly kind = 'gcra';
  readonly slots = 1;
  readonly limit: number;
  readonly windowMs: number;
  readonly capacity: number;
  readonly freshAfterMs: number;
  /** Milliseconds between two units. */
  readonly #interval: number;
  readonly #tolerance: number;

  constructor(limit: number, windowMs: number, burst: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.capacity = burst;
    this.#interval = windowMs / limit;
    this.freshAfterMs = burst * this.#interval;
    this.#tolerance = TOLERANCE * this.#interval;
  }

  with({
    limit = this.limit,
    windowMs = this.windowMs,
    burst = this.capacity,
  }: RuleChange): GcraRule {
    return new GcraRule(limit, windowMs, burst);
  }

  reset(state: Float64Array, at: number, now: number): void {
    state[at] = now;
  }

  take(state: Float64Array, at: number, now: number, cost: number): boolean {
    const due = this.#dueAfter(state, at, now, cost);
    if (due - this.freshAfterMs - now > this.#tolerance) return false;
    state[at] = due;
    return true;
  }

  delay(state: Float64Array, at: number, now: number, cost: number): number {
    const wait = this.#dueAfter(state, at, now, cost) - this.freshAfterMs - now;
    return wait > this.#tolerance ? wait : 0;
  }

  available(state: Float64Array, at: number, now: number): number {
    const ahead = state[at]! - now;
    return ahead > 0 ? this.capacity - ahead / this.#interval : this.capacity;
  }

  growth(state: Float64Array, at: number, now: number): number {
    const units = this.available(state, at, now);
    if (units >= this.capacity) return 0;
    const next = Math.min(this.capacity, Math.floor(units + TOLERANCE) + 1);
    return (next - units) * this.#interval;
  }

  charge(state: Float64Array, at: number, now: number, units: number): void {
    const most = Math.max(state[at]!, now + this.freshAfterMs);
    state[at] = Math.min(this.#dueAfter(state, at, now, units), most);
  }

  credit(state: Float64Array, at: number, now: number, units: number): void {
    state[at] = Math.max(state[at]!, now) - units * this.#interval;
  }

  usage(state: Float64Array, at: number, now: number): Usage[] {
    const ahead = state[at]! - now;
    return ahead > 0 ? [[0, ahead / this.#interval]] : [];
  }

  levels(available: number): TokenLevels {
    return {
      availableTokens: Math.max(0, available),
      maxTokens: this.capacity,
      refillRate: 1000 / this.#interval,
    };
  }

  #dueAfter(state: Float64Array, at: number, now: number, cost: number): number {
    return Math.max(state[at]!, now) + cost * this.#interval;
  }
}
