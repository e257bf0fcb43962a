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
  /** The rule of the same kind with what a plan says. */
  with(plan: RuleChange): Rule;
  /** Writes the state of a limiter that has not been used yet. */
  reset(state: Float64Array, at: number, now: number): void;
  /**
   * Takes `cost` units if they are available.
   *
   * @returns whether they were taken
   */
  take(state: Float64Array, at: number, now: number, cost: number): boolean;
  /**
   * Milliseconds until `cost` could be taken if nothing else is; 0 for now. Where units come back evenly,
   * this holds for more of them than `capacity` too.
   */
  delay(state: Float64Array, at: number, now: number, cost: number): number;
  /** Units that could be taken now. */
  available(state: Float64Array, at: number, now: number): number;
  /** Milliseconds until there is one unit more (or the missing fraction); 0 when there is no more. */
  growth(state: Float64Array, at: number, now: number): number;
  /**
   * Uses units without asking: those of another rule, or of the past. A bucket is never more than used
   * up; a window counts all of them.
   */
  charge(state: Float64Array, at: number, now: number, units: number): void;
  /**
   * Gives back units, whoever has used them; at most all of them.
   *
   * @param takenAt - when they were taken, where that is known: a window gives them back only while it
   * still counts them. By default the last ones
   */
  credit(state: Float64Array, at: number, now: number, units: number, takenAt?: number): void;
  /** What is in use, oldest first: charged again at these times, it is in use as long as here. */
  usage(state: Float64Array, at: number, now: number): Usage[];
  /** The limit in the words of this kind, for the limiter's statistics. */
  levels(available: number): Levels;
}

/** What of a rule is another for some keys. What is absent stays as it is. */
export interface RuleChange {
  readonly limit?: number | undefined;
  readonly windowMs?: number | undefined;
  /** Capacity of a bucket. */
  readonly burst?: number | undefined;
}

/** Units that are in use, and how long ago they were taken, in milliseconds. */
export type Usage = readonly [agoMs: number, units: number];

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
