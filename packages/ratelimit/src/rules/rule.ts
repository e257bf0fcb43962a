/** The kinds of rate limit. */
export type RuleKind = 'token-bucket' | 'gcra' | 'sliding-window' | 'fixed-window';

/**
 * One kind of rate limit, as arithmetic on a few numbers of state and the time. Knows no clock, no queue
 * and no telemetry. It keeps no state: the numbers are in an array of the caller, from `at` on, so that
 * a million limiters fit in one array.
 *
 * Times are milliseconds on any scale that never goes back.
 */
export interface Rule<Levels extends object = object> {
  readonly kind: RuleKind;
  /** Units that one window allows on average. */
  readonly limit: number;
  /** Length of that window, in milliseconds. */
  readonly windowMs: number;
  /** Most units that can ever be taken at once. */
  readonly capacity: number;
  /** How many numbers of state a limiter has. */
  readonly slots: number;
  /** How long after its last use a limiter has its whole capacity again, in milliseconds. */
  readonly freshAfterMs: number;
  /** Writes the state of a limiter that has not been used yet. */
  reset(state: Float64Array, at: number, now: number): void;
  /**
   * Takes `cost` units if they are available.
   *
   * @returns whether they were taken
   */
  take(state: Float64Array, at: number, now: number, cost: number): boolean;
  /** Milliseconds until `cost` could be taken if nothing else is; 0 for now. */
  delay(state: Float64Array, at: number, now: number, cost: number): number;
  /** Units that could be taken now. */
  available(state: Float64Array, at: number, now: number): number;
  /** Milliseconds until there is one unit more (or the missing fraction); 0 when there is no more. */
  growth(state: Float64Array, at: number, now: number): number;
  /** The limit in the words of this kind, for the limiter's statistics. */
  levels(available: number): Levels;
}

/** The limit of a token bucket, and of GCRA, which decides as one does. */
export interface TokenLevels {
  /** Units that could be taken now. */
  readonly availableTokens: number;
  /** Most that can be available: the depth of the bucket. */
  readonly maxTokens: number;
  /** Units that come back per second. */
  readonly refillRate: number;
}

/**
 * How many units short a request may be and still pass. Covers the rounding of times after a wait; the
 * limiter keeps the debt, so it never adds up.
 */
export const TOLERANCE = 1e-6;
