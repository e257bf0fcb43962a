import type { Clock } from '@temper/core';
import type { Call } from '@temper/core/policy';
import type { Circuit, CircuitState } from './circuit/circuit.ts';
import type { TransitionReason } from './events.ts';

/** Connects circuits to those of other processes; created by `sharedCircuit()` of the subpath `shared`. */
export interface CircuitSharing {
  join(node: FleetNode): Fleet;
  /**
   * Adds a listener for each failure of the store: an error of it, a late answer, a malformed one.
   * Disposing of the result removes it.
   */
  onStoreError(listener: (error: unknown) => void): Disposable;
}

/** What the fleet sees of a circuit in this process. */
export interface FleetNode {
  readonly name: string;
  readonly clock: Clock;
  readonly successThreshold: number;
  readonly halfOpenMaxDurationMs: number;
  circuit(at: number): Circuit;
  /** Opens because the fleet has; `false` when the circuit does not take part at present. */
  follow(at: number, forMs: number): boolean;
  /** Closes because the fleet has. */
  close(at: number): void;
}

/** What a circuit in this process asks of the fleet. */
export interface Fleet {
  /** Called with every call: reports to the others from time to time. */
  touch(at: number): void;
  /** Called with every change of state. */
  changed(to: Circuit, reason: TransitionReason, at: number): void;
  /** For how long no trial will be permitted, in milliseconds. */
  waitMs(at: number): number;
  /** Runs a trial once the fleet permits it. */
  runTrial<T>(call: Call, trial: FleetTrial<T>): Promise<T>;
  /** A trial that ran with a lease has ended. */
  endTrial(lease: string, verdict: 'success' | 'failure' | 'ignored', openMs: number): void;
  stats(): SharedStats;
}

/** A trial that has begun in this process and waits for the fleet. */
export interface FleetTrial<T> {
  /** Whether the circuit is still in the state that the trial began in. */
  isCurrent(): boolean;
  /** @param lease - present when the whole fleet waits for the result */
  run(lease: string | undefined): Promise<T>;
  /** Makes room for another trial. */
  withdraw(): void;
  /** The call was ended before its trial began. */
  ended(): void;
  /** Handles the call as if it came now. */
  enterAgain(): Promise<T>;
}

/** A shared circuit in `stats()`. */
export interface SharedStats {
  /** Name of this process in the fleet. */
  readonly node: string;
  /** The fleet's own circuit, as last heard. */
  readonly fleet:
    | { readonly state: CircuitState; readonly nodes: number; readonly openNodes: number }
    | undefined;
  /** Failures of the store, late answers included. */
  readonly storeErrors: number;
}
