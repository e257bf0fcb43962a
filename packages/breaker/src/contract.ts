import type { Policy } from '@temper/core';
import type { PolicyDescription } from '@temper/core/policy';
import type { CircuitState } from './circuit/circuit.ts';
import type { BreakerSnapshot } from './circuit/snapshot.ts';
import type { WindowCounts } from './circuit/window.ts';
import type { StateChange } from './events.ts';
import type { BreakerMode } from './options.ts';
import type { CallOutcome } from './semconv.ts';
import type { SharedStats } from './sharing.ts';

/** A circuit breaker. */
export interface CircuitBreaker extends Policy {
  /** The present state: an open circuit whose time is over reads `half-open` without a call. */
  readonly state: CircuitState;
  /** What the breaker does. Changing it closes the circuit, unless it is isolated. */
  mode: BreakerMode;
  /** Adds a listener for each change of state; disposing of the result removes it. */
  onStateChange(listener: (change: StateChange) => void): Disposable;
  /** Rejects all calls until the result, and that of every other `isolate()`, is disposed of. */
  isolate(): Disposable;
  /** Closes the circuit and empties its window, unless it is isolated. */
  reset(): void;
  /** The circuit and its window as plain data. */
  snapshot(): BreakerSnapshot;
  /**
   * Restores a snapshot as if the time since had passed in this process. An isolated circuit stays
   * isolated. Trials that are running go on where both circuits are half-open.
   *
   * @throws {TypeError | RangeError} on anything but a snapshot; the breaker is then unchanged
   */
  restore(snapshot: BreakerSnapshot): void;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
  stats(): BreakerStats;
}

/** What a breaker has done since it was created, and its present state. Plain data. */
export interface BreakerStats {
  readonly state: CircuitState;
  readonly mode: BreakerMode;
  readonly calls: Readonly<Record<CallOutcome, number>>;
  /** What the closed circuit is judged by; without the option `window`, the failures in a row. */
  readonly window: WindowCounts;
  /** Openings in a row, with no stable close in between. */
  readonly openings: number;
  /** Trials that are running, and those in a row that succeeded, while half-open. */
  readonly trials: { readonly running: number; readonly successes: number };
  /** When a rejected call should be made again, in milliseconds; `undefined` as on the error. */
  readonly retryAfterMs: number | undefined;
  /** Wall-clock time of the last failure, in milliseconds since the epoch. */
  readonly lastFailureAt: number | undefined;
  /** Wall-clock time of the last change of state, in milliseconds since the epoch. */
  readonly changedAt: number | undefined;
  /** The circuit's part in a fleet, when it is shared. */
  readonly shared: SharedStats | undefined;
}
