import type { CircuitStateName } from './circuit.ts';
import type { TripReason } from './trip.ts';

/** Why a circuit changed its state. */
export type TransitionReason =
  | TripReason
  /** The open time was over. */
  | 'elapsed'
  | 'trial-failed'
  /** A trial ran for `halfOpenMaxDurationMs`. */
  | 'trial-timed-out'
  | 'trials-succeeded'
  | 'isolated'
  | 'released'
  | 'reset'
  /** The mode was switched while the circuit was not closed. */
  | 'mode'
  /** A snapshot was restored. */
  | 'restored'
  /** The nodes that share this circuit decided. */
  | 'fleet';

/** One change of state, as listeners hear of it. */
export interface StateChange {
  readonly policy: string;
  readonly from: CircuitStateName;
  readonly to: CircuitStateName;
  readonly reason: TransitionReason;
  /** Wall-clock time at which it was noticed, in milliseconds since the epoch. */
  readonly at: number;
  /** How long the circuit is open, in milliseconds; only when `to` is `open`. */
  readonly openMs: number | undefined;
  /** What opened the circuit: an error, or a value that means failure. */
  readonly failure: unknown;
}

const BECAUSE: Readonly<Record<TransitionReason, string>> = {
  failures: 'too many calls failed in a row',
  'failure-rate': 'too large a share of its calls failed',
  'slow-call-rate': 'too large a share of its calls was slow',
  elapsed: 'its open time is over',
  'trial-failed': 'a trial failed',
  'trial-timed-out': 'a trial did not end in time',
  'trials-succeeded': 'its trials succeeded',
  isolated: 'somebody isolated it',
  released: 'its isolation was released',
  reset: 'somebody reset it',
  mode: 'its mode was switched',
  restored: 'a snapshot was restored',
  fleet: 'the nodes that share it decided so',
};

/** A change in words: who, what state, why, what next. */
export function describeChange({ policy, from, to, reason, openMs }: StateChange): string {
  const next = openMs === undefined ? '' : `; next trial in ${Math.ceil(openMs)} ms`;
  return `Circuit '${policy}' went from ${from} to ${to}, as ${BECAUSE[reason]}${next}.`;
}
