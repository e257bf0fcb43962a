/** What a finished call says about the backend. */
export interface Sample {
  /** When the call began and ended, in milliseconds on a scale that never goes back. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Units in use when it began, its own included. */
  readonly inFlight: number;
  /** Whether it was turned away or timed out for overload. */
  readonly overloaded: boolean;
}

/** Finds out how many calls at a time a backend can take, from how they end. Knows no clock. */
export interface LimitAlgorithm {
  /** Units allowed at a time, at present. */
  readonly limit: number;
  /** Learns from one call. */
  observe(sample: Sample): void;
}

/** Between what bounds a limit may move. */
export interface LimitBounds {
  readonly initialLimit: number;
  readonly minLimit: number;
  readonly maxLimit: number;
}
