import type { Policy } from '@temper/core';
import type { PolicyDescription } from '@temper/core/policy';
import type { CircuitState } from './circuit/circuit.ts';
import type { SavedWindow, WindowCounts } from './circuit/window.ts';
import type { StateChange } from './events.ts';
import type { BreakerMode } from './options.ts';
import type { SharedStats } from './sharing.ts';
import type { CallOutcome } from './verdict.ts';

/** A circuit breaker. */
export interface CircuitBreaker extends Policy {
  /** The present state: an open circuit whose time is over reads `half-open` without a call. */
  readonly state: CircuitState;
  /** What the breaker does. Changing it closes the circuit, unless it is isolated. */
  mode: BreakerMode;
  /**
   * Adds a listener for each change of state; disposing of the result removes it. While there is one, a
   * timer tells it when time alone changes the state; the timer does not keep the process alive.
   */
  onStateChange(listener: (change: StateChange) => void): Disposable;
  /** Rejects all calls until the result, and that of every other `isolate()`, is disposed of. */
  isolate(): Disposable;
  /**
   * Opens the circuit by hand, as failures do: trials follow. Without effect on an isolated circuit, and
   * unless the mode is `enabled`. Use {@link isolate} to reject calls without an end.
   *
   * @param openMs - for how long, in milliseconds; as configured by default
   * @throws {TypeError | RangeError} unless a number from 0 to `maxOpenDurationMs`
   */
  forceOpen(openMs?: number): void;
  /** Closes the circuit and empties its window, unless it is isolated. */
  reset(): void;
  /** The circuit and its window as plain data. */
  snapshot(): BreakerSnapshot;
  /**
   * Restores a snapshot as if the time since had passed in this process. An isolated circuit stays
   * isolated. Trials that are running in this process go on where the snapshot is half-open.
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
  /** Trials that are running, those that succeeded, and those that failed, while half-open. */
  readonly trials: {
    readonly running: number;
    readonly successes: number;
    readonly failures: number;
  };
  /** Calls that wait for their turn, while half-open. */
  readonly waiting: number;
  /** When a rejected call should be made again, in milliseconds; `undefined` as on the error. */
  readonly retryAfterMs: number | undefined;
  /** Wall-clock time of the last failure, in milliseconds since the epoch. */
  readonly lastFailureAt: number | undefined;
  /** Wall-clock time of the last change of state, in milliseconds since the epoch. */
  readonly changedAt: number | undefined;
  /** The circuit's part in a fleet, when it is shared. */
  readonly shared: SharedStats | undefined;
}

/**
 * A breaker as plain data, to be carried over a restart or between invocations of a function. Times are
 * durations, so that another process with another monotonic clock can restore it.
 */
export interface BreakerSnapshot {
  readonly version: 1;
  /** Wall-clock time at which it was taken, in milliseconds since the epoch. */
  readonly takenAt: number;
  /** An isolated circuit is saved as a closed one: isolation holds in its own process only. */
  readonly state: 'closed' | 'open' | 'half-open';
  readonly openings: number;
  readonly openMs: number;
  /** How long it had been in this state, in milliseconds. */
  readonly elapsedMs: number;
  /** How much of the open time was left, in milliseconds; 0 unless open. */
  readonly remainingMs: number;
  /** Trials that succeeded, and that failed where some may; 0 unless half-open. */
  readonly successes: number;
  readonly failures: number;
  readonly window: SavedWindow;
}
