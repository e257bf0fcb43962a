/** What a finished call shows about the dependency. */
export interface Sample {
  /** When the call began and ended, in milliseconds on a scale that never goes back. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Units in use when it began, its own included. */
  readonly inFlight: number;
  /** Whether it was refused or timed out because of overload. */
  readonly overloaded: boolean;
  /** Whether that was because it had not ended when its time was up. */
  readonly timedOut?: boolean;
  /**
   * Whether it was ended from outside before it can be told how long it takes: it had waited for its turn, and
   * too little of its time was left. Such calls are a sign of too low a limit, and of nothing else.
   */
  readonly cutShort?: boolean;
}

/** Finds how many calls a dependency can take at the same time from how they end. Knows no clock. */
export interface LimitAlgorithm {
  /** Units allowed at the same time, at present. */
  readonly limit: number;
  /** Learns from one call. */
  observe(sample: Sample): void;
}

/** The bounds of a limit. */
export interface LimitBounds {
  readonly initialLimit: number;
  readonly minLimit: number;
  readonly maxLimit: number;
}
