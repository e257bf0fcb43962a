import type { Policy, PolicyDescription } from '@temper/core';
import type { CircuitStateName } from './circuit.ts';
import type { StateChange } from './events.ts';
import type { BreakerMode } from './options.ts';
import type { CallOutcome } from './semconv.ts';
import type { BreakerSnapshot } from './snapshot.ts';
import type { FleetState } from './store.ts';
import type { WindowCounts } from './window.ts';

/** A circuit breaker. */
export interface CircuitBreaker extends Policy {
  /** What the circuit is now: an open one whose time is over reads `half-open` without a call. */
  readonly state: CircuitStateName;
  /** What the breaker does at all. Switching it closes the circuit, unless it is isolated. */
  mode: BreakerMode;
  /** Calls `listener` with each change of state, until disposed of. What it throws is reported. */
  onStateChange(listener: (change: StateChange) => void): Disposable;
  /**
   * Holds the circuit open by hand, whatever its mode, until disposed of. Several may hold it: it
   * closes when the last lets go.
   */
  isolate(): Disposable;
  /** Closes the circuit and forgets what it has counted, unless it is isolated. */
  reset(): void;
  /** The circuit and its window as plain data. */
  snapshot(): BreakerSnapshot;
  /**
   * Takes a snapshot up, as if only the time that the wall clock tells had passed since. Isolation is
   * not part of it: an isolated circuit stays so, and a snapshot of one is of a closed circuit.
   *
   * @throws {TypeError | RangeError} when it is no snapshot; the breaker is then as it was
   */
  restore(snapshot: BreakerSnapshot): void;
  /** What composers should know of it. */
  describe(): PolicyDescription;
  stats(): BreakerStats;
}

/** What a breaker has done since it was made, and how it is now. Plain data. */
export interface BreakerStats {
  readonly state: CircuitStateName;
  readonly mode: BreakerMode;
  readonly calls: Readonly<Record<CallOutcome, number>>;
  /** What the closed circuit judges by. Without a window: the failures in a row. */
  readonly window: WindowCounts;
  /** Openings in a row, with no stable close in between. */
  readonly openings: number;
  /** Trials that run now, and that succeeded in a row, while half-open. */
  readonly trials: { readonly running: number; readonly successes: number };
  /**
   * When a rejected call should come back, in milliseconds; `undefined` when calls go through, and
   * when isolated.
   */
  readonly retryAfterMs: number | undefined;
  /** Wall-clock time of the last failure, in milliseconds since the epoch. */
  readonly lastFailureAt: number | undefined;
  /** Wall-clock time of the last change of state, in milliseconds since the epoch. */
  readonly changedAt: number | undefined;
  /** How it stands with the other nodes, when the circuit is shared. */
  readonly shared:
    | {
        readonly node: string;
        /** What the fleet was when last heard of. */
        readonly fleet: FleetState | undefined;
        /** Failures of the store, late answers included. */
        readonly storeErrors: number;
      }
    | undefined;
}
