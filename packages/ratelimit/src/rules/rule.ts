/** The kinds of rate limit. */
export type RuleKind = 'token-bucket' | 'gcra' | 'sliding-window' | 'fixed-window';

/**
 * One kind of rate limit, as arithmetic on a few numbers of state and the time. Knows no clock,
 * no queue and no telemetry, and keeps nothing itself: the numbers lie in an array of the caller,
 * from `at` on, so that a million limiters fit in one array.
 *
 * Times are milliseconds on any scale that never goes back.
 */
export interface Rules {
  readonly kind: RuleKind;
  /** Units that one window allows on average. */
  readonly limit: number;
  /** Length of that window, in milliseconds. */
  readonly windowMs: number;
  /** Most units that can ever be taken at once. */
  readonly capacity: number;
  /** How many numbers of state a limiter takes. */
  readonly slots: number;
  /** How long after its last use a limiter is as good as new, in milliseconds. */
  readonly freshAfterMs: number;
  /** Writes the state of a limiter that nobody has used yet. */
  reset(state: Float64Array, at: number, now: number): void;
  /**
   * Takes `cost` units when they can be had.
   *
   * @returns whether they were taken
   */
  take(state: Float64Array, at: number, now: number, cost: number): boolean;
  /** Milliseconds until `cost` could be taken, all else staying the same; 0 for now. */
  delay(state: Float64Array, at: number, now: number, cost: number): number;
  /** Units that could be taken now. */
  available(state: Float64Array, at: number, now: number): number;
  /** Milliseconds until there is one unit more (or the fraction that is missing); 0 when there is no more. */
  growth(state: Float64Array, at: number, now: number): number;
}

/**
 * How many units short a request may be and still pass. Covers the rounding of times that come back
 * after a wait; a limiter keeps the debt, so it never adds up.
 */
export const TOLERANCE = 1e-6;

/** A wait as a refusal tells it: above 0, whatever the rounding of the times it was computed from. */
export function positive(waitMs: number): number {
  return Math.max(waitMs, 0.001);
}
