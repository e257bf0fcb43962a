import { type Rule, type RuleChange, TOLERANCE, type TokenLevels, type Usage } from './rule.ts';

const TOKENS = 0;
const FILLED_AT = 1;

/**
 * A bucket of `burst` tokens, refilled evenly with `limit` tokens per window. It starts full.
 *
 * In any span of t milliseconds it allows at most `burst + t * limit / windowMs` units.
 *
 * Source: J. Turner, "New Directions in Communications (or Which Way to the Information Age?)", IEEE
 * Communications Magazine 24(10), 1986.
 */
export class TokenBucketRule implements Rule<TokenLevels> {
  readonly kind = 'token-bucket';
  readonly slots = 2;
  readonly limit: number;
  readonly windowMs: number;
  readonly capacity: number;
  readonly freshAfterMs: number;
  readonly #perMs: number;

  constructor(limit: number, windowMs: number, burst: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.capacity = burst;
    this.#perMs = limit / windowMs;
    this.freshAfterMs = burst / this.#perMs;
  }

  with({
    limit = this.limit,
    windowMs = this.windowMs,
    burst = this.capacity,
  }: RuleChange): TokenBucketRule {
    return new TokenBucketRule(limit, windowMs, burst);
  }

  reset(state: Float64Array, at: number, now: number): void {
    state[at + TOKENS] = this.capacity;
    state[at + FILLED_AT] = now;
  }

  take(state: Float64Array, at: number, now: number, cost: number): boolean {
    const tokens = this.available(state, at, now);
    // A refusal changes no state: adding up many small refills would add up their rounding errors.
    if (tokens + TOLERANCE < cost) return false;
    state[at + TOKENS] = tokens - cost;
    state[at + FILLED_AT] = now;
    return true;
  }

  delay(state: Float64Array, at: number, now: number, cost: number): number {
    const tokens = this.available(state, at, now);
    return tokens + TOLERANCE < cost ? (cost - tokens) / this.#perMs : 0;
  }

  available(state: Float64Array, at: number, now: number): number {
    const refill = (now - state[at + FILLED_AT]!) * this.#perMs;
    return Math.min(this.capacity, state[at + TOKENS]! + refill);
  }

  growth(state: Float64Array, at: number, now: number): number {
    const tokens = this.available(state, at, now);
    if (tokens >= this.capacity) return 0;
    const next = Math.min(this.capacity, Math.floor(tokens + TOLERANCE) + 1);
    return (next - tokens) / this.#perMs;
  }

  charge(state: Float64Array, at: number, now: number, units: number): void {
    const tokens = this.available(state, at, now);
    state[at + TOKENS] = Math.max(Math.min(tokens, 0), tokens - units);
    state[at + FILLED_AT] = now;
  }

  credit(state: Float64Array, at: number, now: number, units: number): void {
    state[at + TOKENS] = Math.min(this.capacity, this.available(state, at, now) + units);
    state[at + FILLED_AT] = now;
  }

  usage(state: Float64Array, at: number, now: number): Usage[] {
    const used = this.capacity - this.available(state, at, now);
    return used > 0 ? [[0, used]] : [];
  }

  levels(available: number): TokenLevels {
    return {
      availableTokens: Math.max(0, available),
      maxTokens: this.capacity,
      refillRate: this.#perMs * 1000,
    };
  }
}
