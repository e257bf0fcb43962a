import type { CircuitState } from './circuit/circuit.ts';

/** For each reason of a change of state, how a log record puts it. */
const REASONS = {
  failures: 'too many calls failed in a row',
  'failure-rate': 'too large a share of the calls failed',
  'slow-call-rate': 'too large a share of the calls was slow',
  elapsed: 'the open time is over',
  'trial-failed': 'a trial call failed',
  'trials-failed': 'too large a share of the trial calls failed',
  'trial-timed-out': 'a trial call did not end in time',
  'trials-succeeded': 'the trial calls succeeded',
  forced: 'forceOpen() was called',
  isolated: 'isolate() was called',
  released: 'the isolation was released',
  reset: 'reset() was called',
  mode: 'the mode was changed',
  restored: 'a snapshot was restored',
  fleet: 'the processes that share it decided so',
} as const;

/** Why a circuit changed its state. */
export type TransitionReason = keyof typeof REASONS;

/** Every {@link TransitionReason}. */
export const TRANSITION_REASONS = Object.keys(REASONS) as readonly TransitionReason[];

/** A change of a circuit's state. */
export interface StateChange {
  readonly policy: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
  readonly reason: TransitionReason;
  /** Wall-clock time at which it was noticed, in milliseconds since the epoch. */
  readonly at: number;
  /** How long the circuit stays open, in milliseconds; only when `to` is `open`. */
  readonly openMs: number | undefined;
  /** What opened the circuit: an error, or a value that counts as a failure. */
  readonly failure: unknown;
}

/** A change in words. */
export function describeChange({ policy, from, to, reason, openMs }: StateChange): string {
  const next = openMs === undefined ? '' : `; the next trial is in ${Math.ceil(openMs)} ms`;
  return `Circuit '${policy}' changed from ${from} to ${to} because ${REASONS[reason]}${next}`;
}
