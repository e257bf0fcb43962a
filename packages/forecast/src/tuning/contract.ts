import type { Policy } from '@temper/core';
import type { TuningChange } from './change.ts';
import type { Usual } from './guard.ts';
import type { RecordedCall } from './recorded-call.ts';
import type { Proposal, Waiting } from './rules/rules.ts';
import type { TuningSettings } from './settings.ts';

/** A change of a circuit, as a circuit breaker tells it. */
export interface CircuitChange {
  readonly policy: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** What is known and proposed now. */
export interface TuningReview {
  readonly name: string;
  /** `incident`: nothing is learned. `trial`: a change is compared with what was before it. */
  readonly status: 'observing' | 'incident' | 'trial';
  readonly settings: TuningSettings;
  /** Changes that the observations speak for, in the order in which they are made. */
  readonly proposals: readonly Proposal[];
  /** Settings of which too little is known, with what is missing. */
  readonly waiting: readonly Waiting[];
  /** The calls that were learned from, since the last change. */
  readonly usual: Usual;
  /** The change that is on trial. */
  readonly trial: Proposal | undefined;
  /** The last 50 changes, the oldest first. */
  readonly changes: readonly TuningChange[];
}

/** Learns from calls, and proposes or makes changes of the settings. */
export interface Autotuner extends Disposable {
  readonly name: string;
  /** Goes around all other policies: sees whole calls. */
  readonly calls: Policy;
  /** Goes inside of all other policies: sees each try. */
  readonly tries: Policy;
  /** The settings in force. */
  readonly settings: TuningSettings;
  review(): TuningReview;
  /**
   * Records a call that ran elsewhere, or that a trace has.
   *
   * @throws {TypeError | RangeError} when a field is missing or out of range
   */
  record(call: RecordedCall): void;
  /**
   * Tells that somebody else has put settings into force. What was learned with those before is dropped.
   *
   * @throws {TypeError | RangeError} when one is unknown, or out of its bounds
   */
  update(settings: TuningSettings): void;
  /** Listens to the circuit: `circuitBreaker({ onStateChange: tuner.stateChanged })`. */
  readonly stateChanged: (change: CircuitChange) => void;
  /** Adds a listener for each call with its tries; disposing of the result removes it. */
  onCall(listener: (call: RecordedCall) => unknown): Disposable;
  /** Adds a listener as the option `onChange`; disposing of the result removes it. */
  onChange(listener: (change: TuningChange) => unknown): Disposable;
}
